// Package promote finds out what has to change in the files of one environment
// so that it gets what runs in another one, and where. It reads files, and writes
// none; whoever calls it has looked at the clusters.
//
// # Decisions
//
// What moves is what runs, and not what the files of the source say: those may be
// ahead of it.
//
// The version of the chart and the tags and digests of images always move. Their
// repositories do not, because registries are an environment's own, nor does
// anything else that the block promotion of the state file does not allow.
//
// A tag counts as one only where the manifest of the source runs it: a value that
// merely has the name of one may mean anything.
//
// Where a place is only guessed, as behind a template, the guess is not trusted:
// the caller loads the state again with the changed files, and Surprises tells
// what came out of it, in every release of every environment.
package promote

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
)

// Kind is what sort of thing moves.
type Kind string

// The kinds of what moves.
const (
	KindVersion Kind = "chart version"
	KindImage   Kind = "image"
	KindValue   Kind = "value"
)

// Move is one thing that the target should get from the source.
type Move struct {
	Kind Kind
	Path origin.Path // of the value; empty for the version of the chart
	Was  any         // what the files of the target say now; nil and Had false: nothing
	Had  bool
	To   any
}

// Field names what moves.
func (m Move) Field() string {
	if m.Kind == KindVersion {
		return string(KindVersion)
	}
	return m.Path.String()
}

// Note is something that differs and does not move, and why. It holds no value.
type Note struct {
	Field string
	Text  string
}

// Running is what was deployed in the source.
type Running struct {
	Environment string
	Version     string         // of the chart
	Values      map[string]any // what the user gave
	Images      []Image
}

// Declared is what the files of the target say.
type Declared struct {
	Environment string
	Version     string         // of the chart that they lead to
	User        map[string]any // values of the user
	Final       map[string]any // the chart's defaults below them
	// Secret reports whether a value comes from something encrypted, here or in
	// the source; nil: none does.
	Secret func(path origin.Path, v any) bool
}

// Moves compares what runs with what the files of the target say.
func Moves(from Running, to Declared, rules spec.Promotion) ([]Move, []Note, error) {
	allow, err := globs(rules.Allow)
	if err != nil {
		return nil, nil, err
	}
	deny, err := globs(rules.Deny)
	if err != nil {
		return nil, nil, err
	}
	c := &comparison{from: from, to: to, allow: allow, deny: deny}
	if from.Version != to.Version {
		c.moves = append(c.moves, Move{Kind: KindVersion, Was: to.Version, Had: to.Version != "", To: from.Version})
	}
	c.walk(entry{v: from.Values, ok: true}, entry{v: to.User, ok: true}, nil)
	c.digests()
	slices.SortStableFunc(c.moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(kindOrder(a.Kind), kindOrder(b.Kind)), cmp.Compare(a.Path.String(), b.Path.String()))
	})
	slices.SortStableFunc(c.notes, func(a, b Note) int { return cmp.Compare(a.Field, b.Field) })
	return c.moves, c.notes, nil
}

func kindOrder(k Kind) int {
	switch k {
	case KindVersion:
		return 0
	case KindImage:
		return 1
	case KindValue:
		return 2
	default:
		return 3
	}
}

// comparison is one release.
type comparison struct {
	from  Running
	to    Declared
	allow []glob
	deny  []glob
	moves []Move
	notes []Note
}

// entry is a value that may not be there.
type entry struct {
	v  any
	ok bool
}

// walk goes through both trees at once, down to single values.
func (c *comparison) walk(f, t entry, path origin.Path) {
	fm, fIsMap := f.v.(map[string]any)
	tm, tIsMap := t.v.(map[string]any)
	if (fIsMap || !f.ok) && (tIsMap || !t.ok) && (len(fm) > 0 || len(tm) > 0) {
		keys := slices.Sorted(maps.Keys(fm))
		for key := range tm {
			if _, both := fm[key]; !both {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			fv, fok := fm[key]
			tv, tok := tm[key]
			c.walk(entry{fv, fok}, entry{tv, tok}, path.With(origin.Key(key)))
		}
		return
	}
	fl, fIsList := f.v.([]any)
	tl, tIsList := t.v.([]any)
	if fIsList && tIsList && sameNames(fl, tl) {
		for i := range fl {
			c.walk(entry{fl[i], true}, entry{tl[i], true}, path.With(origin.Index(i)))
		}
		return
	}
	c.leaf(f, t, path)
}

// sameNames reports whether two lists have the same elements in the same order,
// as far as their names tell.
func sameNames(a, b []any) bool {
	return slices.EqualFunc(a, b, func(x, y any) bool {
		mx, _ := x.(map[string]any)
		my, _ := y.(map[string]any)
		return (mx == nil) == (my == nil) && mx["name"] == my["name"]
	})
}

// leaf decides about one value.
func (c *comparison) leaf(f, t entry, path origin.Path) {
	if f.ok == t.ok && origin.Equal(f.v, t.v) {
		return
	}
	kind := KindValue
	if c.image(path, f, t) {
		kind = KindImage
	}
	field := path.String()
	allowed := matches(c.allow, path)
	switch {
	case kind == KindValue && !allowed:
		return
	case matches(c.deny, path):
		if kind == KindImage { // of other values nobody expects it
			c.note(field, "promotion.deny keeps it")
		}
		return
	case c.to.Secret != nil && (c.to.Secret(path, f.v) || c.to.Secret(path, t.v)):
		c.note(field, "it is a secret: those do not move")
		return
	}
	if kind == KindImage {
		c.leafImage(f, t, path, allowed)
		return
	}
	if !f.ok {
		c.note(field, fmt.Sprintf("%s sets it, and %s does not", c.to.Environment, c.from.Environment))
		return
	}
	c.moves = append(c.moves, Move{Kind: KindValue, Path: path, Was: t.v, Had: t.ok, To: f.v})
}

func (c *comparison) note(field, text string) {
	c.notes = append(c.notes, Note{Field: field, Text: text})
}
