package executor

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// TestUndoGoesOn holds what a process undoes that follows one which was killed in
// the middle of its undo.
func TestUndoGoesOn(t *testing.T) {
	undone := func(err error) Prior { return Prior{Outcome: OutcomeUndone, Err: err} }
	done := Prior{Outcome: OutcomeDone, Left: state.Trace{Began: true, Revision: 1}}
	failed := Prior{Outcome: OutcomeFailed, Err: errBoom, Left: state.Trace{Began: true, Revision: 1}}
	tests := []struct {
		name, graph string
		tolerates   string // releases with continueOnError
		prior       map[string]Prior
		scope       plan.Scope
		outcomes    string
		code        string
	}{
		{"the failed release is undone already: the others follow", "~a\n~b: a", "",
			map[string]Prior{"a": done, "b": undone(errBoom)}, plan.ScopePlan, "a undone, b undone", "undone"},
		{"all are undone already", "~a\n~b: a", "",
			map[string]Prior{"a": undone(nil), "b": undone(errBoom)}, plan.ScopePlan, "a undone, b undone", "undone"},
		{"an interrupted run, in which nothing had failed", "~a\n~b", "",
			map[string]Prior{"a": done, "b": undone(nil)}, plan.ScopePlan, "a undone, b undone", "undone"},
		{"the group of the failed release, which is undone already", "~a@g\n~b@g\n~c", "",
			map[string]Prior{"a": done, "b": undone(errBoom), "c": done}, plan.ScopeGroup, "a undone, b undone, c done", "not all"},
		{"only the failed release, which is undone already", "~a\n~b", "",
			map[string]Prior{"a": done, "b": undone(errBoom)}, plan.ScopeRelease, "a done, b undone", "not all"},
		{"what failed may fail, and is undone already", "~a\n~b", "b",
			map[string]Prior{"a": done, "b": undone(errBoom)}, plan.ScopePlan, "a done, b undone", "not all"},
		{"what may fail is undone already, and another one had failed, too", "~a\n~b\n~c", "b",
			map[string]Prior{"a": done, "b": undone(errBoom), "c": failed}, plan.ScopePlan, "a undone, b undone, c undone", "undone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				p := build(t, f, tt.graph)
				prior := map[spec.ReleaseID]Prior{}
				for i := range p.Steps {
					r := &p.Steps[i].Release
					r.Options.ContinueOnError = strings.Contains(tt.tolerates, r.ID.Name)
					prior[r.ID] = tt.prior[r.ID.Name]
					f.made[r.ID.Name] = tt.prior[r.ID.Name].Left.Revision
				}
				report := Undo(t.Context(), p, workers(f), Options{Scope: tt.scope, Prior: prior})
				if got := outcomes(report); got != tt.outcomes {
					t.Errorf("got %s, want %s", got, tt.outcomes)
				}
				if report.FullyUndone() != (tt.code == "undone") {
					t.Errorf("fully undone: %v, want the run %s", report.FullyUndone(), tt.code)
				}
			})
		})
	}
}
