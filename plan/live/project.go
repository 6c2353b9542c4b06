package live

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// place is where a walk down an object is.
type place struct {
	typ   openapi.Type
	name  string         // as people write it
	path  fieldpath.Path // as managers of fields are noted; inside of an atomic value its own
	steps []Step         // from the object itself
	// atomic: inside of a list or map that is applied as a whole, so that what
	// nobody declared counts, too.
	atomic bool
	secret bool // inside of a Secret
	exact  bool // inside of its data, of which the server keeps every byte
	pods   bool // inside of a pod's spec, or of a template of pods
}

func (p place) field(key string) place {
	child := p
	child.typ = p.typ.Field(key)
	child.name = p.name + "." + key
	child.exact = p.exact || p.secret && p.name == "" && (key == "data" || key == "stringData")
	if !p.atomic {
		noted := key
		if child.exact && key == "stringData" && p.name == "" {
			noted = "data" // what others write of it is there
		}
		child.path = append(slices.Clone(p.path), fieldpath.FieldNameElement(noted))
	}
	child.steps = append(slices.Clone(p.steps), Step{Key: key, Index: -1})
	if !isPlainKey(key) {
		child.name = p.name + "[" + strconv.Quote(key) + "]"
	}
	return child
}

// isPlainKey says whether a key can follow a point without being misread.
func isPlainKey(key string) bool {
	for _, r := range key {
		if r == '.' || r == '/' || r == '[' || r == ' ' {
			return false
		}
	}
	return key != ""
}

// free reports a map whose keys are free, such as labels, and that is not one
// value.
func (p place) free() bool {
	return !p.atomic && !p.typ.Atomic() && p.typ.List() == openapi.ListNone && p.typ.Elem().Known()
}

func (p place) index(i int) place {
	child := p
	child.typ, child.atomic = p.typ.Elem(), true
	child.name = p.name + "[" + strconv.Itoa(i) + "]"
	child.steps = append(slices.Clone(p.steps), Step{Index: i})
	return child
}

func (p place) element(e element) place {
	child := p
	child.typ = p.typ.Elem()
	child.name = p.name + "[" + e.name + "]"
	if !p.atomic {
		child.path = append(slices.Clone(p.path), e.at)
	}
	child.steps = append(slices.Clone(p.steps), Step{Key: e.name, Index: e.index})
	return child
}

// pair is what is declared of one value: nil is nothing, as null is.
type pair struct{ wanted, stored any }

// form is the declared value that counts: the wanted one, else the stored one.
func (d pair) form() any {
	if d.wanted != nil {
		return d.wanted
	}
	return d.stored
}

// walk projects one live object on what is declared.
type walk struct {
	owners  *owners
	settled bool
	fields  []Departure     // of stored values, those that differ; of use where nothing is wanted
	spare   map[string]bool // paths whose stored values stand for the live ones
}

// value gives the live value in the fields that are declared, in declared form
// where that means the same; nil where there is none.
func (w *walk) value(at place, live any, d pair) any {
	if live == nil {
		return w.missing(at, d)
	}
	switch declared := d.form().(type) {
	case map[string]any:
		if live, ok := live.(map[string]any); ok {
			at.atomic = at.atomic || at.typ.Atomic()
			at.pods = at.pods || diff.OfPods(at.name[strings.LastIndexByte(at.name, '.')+1:], live)
			return w.object(at, live, d)
		}
	case []any:
		if live, ok := live.([]any); ok {
			return w.list(at, live, declared, d)
		}
	}
	return w.leaf(at, live, d)
}

// leaf compares values that have no parts of their own.
func (w *walk) leaf(at place, live any, d pair) any {
	if d.wanted != nil && same(at, live, d.wanted) {
		return d.wanted
	}
	if d.stored != nil && (same(at, live, d.stored) || w.untouched(at)) {
		if d.wanted != nil && same(at, d.stored, d.wanted) {
			return d.wanted
		}
		return d.stored
	}
	if w.note(at, d.stored, live) {
		return d.stored
	}
	return live
}

// missing compares with a value that is not there.
func (w *walk) missing(at place, d pair) any {
	if d.wanted != nil && empty(d.wanted) {
		return d.wanted
	}
	if entries, ok := d.stored.(map[string]any); ok && d.wanted == nil && at.free() && !empty(entries) {
		return w.missingEntries(at, entries)
	}
	if d.stored != nil && (empty(d.stored) || w.dropped(at)) {
		if d.wanted == nil || same(at, d.stored, d.wanted) {
			return d.form()
		}
		return d.stored
	}
	if w.note(at, d.stored, nil) {
		return d.stored
	}
	return nil
}

// missingEntries compares the entries of a map that is not there, each for itself.
func (w *walk) missingEntries(at place, stored map[string]any) any {
	out := map[string]any{}
	for _, key := range keysOf(stored, nil) {
		if v := w.missing(at.field(key), pair{stored: stored[key]}); v != nil {
			out[key] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// object gives the declared fields of a map. Of a map that is applied as a whole
// and has free keys, such as a nodeSelector, it gives all.
func (w *walk) object(at place, live map[string]any, d pair) any {
	wanted, _ := d.wanted.(map[string]any)
	stored, _ := d.stored.(map[string]any)
	out := make(map[string]any, len(live))
	for _, key := range keysOf(wanted, stored) {
		here := pair{wanted: wanted[key], stored: stored[key]}
		if here.form() == nil || at.serverOwned(key) {
			if v, ok := wanted[key]; ok {
				out[key] = v // shown on both sides alike
			}
			continue
		}
		if v := w.value(at.field(key), live[key], here); v != nil {
			out[key] = v
		}
	}
	if at.atomic && at.typ.Elem().Known() && !w.untouched(at) {
		for key, v := range live {
			if _, declared := out[key]; !declared && wanted[key] == nil && stored[key] == nil {
				if !w.note(at.field(key), nil, v) {
					out[key] = v
				}
			}
		}
	}
	return out
}

func keysOf(wanted, stored map[string]any) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(wanted)), maps.Keys(stored))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// serverOwned are fields that only the server writes, whatever is declared.
func (p place) serverOwned(key string) bool {
	switch p.name {
	case "":
		return key == "status"
	case ".metadata":
		switch key {
		case "creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid":
			return true
		}
	}
	return false
}

// note keeps a stored value that differs; spared: it stands for the live one.
func (w *walk) note(at place, was, is any) (spared bool) {
	if was == nil && is == nil {
		return false
	}
	d := Departure{Field: Field{Path: at.name, Was: shown(at, was), Is: shown(at, is)}, Steps: at.steps, Owned: at.path.String()}
	if is != nil {
		d.by(w.owners.last(at.path))
	}
	w.fields = append(w.fields, d)
	return w.spare[at.name]
}

// untouched says that a value which differs from the stored one is what the
// server made of that: nobody else has set it since.
func (w *walk) untouched(at place) bool {
	return w.settled && !at.exact && w.owners.known() && !w.owners.foreign(at.path)
}

// dropped says that the server has not kept the stored value: it is still noted
// as applied, which nobody can remove and leave so.
func (w *walk) dropped(at place) bool {
	return w.settled && !at.exact && w.owners.applied(at.path)
}
