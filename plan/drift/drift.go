// Package drift says what in a cluster is not any more what was deployed, and
// who changed it. It is pure: whoever calls it has looked at the cluster.
//
// # Decisions
//
// What was deployed is the newest revision that Helm's records call deployed.
// What the state files want now plays no part: a chart or value that has changed
// since is a change, and no drift.
//
// Of a release whose newest operation failed, is under way or was cut off nobody
// can say what should be there, so that this is all that is found of it.
//
// A revision counts as made outside of flotilla where another program wrote its
// record, and flotilla wrote an earlier one of the same release, or its mark of
// the owner is on it. What flotilla never wrote is only noted.
package drift

import (
	"cmp"
	"slices"
	"time"

	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Kind is what sort of finding it is.
type Kind string

// The kinds of findings. The first four are of an object, the others of a
// release.
const (
	KindChanged Kind = "changed" // a field has another value
	KindRemoved Kind = "removed" // a field is not there any more
	KindMissing Kind = "missing" // an object is not there any more
	KindAdded   Kind = "added"   // a field that nobody declared; only where it is asked for

	KindAbsent     Kind = "not installed"         // a release that is declared has no record
	KindFailed     Kind = "failed"                // the newest operation failed
	KindPending    Kind = "pending"               // an operation is under way, or was cut off
	KindOutside    Kind = "made outside flotilla" // the newest revision
	KindUndeclared Kind = "not declared any more" // a release of this owner
)

// Finding is one thing that is not as it was deployed.
type Finding struct {
	Kind     Kind
	Release  spec.ReleaseID
	Revision int            // the newest one; zero: there is none
	Object   state.ObjectID // the zero value where it is of the release
	Field    string         // such as .spec.replicas; empty where it is of a whole object
	Declared string         // as it was deployed, in JSON; empty: nothing; secrets are masked
	Live     string         // as it is, likewise

	// Manager wrote it, with Operation (Update or Apply), by Subresource (such as
	// scale) where it was one, at Time. Empty and zero: nobody knows, as of what is
	// gone. Of a release these are the program that wrote the record, and when.
	Manager     string
	Operation   string
	Subresource string
	Time        time.Time

	Text string // of a release: what happened, in one sentence

	owned string // live.Departure.Owned
	steps []live.Step
}

// OfObject reports whether the finding is of an object, and not of a release.
func (f Finding) OfObject() bool {
	switch f.Kind {
	case KindChanged, KindRemoved, KindMissing, KindAdded:
		return true
	case KindAbsent, KindFailed, KindPending, KindOutside, KindUndeclared:
		return false
	default:
		return false
	}
}

// Compare orders findings by release, those of the release itself first, then by
// object and field.
func (f Finding) Compare(other Finding) int {
	return cmp.Or(f.Release.Compare(other.Release), f.Object.Compare(other.Object), cmp.Compare(f.Field, other.Field), cmp.Compare(f.Kind, other.Kind))
}

// Ignored is a finding that does not count, and why.
type Ignored struct {
	Finding
	Because string
	Rule    *spec.DriftIgnore // of the state file; nil: a rule of flotilla itself
}

// Note is something about the look itself that whoever reads it should know, and
// that changes no verdict.
type Note struct {
	Release spec.ReleaseID // the zero value: none in particular
	Text    string
}

// Unseen is something that could not be looked at, so that nobody can say that
// there is no drift.
type Unseen struct {
	Release spec.ReleaseID   // the zero value: see Context
	Context string           // of a whole cluster; empty: see Release
	Objects []state.ObjectID // empty: all of the release, or cluster
	Err     error
}

// Report is how the releases of an environment compare with what was deployed.
type Report struct {
	Releases []spec.ReleaseID // that were looked at, sorted
	Objects  int              // that they have
	Findings []Finding        // sorted
	Ignored  []Ignored        // sorted
	Unseen   []Unseen
	Notes    []Note
}

// Drifted reports whether there is a finding.
func (r Report) Drifted() bool { return len(r.Findings) > 0 }

// Of gives the findings of a release.
func (r Report) Of(id spec.ReleaseID) []Finding {
	var all []Finding
	for _, f := range r.Findings {
		if f.Release == id {
			all = append(all, f)
		}
	}
	return all
}

// Fixable reports whether putting back what was deployed would take the finding
// away.
func (f Finding) Fixable() bool {
	return f.Kind == KindChanged || f.Kind == KindRemoved || f.Kind == KindMissing
}

// DriftedOf names the objects and fields of findings that putting back what was
// deployed would take away.
func DriftedOf(found []Finding) state.Drifted {
	all := state.Drifted{}
	for _, f := range found {
		if !f.Fixable() {
			continue
		}
		fields := all[f.Object]
		if f.owned != "" && !slices.Contains(fields, f.owned) {
			fields = append(fields, f.owned)
		}
		all[f.Object] = fields
	}
	return all
}

func (r *Report) sort() {
	slices.SortFunc(r.Releases, spec.ReleaseID.Compare)
	slices.SortStableFunc(r.Findings, Finding.Compare)
	slices.SortStableFunc(r.Ignored, func(a, b Ignored) int { return a.Compare(b.Finding) })
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return cmp.Or(a.Release.Compare(b.Release), cmp.Compare(a.Text, b.Text)) })
}
