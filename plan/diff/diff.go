// Package diff compares two revisions object by object and makes the result
// readable. Secret data is masked here, where it enters a diff, so that nothing
// after this package ever holds it.
package diff

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// Op is what happens to one object.
type Op string

// The operations on an object. A move is two changes that are shown as one: an
// Item has it, a Change of Revisions never.
const (
	OpAdd    Op = "add"
	OpRemove Op = "remove"
	OpChange Op = "change"
	OpMove   Op = "move"
)

// Change is one object that differs between two revisions. Before and After
// are canonical YAML (sorted keys, secrets masked); one is empty when the
// object is added or removed.
type Change struct {
	Object state.ObjectID
	Op     Op
	Hook   bool // the object is a chart hook, so it is run and not kept
	Before string
	After  string
}

// Options select what a diff shows. The zero value masks secrets and compares
// hooks too.
type Options struct {
	ShowSecrets bool
	NoHooks     bool
	Namespace   string // of the release: fills in for objects that name none

	// ClusterScoped are kinds that have no namespace, beside those of Kubernetes
	// itself and those that a revision defines.
	ClusterScoped map[schema.GroupKind]bool

	// Redact replaces the secrets of this run in a text by spec.Masked, in
	// objects of all kinds. ShowSecrets switches it off. Nil: it knows none.
	Redact func(text string) string
	// Types gives the schema of a kind, the zero Type where none is known. Where
	// it says that the order of a list is noise, an object that differs in that
	// alone has not changed, and so is no reason to upgrade a release. Nil: the
	// order of every list counts.
	Types func(schema.GroupVersionKind) openapi.Type
}

// Revisions lists the objects that differ between two revisions, ordered by
// object; nil stands for a release that is not there. Documents that are equal
// byte for byte are never parsed, and two documents that parse to the same
// value are no change.
func Revisions(before, after *state.Revision, opts Options) ([]Change, error) {
	if Same(before, after) {
		return nil, nil
	}
	opts.ClusterScoped = clusterScoped(opts.ClusterScoped, before, after)
	objects, err := compare(streams(before), streams(after), opts)
	if err != nil || opts.NoHooks {
		return objects, err
	}
	hooks, err := compare(hookTexts(before), hookTexts(after), opts)
	if err != nil {
		return nil, err
	}
	for i := range hooks {
		hooks[i].Hook = true
	}
	return append(objects, hooks...), nil
}

// Same reports whether both revisions hold the same bytes of objects and hooks.
func Same(before, after *state.Revision) bool {
	if before == nil || after == nil {
		return before == after
	}
	if !bytes.Equal(bytes.TrimSpace(before.Stream), bytes.TrimSpace(after.Stream)) {
		return false
	}
	return slices.EqualFunc(before.Hooks, after.Hooks, func(a, b state.Hook) bool {
		return a.Path == b.Path && a.Manifest == b.Manifest
	})
}

func streams(r *state.Revision) []string {
	if r == nil {
		return nil
	}
	return Documents(r.Stream)
}

func hookTexts(r *state.Revision) []string {
	if r == nil {
		return nil
	}
	var texts []string
	for _, h := range r.Hooks {
		texts = append(texts, Documents([]byte(h.Manifest))...)
	}
	return texts
}

func compare(before, after []string, opts Options) ([]Change, error) {
	old, wanted, err := differing(before, after, opts)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for id, o := range old {
		c := Change{Object: id, Op: OpRemove}
		w, both := wanted[id]
		if both {
			c.Op = OpChange
		}
		if c.Before, c.After, err = texts(o, w, opts); err != nil {
			return nil, fmt.Errorf("comparing %s: %w", id, err)
		}
		if c.Before != c.After {
			changes = append(changes, c)
		}
	}
	for id, w := range wanted {
		if _, both := old[id]; both {
			continue
		}
		c := Change{Object: id, Op: OpAdd}
		if _, c.After, err = texts(nil, w, opts); err != nil {
			return nil, fmt.Errorf("comparing %s: %w", id, err)
		}
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b Change) int { return a.Object.Compare(b.Object) })
	return changes, nil
}

// differing gives the objects of both sides that may differ, by id. Documents
// that both sides hold with the same text are left out, and seldom parsed: only
// where they may be another version of an object that is left, because one that
// is listed twice is what its last document says.
func differing(before, after []string, opts Options) (old, wanted map[state.ObjectID]object, err error) {
	onlyBefore, onlyAfter := withoutCommon(before, after)
	if old, wanted, err = indexBoth(onlyBefore, onlyAfter, opts); err != nil {
		return nil, nil, err
	}
	if anyUnnamed(old) || anyUnnamed(wanted) {
		return indexBoth(before, after, opts) // their numbers depend on all of them
	}
	ids := slices.AppendSeq(slices.Collect(maps.Keys(old)), maps.Keys(wanted))
	wholeBefore, wholeAfter := mentioning(before, ids), mentioning(after, ids)
	if len(wholeBefore) == len(onlyBefore) && len(wholeAfter) == len(onlyAfter) {
		return old, wanted, nil
	}
	lastBefore, lastAfter, err := indexBoth(wholeBefore, wholeAfter, opts)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		if o, ok := lastBefore[id]; ok {
			old[id] = o
		}
		if o, ok := lastAfter[id]; ok {
			wanted[id] = o
		}
	}
	return old, wanted, nil
}

func indexBoth(before, after []string, opts Options) (old, wanted map[state.ObjectID]object, err error) {
	stored, err := index(before, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the stored manifest: %w", err)
	}
	rendered, err := index(after, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the rendered manifest: %w", err)
	}
	old, wanted = numbered(stored, rendered)
	return old, wanted, nil
}

func anyUnnamed(objects map[state.ObjectID]object) bool {
	for _, o := range objects {
		if !Named(o) {
			return true
		}
	}
	return false
}

// mentioning keeps the documents that may hold one of the objects.
func mentioning(docs []string, ids []state.ObjectID) []string {
	var kept []string
	for _, d := range docs {
		if slices.ContainsFunc(ids, func(id state.ObjectID) bool { return strings.Contains(d, id.Name) && strings.Contains(d, id.Kind) }) {
			kept = append(kept, d)
		}
	}
	return kept
}

// withoutCommon drops the documents that both lists hold with the same text.
func withoutCommon(a, b []string) (onlyA, onlyB []string) {
	count := make(map[string]int, len(a))
	for _, d := range a {
		count[d]++
	}
	for _, d := range b {
		if count[d] > 0 {
			count[d]--
			continue
		}
		onlyB = append(onlyB, d)
	}
	for _, d := range a {
		if count[d] > 0 {
			count[d]--
			onlyA = append(onlyA, d)
		}
	}
	return onlyA, onlyB
}
