package executor

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// named gives the IDs of releases.
func named(names string) []spec.ReleaseID {
	var all []spec.ReleaseID
	for _, name := range strings.Fields(names) {
		all = append(all, spec.ReleaseID{Name: name})
	}
	return all
}

// mayFail gives those releases continueOnError whose names have a question mark in
// the text of the graph.
func mayFail(p *plan.Plan, graph string) {
	for i := range p.Steps {
		p.Steps[i].Release.Options.ContinueOnError = strings.Contains(graph, p.Steps[i].Release.ID.Name+"?")
	}
}

func TestAnUndoGoesOnAsFarAsItWasDecided(t *testing.T) {
	tests := []struct {
		name          string
		graph, prior  string
		group         string // whose gate is what failed
		opts          Options
		outcomes, log string
	}{
		{"only what may fail did, and nobody decided", "+a?\n~b", "a failed, b done", "", Options{},
			"a undone, b done", "uninstall a, forget a"},
		{"only what may fail did, and the run was interrupted", "+a?\n~b", "a failed, b done", "", Options{Verdict: &Verdict{Undo: named("a b")}},
			"a undone, b undone", "rollback b, uninstall a, forget a"},
		{"and somebody wants everything back", "+a?\n~b", "a failed, b done", "", Options{Asked: true, Verdict: &Verdict{Undo: named("a"), Tolerated: true}},
			"a undone, b undone", "rollback b, uninstall a, forget a"},
		{"the rest of the run counts", "+a?\n-b", "a failed, b done", "", Options{Verdict: &Verdict{Undo: named("a"), Tolerated: true}},
			"a undone, b done", "uninstall a, forget a, forget b"},
		{"the rest of the run might count, and nobody decided", "+a?\n-b", "a failed, b done", "", Options{},
			"a undone, b done", "uninstall a, forget a"},
		{"what was put back before", "~a\n~b", "a undone, b failed", "", Options{Verdict: &Verdict{Undo: named("a b")}},
			"a undone, b undone", "rollback b"},
		{"the gate of a group failed at one member", "~a@g\n~b@g\n~c", "a done, b failed, c done", "g", Options{Scope: plan.ScopeRelease},
			"a undone, b undone, c done", "rollback b, rollback a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, p, prior := goneOn(t, strings.ReplaceAll(tt.graph, "?", ""), tt.prior)
				mayFail(p, tt.graph)
				for id, one := range prior {
					if one.Outcome == OutcomeFailed && tt.group != "" {
						one.Err = &GroupError{Group: tt.group, Err: errBoom}
						prior[id] = one
					}
				}
				tt.opts.Concurrency, tt.opts.Prior = 1, prior
				f.came(t, Undo(t.Context(), p, workers(f), tt.opts), tt.outcomes, tt.log)
			})
		})
	}
}

// TestWhatWasLostBeforeIsTold: what a process before put back is gone, with all that
// told of its hooks.
func TestWhatWasLostBeforeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := state.Hook{Name: "migrate", Kind: "Job", Events: []state.HookEvent{state.HookPreUpgrade}}
		f, p, prior := goneOn(t, "~a\n~b", "a done, b done")
		for i := range p.Steps {
			p.Steps[i].After.Hooks = []state.Hook{hook}
		}
		record := &notes{fleet: f}
		Undo(t.Context(), p, workers(f), Options{Asked: true, Prior: prior, Record: record})
		if len(record.how.Lost) != 2 {
			t.Fatalf("the record knows of %v, want the hooks of both", record.how.Lost)
		}
		f, p, prior = goneOn(t, "~a\n~b", "a undone, b done")
		p.Steps[1].After.Hooks = []state.Hook{hook}
		r := Undo(t.Context(), p, workers(f), Options{Asked: true, Prior: prior, Verdict: &record.how})
		if len(r.Lost) != 2 {
			t.Errorf("lost: %v, want the hooks of both", r.Lost)
		}
	})
}

func TestTheRecordKnowsHowFarARunIsUndone(t *testing.T) {
	tests := []struct {
		name, graph string
		opts        Options
		want        Verdict
	}{
		{"wholly", "~a\n~b\n~c: b", Options{}, Verdict{Undo: named("a b")}},
		{"what may fail", "~a\n~b?\n~c: b", Options{}, Verdict{Undo: named("b"), Tolerated: true}},
		{"wholly, because the time of the run was over as well", "~a\n~b?\n~c", Options{Timeout: time.Minute}, Verdict{Undo: named("a b c")}},
		{"what failed", "~a\n~b", Options{Scope: plan.ScopeRelease}, Verdict{Undo: named("b")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				f.fail["upgrade b"], f.cost["b"], f.cost["c"] = true, time.Second, time.Hour
				p := build(t, f, strings.ReplaceAll(tt.graph, "?", ""))
				mayFail(p, tt.graph)
				record := &notes{fleet: f}
				tt.opts.Record = record
				Run(t.Context(), p, workers(f), tt.opts)
				if d := cmp.Diff(tt.want, record.how); d != "" {
					t.Errorf("the verdict (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestARunThatIsDecidedOnlyDropsHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, prior := goneOn(t, "+a\n+b: a\n-d\n-z", "a undone, z done")
		mayFail(p, "a?")
		one := prior[spec.ReleaseID{Name: "a"}]
		one.Err = errBoom
		prior[spec.ReleaseID{Name: "a"}] = one
		r := Commit(t.Context(), p, workers(f), Options{Prior: prior})
		f.came(t, r, "a undone, b skipped, d skipped, z done", "forget z")
		if !r.Tolerated {
			t.Error("the report does not say that the rest of the run counts")
		}
	})
}
