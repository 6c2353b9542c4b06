package live

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Step is one step down an object: to a value of a map, or to an element of a
// list.
type Step struct {
	Key   string // of the map; of an element what tells it apart, such as name=web, empty where nothing does
	Index int    // of the element in its list as it is declared, else as it is live; -1: a value of a map
}

// Departure is a field that is not as it was stored, with all that the cluster
// tells of it.
type Departure struct {
	Field
	Steps []Step // from the object down to the field
	// Owned is the path at which the server notes who has the field, in its own
	// words: that of the field, or of the atomic value that the field is in.
	Owned string
	// Operation is how By wrote the field, Update or Apply, and Subresource by
	// which way beside the object itself, such as scale; empty: unknown, or none.
	Operation, Subresource string
}

func (d *Departure) by(o owner) {
	d.By, d.At, d.Operation, d.Subresource = o.manager, o.at, o.operation, o.subresource
}

func (d Departure) masked(opts diff.Options) Departure {
	d.Path, d.Was, d.Is = redactedPath(d.Path, opts), redacted(d.Was, opts), redacted(d.Is, opts)
	return d.unnamed(opts)
}

// Deviation is one stored object that is not in the cluster as it was stored.
type Deviation struct {
	Object state.ObjectID
	Stored map[string]any // nobody may change it
	Gone   bool
	Fields []Departure // in order of paths; none of an object that is gone
}

// Deviations are what Compare calls drift, without the texts of objects, in
// order of objects; Wanted is not looked at. What Helm adds to every object
// counts as declared. An object of which Manager still has every declared
// field is not compared at all: whoever changes a field, or removes it, takes it
// from Manager.
func Deviations(in Input, release spec.ReleaseID) []Deviation {
	var all []Deviation
	for _, id := range in.ids() {
		o := in.object(id)
		if o.stored == nil || !o.named() || in.Unseen[refOf(id, o.stored)] {
			continue
		}
		o.stored = marked(o.stored, release)
		switch {
		case o.liveAsStored == nil:
			all = append(all, Deviation{Object: id, Stored: o.stored, Gone: true})
			continue
		case o.settled && o.held():
			continue
		}
		fields, _ := o.project(o.liveAsStored, nil, o.stored)
		if len(fields) == 0 {
			continue
		}
		all = append(all, Deviation{Object: id, Stored: o.stored, Fields: o.show(fields, in.Diff)})
	}
	return all
}

// marked is a stored object with what Helm adds to it, but for the namespace, by
// which it is found.
func marked(stored map[string]any, release spec.ReleaseID) map[string]any {
	return owned(stored, state.Ref{}, release)
}

// Confirmed is a deviation without the fields that the server would make the same
// of what is stored: answer is what it says to a Proposal of Restoring. Nothing
// is left where that is all.
func (in Input) Confirmed(d Deviation, release spec.ReleaseID, answer map[string]any) (Deviation, bool) {
	o := in.object(d.Object)
	if d.Gone || o.stored == nil || o.liveAsStored == nil {
		return d, true
	}
	o.stored = marked(o.stored, release)
	is, _ := o.project(o.liveAsStored, nil, o.stored)
	o.settled = false
	would, _ := o.project(answer, nil, o.stored)
	made := map[[2]string]bool{}
	for _, f := range would {
		made[[2]string{f.Path, f.Is}] = true
	}
	is = slices.DeleteFunc(is, func(f Departure) bool { return made[[2]string{f.Path, f.Is}] })
	if d.Fields = o.show(is, in.Diff); len(is) == 0 {
		return Deviation{}, false
	}
	return d, true
}

// Restoring asks what the server would make of an object if what is stored were
// applied over all that others have.
func (in Input) Restoring(d Deviation, release spec.ReleaseID) state.Proposal {
	ref := refOf(d.Object, d.Stored)
	return state.Proposal{Ref: ref, Object: owned(d.Stored, ref, release), Live: in.Objects[ref], Method: state.ApplyServerSide, Force: true}
}

// PutBack is the change from the live object of a deviation to what was deployed,
// but for the fields, by their paths, that are to stay as they are.
func (in Input) PutBack(d Deviation, spare map[string]bool) (diff.Change, error) {
	o := in.object(d.Object)
	o.spare = spare
	var before map[string]any
	if !d.Gone {
		_, before = o.project(o.liveAsStored, nil, d.Stored)
	}
	change, _, err := diff.Between(d.Object, before, d.Stored, o.hidingNamed(o.hiding(in.Diff), d.Stored))
	return change, err
}

// show masks the secrets in departures.
func (o object) show(fields []Departure, opts diff.Options) []Departure {
	opts = o.hiding(opts)
	shown := make([]Departure, len(fields))
	for i, f := range fields {
		shown[i] = f.masked(opts)
	}
	return shown
}

// Additions are the fields of stored objects that somebody set and nobody
// declared, in order of objects and paths. What the server defaults belongs to
// nobody, and what its admission adds belongs to Manager.
func Additions(in Input, release spec.ReleaseID) []Deviation {
	var all []Deviation
	for _, id := range in.ids() {
		o := in.object(id)
		if o.stored == nil || o.liveAsStored == nil || !o.named() {
			continue
		}
		o.stored = marked(o.stored, release)
		if fields := o.additions(); len(fields) > 0 {
			all = append(all, Deviation{Object: id, Stored: o.stored, Fields: o.show(fields, in.Diff)})
		}
	}
	return all
}

func (o object) additions() []Departure {
	if o.id.Kind == "Secret" && o.id.Group == "" {
		_, o.stored = inFormOf(nil, map[string]any{"data": merged(o.stored, "data", "stringData")}, o.stored)
	}
	found := map[string]Departure{}
	who := &owners{live: o.liveAsStored}
	for _, e := range who.all() {
		if e.manager == Manager {
			continue
		}
		for path := range e.fields.Leaves().All() {
			d, ok := o.addition(path)
			if !ok {
				continue
			}
			d.by(e)
			if other, twice := found[d.Path]; !twice || other.At.Before(d.At) {
				found[d.Path] = d
			}
		}
	}
	all := make([]Departure, 0, len(found))
	for _, d := range found {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Departure) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// addition follows a path to what is not declared: the field, or the element of
// a list that it is in. It says no where something is declared, or nothing live.
func (o object) addition(path fieldpath.Path) (Departure, bool) {
	at := place{typ: o.typeOf(o.stored), secret: o.id.Kind == "Secret" && o.id.Group == ""}
	var live, stored any = o.liveAsStored, o.stored
	for i, step := range path {
		switch {
		case step.FieldName != nil:
			if at.serverOwned(*step.FieldName) {
				return Departure{}, false
			}
			at = at.field(*step.FieldName)
			live, stored = valueAt(live, *step.FieldName), valueAt(stored, *step.FieldName)
		default:
			e, ok := find(live, step)
			if !ok {
				return Departure{}, false
			}
			at = at.element(e)
			live = e.value
			e, _ = find(stored, step)
			stored = e.value
		}
		if live == nil {
			return Departure{}, false
		}
		if last := i == len(path)-1; stored == nil && (last || step.FieldName == nil) {
			return Departure{Field: Field{Path: at.name, Is: shown(at, live)}, Steps: at.steps, Owned: at.path.String()}, true
		}
	}
	return Departure{}, false
}

// merged are the entries of several fields.
func merged(o map[string]any, fields ...string) map[string]any {
	all := map[string]any{}
	for _, field := range fields {
		maps.Copy(all, entries(o, field))
	}
	return all
}

func valueAt(v any, key string) any {
	m, _ := v.(map[string]any)
	return m[key]
}

// find gives the element of a list that a path element means.
func find(v any, step fieldpath.PathElement) (element, bool) {
	list, _ := v.([]any)
	for i, one := range list {
		switch {
		case step.Value != nil:
			if text(one) == text((*step.Value).Unstructured()) {
				return element{name: "=" + text(one), index: i, at: step, value: one}, true
			}
		case step.Index != nil:
			if *step.Index == i {
				return element{index: i, at: step, value: one}, true
			}
		case step.Key != nil:
			if name, ok := hasKeys(one, *step.Key); ok {
				return element{name: name, index: i, at: step, value: one}, true
			}
		}
	}
	return element{}, false
}

// hasKeys reports whether an element has the keys; one that it leaves out has
// its default.
func hasKeys(v any, keys value.FieldList) (name string, ok bool) {
	o, ok := v.(map[string]any)
	if !ok {
		return "", false
	}
	var parts []string
	present := false
	for _, key := range keys {
		want := text(key.Value.Unstructured())
		if is, declared := o[key.Name]; declared {
			present = true
			if text(is) != want {
				return "", false
			}
		}
		parts = append(parts, key.Name+"="+want)
	}
	return strings.Join(parts, ","), present
}
