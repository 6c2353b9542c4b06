package live

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// Seen is what a comparison saw of one live object: the fields that are declared.
type Seen struct {
	Object state.ObjectID
	Exists bool
	Leaves []Leaf // in order of paths
}

// Leaf is one value without parts of its own.
type Leaf struct {
	Path  string
	Value string // JSON; of a Secret's data a digest
	By    string // manager that set it; empty: unknown
	At    time.Time
}

func (o object) seen() Seen {
	s := Seen{Object: o.id, Exists: o.live != nil}
	if before := o.before(); before != nil {
		declared := o.wanted
		if declared == nil {
			declared = o.stored
		}
		f := &flattening{owners: &owners{live: o.live}}
		f.value(place{typ: o.typeOf(declared), secret: o.id.Kind == "Secret" && o.id.Group == ""}, before)
		s.Leaves = f.leaves
		slices.SortStableFunc(s.Leaves, func(a, b Leaf) int { return strings.Compare(a.Path, b.Path) })
	}
	return s
}

type flattening struct {
	owners *owners
	leaves []Leaf
}

func (f *flattening) value(at place, v any) {
	at.atomic = at.atomic || at.typ.Atomic()
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if e != nil && !at.serverOwned(key) {
				f.value(at.field(key), e)
			}
		}
		return
	case []any:
		if f.list(at, v) {
			return
		}
	}
	leaf := Leaf{Path: at.name, Value: encoded(v)}
	if at.exact {
		sum := sha256.Sum256([]byte(leaf.Value))
		leaf.Value = "sha256:" + hex.EncodeToString(sum[:])
	}
	leaf.By, leaf.At = f.owners.last(at.path)
	f.leaves = append(f.leaves, leaf)
}

// list goes into lists whose elements have names.
func (f *flattening) list(at place, list []any) bool {
	if at.atomic || at.typ.List() != openapi.ListMap {
		return false
	}
	all, ok := keyed(at.typ, [][]any{list, nil, nil})
	if !ok {
		return false
	}
	for _, e := range all.live {
		f.value(at.element(e.name, e.at), e.value)
	}
	return true
}
