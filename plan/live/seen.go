package live

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// Seen is what a comparison saw of one object that is declared, in the fields
// that are. Saved plans hold it, so how it is made stays as it is.
type Seen struct {
	Object state.ObjectID
	Exists bool
	Leaves []Leaf // in order of paths
}

// Leaf is one value without parts that count for themselves.
type Leaf struct {
	Path  string
	Value string // JSON; of a Secret's data, and of what has a secret, a digest, sha256:...
}

func (o object) seen() Seen {
	s := Seen{Object: o.id, Exists: o.live != nil}
	opts := o.opts
	opts.ShowSecrets = false
	o.leaves(func(l Leaf, _ fieldpath.Path) {
		if redacted(l.Value, opts) != l.Value {
			l.Value = digestOf(l.Value)
		}
		s.Leaves = append(s.Leaves, l)
	})
	slices.SortStableFunc(s.Leaves, func(a, b Leaf) int { return cmp.Compare(a.Path, b.Path) })
	return s
}

func (o object) leaves(visit func(Leaf, fieldpath.Path)) {
	before := o.before()
	if before == nil {
		return
	}
	declared := o.wanted
	if declared == nil {
		declared = o.stored
	}
	root := place{typ: o.typeOf(declared), secret: o.id.Kind == "Secret" && o.id.Group == ""}
	flatten(root, before, visit)
}

func flatten(at place, v any, visit func(Leaf, fieldpath.Path)) {
	at.atomic = at.atomic || at.typ.Atomic()
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if e != nil && !at.serverOwned(key) {
				flatten(at.field(key), e, visit)
			}
		}
		return
	case []any:
		if at.atomic || at.typ.List() != openapi.ListMap {
			break
		}
		if all, ok := keyed(at.typ, [][]any{v, nil, nil}); ok {
			for _, e := range all.live {
				flatten(at.element(e), e.value, visit)
			}
			return
		}
	}
	leaf := Leaf{Path: at.name, Value: encoded(v)}
	if at.exact {
		leaf.Value = digestOf(leaf.Value)
	}
	visit(leaf, at.path)
}

func digestOf(value string) string {
	if strings.HasPrefix(value, digestPrefix) {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return digestPrefix + hex.EncodeToString(sum[:])
}

const digestPrefix = "sha256:"

// Moved tells what is not any more as another comparison of the same release saw
// it, a sentence for each field, with who set it. r is how it is now.
func (r Result) Moved(was []Seen) []string {
	var moved []string
	now := map[state.ObjectID]Seen{}
	for _, s := range r.Seen {
		now[s.Object] = s
	}
	for _, before := range was {
		after := now[before.Object]
		object := "object " + before.Object.String()
		switch {
		case before.Exists && !after.Exists:
			moved = append(moved, object+": it was there when planned, and is gone")
		case !before.Exists && after.Exists:
			moved = append(moved, object+": it was not there when planned, and is there now")
		default:
			for _, d := range differing(before.Leaves, after.Leaves) {
				opts := r.compared[before.Object].opts
				path := strings.TrimPrefix(redactedPath(d.path, opts), ".")
				moved = append(moved, fmt.Sprintf("%s field %s: %s%s", object, path, d.text(opts), r.by(before.Object, d)))
			}
		}
	}
	return moved
}

// difference is a leaf that differs; an empty value is none.
type difference struct{ path, was, is string }

func differing(was, is []Leaf) []difference {
	values := map[string]*difference{}
	at := func(path string) *difference {
		if values[path] == nil {
			values[path] = &difference{path: path}
		}
		return values[path]
	}
	for _, l := range was {
		at(l.Path).was = l.Value
	}
	for _, l := range is {
		at(l.Path).is = l.Value
	}
	var found []difference
	for _, d := range values {
		if !sameLeaf(d.was, d.is) {
			found = append(found, *d)
		}
	}
	slices.SortFunc(found, func(a, b difference) int { return cmp.Compare(a.path, b.path) })
	return found
}

// sameLeaf compares two leaves, of which one may be a digest: what is known as a
// secret is not the same in every run.
func sameLeaf(was, is string) bool {
	if was != "" && is != "" && strings.HasPrefix(was, digestPrefix) != strings.HasPrefix(is, digestPrefix) {
		return digestOf(was) == digestOf(is)
	}
	return was == is
}

func (d difference) text(opts diff.Options) string {
	hidden := redacted(d.was, opts) != d.was || redacted(d.is, opts) != d.is
	d.was, d.is = short(d.was), short(d.is)
	switch {
	case hidden, strings.HasPrefix(d.was, digestPrefix), strings.HasPrefix(d.is, digestPrefix):
		return "it has another value than when planned"
	case d.was == "":
		return "not set when planned, now " + d.is
	case d.is == "":
		return d.was + " when planned, now not set"
	default:
		return d.was + " when planned, now " + d.is
	}
}

// short cuts a value that nobody would read to its end.
func short(value string) string {
	const most = 80
	runes := []rune(value)
	if len(runes) <= most {
		return value
	}
	return string(runes[:most]) + "..."
}

// by tells who set a field, if the cluster knows.
func (r Result) by(id state.ObjectID, d difference) string {
	if d.is == "" {
		return ""
	}
	o := r.compared[id]
	manager, at := "", time.Time{}
	o.leaves(func(l Leaf, path fieldpath.Path) {
		if l.Path == d.path {
			last := (&owners{live: o.live}).last(path)
			manager, at = last.manager, last.at
		}
	})
	switch {
	case manager == "":
		return ""
	case at.IsZero():
		return " (by " + manager + ")"
	default:
		return fmt.Sprintf(" (by %s at %s)", manager, at.UTC().Format(time.RFC3339))
	}
}
