package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Renewal is a release that was planned anew because it had moved, beside what
// was reviewed.
type Renewal struct {
	Moved    string // how it is not any more what was reviewed
	Reviewed Step   // of the saved plan
	New      Step
	// Content are the objects and hooks that would be other ones than reviewed:
	// Before is what was reviewed, After what would be there now.
	Content []diff.Change
	// Effect is what applying would change now and was not among the changes that
	// were reviewed.
	Effect []diff.Change
	// Other is what else is not as reviewed, such as the chart, in words.
	Other []string
}

// Release is the one that was planned anew.
func (r Renewal) Release() spec.ReleaseID { return r.New.Release.ID }

// AsReviewed reports whether applying does nothing that was not reviewed: the
// same bytes with the same effect, or nothing at all because they are there.
func (r Renewal) AsReviewed() bool {
	return len(r.Content) == 0 && len(r.Effect) == 0 && len(r.Other) == 0
}

// Renewals is what became of a saved plan of which releases were planned anew.
type Renewals struct {
	Releases []Renewal  // in the order of the plan
	Files    []FileMove // of those that the plan was made of
}

// AsReviewed reports whether that is so for every release.
func (r Renewals) AsReviewed() bool {
	return !slices.ContainsFunc(r.Releases, func(one Renewal) bool { return !one.AsReviewed() })
}

// FileMove is a file that is not any more what a plan was made of.
type FileMove struct {
	Path string // as it was read this time, or that time if it is not read any more
	Move Move
}

// Move is what became of a file.
type Move string

// The moves.
const (
	FileChanged Move = "changed"
	FileNew     Move = "new"
	FileGone    Move = "gone"
)

// Compared fills in how a new step differs from the reviewed one. opts is for
// showing objects; of the options of the release it sees to itself.
func (r Renewal) Compared(opts diff.Options) (Renewal, error) {
	reviewed, now := r.Reviewed, trimmed(r.New)
	now.After = r.New.After // trimmed leaves a step that writes nothing without
	opts.Namespace = now.Release.ID.Namespace
	var err error
	if reviewed.After != nil && now.After != nil {
		if r.Content, err = diff.Revisions(reviewed.After, now.After, opts); err != nil {
			return Renewal{}, fmt.Errorf("comparing %s with what was reviewed: %w", r.Release(), err)
		}
	}
	r.Effect = notIn(slices.Concat(r.New.Changes, r.New.drifted()), slices.Concat(reviewed.Changes, reviewed.drifted()))
	if reviewed.Action != now.Action && now.Action.Writes() {
		r.Other = append(r.Other, fmt.Sprintf("%s instead of %s", now.Action, reviewed.Action))
	}
	r.Other = append(r.Other, otherContent(reviewed.After, now.After, len(r.Content) > 0)...)
	if !now.Action.Writes() {
		return r, nil
	}
	if !reflect.DeepEqual(reviewed.Release.Options, now.Release.Options) || reviewed.Release.AtomicGroup != now.Release.AtomicGroup {
		r.Other = append(r.Other, "other options")
	}
	needs := func(s Step) []spec.ReleaseID {
		var ids []spec.ReleaseID
		for _, n := range s.Release.Needs {
			ids = append(ids, n.ID)
		}
		return ids
	}
	if !slices.Equal(needs(reviewed), needs(now)) {
		r.Other = append(r.Other, "other needs")
	}
	return r, nil
}

// otherContent tells what of two revisions differs beside the objects that a
// diff shows.
func otherContent(was, is *state.Revision, shown bool) []string {
	switch {
	case was == nil && is == nil:
		return nil
	case was == nil:
		return []string{"it was to be gone, and is wanted now"}
	case is == nil:
		return []string{"it is not wanted any more"}
	}
	var out []string
	switch {
	case was.Chart == is.Chart:
	case was.Chart.Name != is.Chart.Name || was.Chart.Version != is.Chart.Version:
		out = append(out, fmt.Sprintf("chart %s-%s instead of %s-%s", is.Chart.Name, is.Chart.Version, was.Chart.Name, was.Chart.Version))
	default:
		out = append(out, fmt.Sprintf("another content of the chart %s-%s", is.Chart.Name, is.Chart.Version))
	}
	if !sameJSON(valuesJSON(was.Values), valuesJSON(is.Values)) {
		out = append(out, "other values")
	}
	if !shown && !(bytes.Equal(was.Stream, is.Stream) && sameJSON(was.Hooks, is.Hooks)) {
		out = append(out, "the same objects, written in another way")
	}
	if was.Notes != validText(is.Notes) {
		out = append(out, "other notes")
	}
	if !maps.Equal(was.Labels, is.Labels) {
		out = append(out, "other labels on the record")
	}
	if !slices.EqualFunc(was.CRDs, is.CRDs, func(a, b state.CRDFile) bool { return a.Path == b.Path && bytes.Equal(a.Data, b.Data) }) {
		out = append(out, "other files in crds/")
	}
	return out
}

// sameJSON compares what would be saved.
func sameJSON(a, b any) bool {
	one, err := json.Marshal(a)
	other, otherErr := json.Marshal(b)
	return err == nil && otherErr == nil && bytes.Equal(one, other)
}

func notIn(changes, known []diff.Change) []diff.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c diff.Change) bool {
		return slices.ContainsFunc(known, func(k diff.Change) bool { return reflect.DeepEqual(c, k) })
	})
}
