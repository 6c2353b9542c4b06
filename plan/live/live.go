// Package live compares what is declared with objects as they are in a cluster,
// in the fields that are declared and by what the schema says of them. It is
// pure; whoever calls it has read the objects.
//
// # Decisions
//
// Only declared fields are looked at: what a server defaults, a controller sets
// or somebody adds is no business of the release. What is equal by its meaning
// is equal: 1000m and 1, elements of a list that has keys in another order,
// an empty value and none, stringData and data of a Secret.
//
// Where a declared value and the live one differ still, the server's own account
// decides, which are the managers of fields: a write by anybody takes the field
// from the manager that applied the release. A field that nobody took is what
// the server, or its admission, made of what was applied, and so no difference.
// Because that account is of the last thing applied, it counts only for a
// release whose stored revision is that.
//
// The status of an object is never compared, nor is what the server alone
// writes into its metadata.
package live

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// Manager is the field manager that objects of releases are applied with, the
// one of the helm program.
const Manager = "helm"

// Declared is what a release declares, as it is stored and as it is wanted.
type Declared struct {
	Stored, Wanted diff.Manifest
}

// Declare reads the objects of two revisions, each of which may be nil.
func Declare(stored, wanted *state.Revision, opts diff.Options) (Declared, error) {
	old, want, err := diff.Read(stored, wanted, opts)
	return Declared{Stored: old, Wanted: want}, err
}

// Refs are the objects to read for a comparison, sorted; of those without a name
// the cluster cannot be asked.
func (d Declared) Refs() []state.Ref {
	var refs []state.Ref
	for _, objects := range []diff.Manifest{d.Stored, d.Wanted} {
		for id, object := range objects {
			if !diff.Named(object) {
				continue
			}
			refs = append(refs, refOf(id, object))
		}
	}
	slices.SortFunc(refs, state.Ref.Compare)
	return slices.Compact(refs)
}

func refOf(id state.ObjectID, object map[string]any) state.Ref {
	version, _ := object["apiVersion"].(string)
	return state.Ref{ObjectID: id, Version: version[strings.LastIndex(version, "/")+1:]}
}

// Input is one release to compare.
type Input struct {
	Declared
	// Objects are the live ones, as they were read; one that is not here is not in
	// the cluster. Several releases may share it.
	Objects map[state.Ref]map[string]any
	// Types gives the schema of a kind, the zero Type where none is known.
	Types func(schema.GroupVersionKind) openapi.Type
	// Settled says that the stored revision is what was applied last.
	Settled bool
	// Unseen are objects that could not be read: Deviations and Additions say
	// nothing of them. Several releases may share it.
	Unseen map[state.Ref]bool
	Diff   diff.Options
}

// Result is how a release compares.
type Result struct {
	// Changes lead from the live objects to the wanted ones. Before has, of a live
	// object, the fields that are declared now or were so far.
	Changes []diff.Change
	// Drift leads from the stored objects to the live ones.
	Drift []Drift
	// Seen is what the comparison rests on.
	Seen []Seen

	compared map[state.ObjectID]object
}

// Drift is one object that is not as it was stored.
type Drift struct {
	diff.Change         // Before is what was stored, After what is live of it
	Fields      []Field // in order of paths; none of an object that is gone
}

// Field is a declared field that differs.
type Field struct {
	Path string    // such as .spec.replicas
	Was  string    // stored, in JSON; empty: it was not there; masked in Secrets
	Is   string    // live, likewise
	By   string    // manager that set it; empty: unknown, as it is of fields that are gone
	At   time.Time // when that manager wrote the object last; zero: unknown
}

// Compare looks at every object that a release declares.
func Compare(in Input) (Result, error) {
	r := Result{compared: map[state.ObjectID]object{}}
	for _, id := range in.ids() {
		o := in.object(id)
		o.opts = o.hiding(in.Diff)
		r.compared[id] = o
		change, differs, err := diff.Between(id, o.before(), o.wanted, o.opts)
		if err != nil {
			return Result{}, err
		}
		if differs {
			r.Changes = append(r.Changes, change)
		}
		drift, drifted, err := o.drift()
		if err != nil {
			return Result{}, err
		}
		if drifted {
			r.Drift = append(r.Drift, drift)
		}
		r.Seen = append(r.Seen, o.seen())
	}
	return r, nil
}

func (in Input) ids() []state.ObjectID {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(in.Stored)), maps.Keys(in.Wanted))
	slices.SortFunc(ids, state.ObjectID.Compare)
	return slices.Compact(ids)
}

// object is one object in its three states, ready to be compared: wanted and
// stored as they are declared, either of which may be nil.
type object struct {
	id             state.ObjectID
	wanted, stored map[string]any
	live           map[string]any // in the version that is wanted, else stored; nil: it is not there
	liveAsStored   map[string]any // in the version that is stored; nil also where that is not served any more
	types          func(schema.GroupVersionKind) openapi.Type
	settled        bool
	spare          map[string]bool // see walk
	opts           diff.Options    // that know the secrets of all three states
}

func (in Input) object(id state.ObjectID) object {
	o := object{id: id, wanted: ruled(id, in.Wanted[id]), stored: ruled(id, in.Stored[id]), types: in.Types, settled: in.Settled}
	if !o.named() { // the server makes a name, so nobody knows which object it was
		o.live, o.liveAsStored = o.stored, o.stored
		return o
	}
	if o.stored != nil {
		o.liveAsStored = in.Objects[refOf(id, o.stored)]
	}
	o.live = o.liveAsStored
	if o.wanted != nil {
		o.live = in.Objects[refOf(id, o.wanted)]
	}
	return o
}

func (o object) named() bool {
	declared := o.wanted
	if declared == nil {
		declared = o.stored
	}
	return diff.Named(declared)
}

// ruled leaves out of a ClusterRole the rules that a controller aggregates: it
// writes them whatever is declared.
func ruled(id state.ObjectID, declared map[string]any) map[string]any {
	if id.Kind != "ClusterRole" || id.Group != "rbac.authorization.k8s.io" || declared["aggregationRule"] == nil {
		return declared
	}
	rest := maps.Clone(declared)
	delete(rest, "rules")
	return rest
}

// before is the live object in the fields that are, or were, declared, and in
// the form in which they are declared where that means the same. It is nil of an
// object that is not there.
func (o object) before() map[string]any {
	if o.live == nil {
		return nil
	}
	stored := o.stored
	if o.wanted != nil && stored != nil && stored["apiVersion"] != o.wanted["apiVersion"] {
		stored = nil // fields of another version are other fields
	}
	if o.wanted == nil && stored == nil {
		return nil
	}
	_, projected := o.project(o.live, o.wanted, stored)
	return projected
}

func (o object) drift() (Drift, bool, error) {
	if o.stored == nil || o.liveAsStored == nil && o.live != nil {
		return Drift{}, false, nil
	}
	var d Drift
	var projected map[string]any
	if o.liveAsStored != nil {
		var departures []Departure
		departures, projected = o.project(o.liveAsStored, nil, o.stored)
		if len(departures) == 0 {
			return Drift{}, false, nil
		}
		for _, f := range departures {
			d.Fields = append(d.Fields, f.masked(o.opts).Field)
		}
	}
	var differs bool
	var err error
	d.Change, differs, err = diff.Between(o.id, o.stored, projected, o.opts)
	return d, differs, err
}

// project gives the live object in the fields of wanted and stored, and those of
// stored that differ.
func (o object) project(live, wanted, stored map[string]any) ([]Departure, map[string]any) {
	declared := wanted
	if declared == nil {
		declared = stored
	}
	w := &walk{owners: &owners{live: live}, settled: o.settled && stored != nil, spare: o.spare}
	root := place{typ: o.typeOf(declared)}
	if o.id.Kind == "Secret" && o.id.Group == "" {
		root.secret = true
		live, stored = inFormOf(live, wanted, stored)
	}
	projected, _ := w.object(root, live, pair{wanted: orNil(wanted), stored: orNil(stored)}).(map[string]any)
	slices.SortStableFunc(w.fields, func(a, b Departure) int { return strings.Compare(a.Path, b.Path) })
	return w.fields, projected
}

// orNil keeps a nil map from becoming a value.
func orNil(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

func (o object) typeOf(declared map[string]any) openapi.Type {
	version, _ := declared["apiVersion"].(string)
	gv, err := schema.ParseGroupVersion(version)
	if err != nil || o.types == nil {
		return openapi.Type{}
	}
	return o.types(gv.WithKind(o.id.Kind))
}
