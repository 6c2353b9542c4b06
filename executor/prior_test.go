package executor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// InstallAgain makes the fleet a Resumer.
func (f *fleet) InstallAgain(ctx context.Context, r spec.Release, left state.Trace, _ *state.Revision) (state.Trace, error) {
	if f.moved(r, left) {
		return left, state.ErrStale
	}
	return f.do(ctx, "install again", r, func(n string) { f.content[n] = 1 })
}

// goneOn is a fleet in which an earlier process has done something: "a done",
// "b failed", "c cut off", "d written", "e undone".
func goneOn(t *testing.T, graph, prior string) (*fleet, *plan.Plan, map[spec.ReleaseID]Prior) {
	t.Helper()
	f := newFleet()
	p := build(t, f, graph)
	all := map[spec.ReleaseID]Prior{}
	for one := range strings.SplitSeq(prior, ", ") {
		name, word, _ := strings.Cut(one, " ")
		if name == "" {
			continue
		}
		id := spec.ReleaseID{Name: name}
		f.made[name]++
		one := Prior{Left: state.Trace{Revision: 1, Began: true, Namespace: f.creates[name]}}
		switch word {
		case "done":
			one.Outcome = OutcomeDone
		case "failed":
			one.Outcome, one.Err = OutcomeFailed, errBoom
		case "undone":
			one.Outcome = OutcomeUndone
		case "written":
			one.Written = true
		case "reinstalling":
			one.Left.Reinstalled = true
		}
		all[id] = one
	}
	return f, p, all
}

func TestARunGoesOn(t *testing.T) {
	tests := []struct {
		name         string
		graph, prior string
		fail         string
		opts         Options
		outcomes     string
		log          string
	}{
		{"after what is done", "+a\n~b: a\n+c: b", "a done", "", Options{}, "a done, b done, c done", "upgrade b, install c"},
		{"with what was cut off, on top of it", "+a\n~b: a", "a done, b cut off", "", Options{}, "a done, b done", "upgrade b"},
		{"with an install that was cut off, as an install", "+a", "a cut off", "", Options{}, "a done", "install again a"},
		{"with an upgrade that was installing anew", "~a", "a reinstalling", "", Options{}, "a done", "install again a"},
		{"with what comes after Helm's part only", "+a\n+b: a", "a written", "", Options{}, "a done, b done", "install b"},
		{"and undoes what an earlier process did, too", "+a\n~b: a\n+c: b", "a done", "upgrade b", Options{}, "a undone, b undone, c skipped", "upgrade b, rollback b, uninstall a, forget a"},
		{"and undoes what was cut off and not come to", "+a\n+b\n+c: b", "b cut off, a failed", "", Options{}, "a undone, b undone, c skipped", "uninstall a, forget a, uninstall b, forget b"},
		{"past a failed step with continueOnError", "+a?\n+b\n+c: a", "a failed", "", Options{}, "a undone, b done, c skipped", "install b, uninstall a, forget a"},
		{"past a failed step that nothing needs with --keep-going", "+a\n+b", "a failed", "", Options{KeepGoing: true, Scope: plan.ScopeNone}, "a failed, b done", "install b"},
		{"and drops the history of what an earlier process uninstalled", "-a\n~b", "a done", "", Options{}, "a done, b done", "upgrade b, forget a"},
		{"when all is done", "-a\n~b", "a done, b done", "", Options{}, "a done, b done", "forget a"},
		{"and does not need a slot for what is done", "+a\n+b\n+c", "a done, b done", "", Options{Concurrency: 1}, "a done, b done, c done", "install c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, p, prior := goneOn(t, strings.ReplaceAll(tt.graph, "?", ""), tt.prior)
				for i := range p.Steps {
					p.Steps[i].Release.Options.ContinueOnError = strings.Contains(tt.graph, p.Steps[i].Release.ID.Name+"?")
				}
				f.fail[tt.fail], f.cost["b"] = true, 2*time.Second // so that what is done at once has an order
				w := workers(f)
				w.Resume, tt.opts.Prior = f, prior
				r := Run(t.Context(), p, w, tt.opts)
				f.came(t, r, tt.outcomes, tt.log)
			})
		})
	}
}

func TestARunThatGoesOnFiresPreapplyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, prior := goneOn(t, "+a\n+b", "a done")
		h := &recordingHooks{}
		Run(t.Context(), p, Workers{Releases: f, Undo: f, Hooks: h, Resume: f}, Options{Prior: prior, Concurrency: 1})
		if got := strings.Join(h.log, ", "); got != "presync b, postsync b, cleanup a, cleanup b" {
			t.Errorf("hooks %q", got)
		}
	})
}

func TestUndoPutsBackWhatEarlierProcessesDid(t *testing.T) {
	tests := []struct {
		name         string
		graph, prior string
		opts         Options
		outcomes     string
		log          string
		undone       bool
	}{
		{"all of it when asked", "+a\n~b: a\n+d", "a done, b done", Options{Asked: true},
			"a undone, b undone, d skipped", "rollback b, uninstall a, forget a", true},
		{"what was uninstalled, as long as its history is there", "-a", "a done", Options{Asked: true}, "a undone", "rollback a", true},
		{"what was cut off, too", "+a\n~b: a", "a done, b cut off", Options{Asked: true}, "a undone, b undone", "rollback b, uninstall a, forget a", true},
		{"but not twice", "+a\n~b: a", "a done, b undone", Options{Asked: true}, "a undone, b undone", "uninstall a, forget a", true},
		{"only the failed ones with that scope", "+a\n~b: a", "a done, b failed", Options{Scope: plan.ScopeRelease}, "a done, b undone", "rollback b", false},
		{"nothing where nothing was begun", "+a\n~b", "", Options{Asked: true}, "a skipped, b skipped", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, p, prior := goneOn(t, tt.graph, tt.prior)
				tt.opts.Prior, tt.opts.Concurrency = prior, 1
				r := Undo(t.Context(), p, workers(f), tt.opts)
				f.came(t, r, tt.outcomes, tt.log)
				if r.FullyUndone() != tt.undone {
					t.Errorf("fully undone: %t", r.FullyUndone())
				}
			})
		})
	}
}

func TestUndoLeavesAloneWhatCannotBePutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, prior := goneOn(t, "+a\n~b", "a done, b done")
		prior[spec.ReleaseID{Name: "b"}] = Prior{Outcome: OutcomeUndoFailed, Err: state.ErrStale}
		r := Undo(t.Context(), p, workers(f), Options{Asked: true, Prior: prior})
		if got, want := outcomes(r), "a undone, b undo failed"; got != want {
			t.Errorf("outcomes %q, want %q", got, want)
		}
		if !errors.Is(r.Results[1].Undo, state.ErrStale) || r.FullyUndone() {
			t.Errorf("b: %v, fully undone %t", r.Results[1].Undo, r.FullyUndone())
		}
	})
}

func TestANamespaceThatACutOffRunMadeGoesWithItsLastRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, prior := goneOn(t, "+a\n+b", "a undone")
		id := spec.ReleaseID{Name: "a"}
		one := prior[id]
		one.Left.Namespace = "uid"
		prior[id] = one
		prior[spec.ReleaseID{Name: "b"}] = Prior{Left: state.Trace{Namespace: "uid"}}
		r := Undo(t.Context(), p, workers(f), Options{Asked: true, Prior: prior})
		if got, want := outcomes(r), "a undone, b undone"; got != want {
			t.Errorf("outcomes %q, want %q", got, want)
		}
		if got := strings.Join(f.log, ", "); strings.Count(got, "drop") == 0 {
			t.Errorf("the namespace stays: %q", got)
		}
	})
}

func TestTheRecordKnowsThatARunIsDecidedBeforeHistoryIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		Run(t.Context(), build(t, f, "-a"), workers(f), Options{Record: &notes{fleet: f}})
		if got := strings.Join(f.log, ", "); !strings.HasSuffix(got, "end a done, enter committing, forget a") {
			t.Errorf("log %q", got)
		}
	})
}

func TestUndoTellsAgainWhatAnEarlierProcessCouldNotPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		p := build(t, f, "~a\n~b")
		prior := map[spec.ReleaseID]Prior{}
		for i, s := range p.Steps {
			p.Steps[i].After.Hooks = []state.Hook{{Name: "migrate", Kind: "Job", Events: []state.HookEvent{state.HookPreUpgrade}}}
			prior[s.Release.ID] = Prior{Outcome: OutcomeUndone}
		}
		report := Undo(t.Context(), p, workers(f), Options{Prior: prior})
		if !report.FullyUndone() || len(report.Lost) != 2 {
			t.Errorf("fully undone: %v, lost: %v, want the hooks of both", report.FullyUndone(), report.Lost)
		}
	})
}

func TestUndoTellsWhyAStepWasNeverBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		prior := map[spec.ReleaseID]Prior{{Name: "a"}: {Because: "c failed"}}
		report := Undo(t.Context(), build(t, f, "~a\n~b"), workers(f), Options{Asked: true, Prior: prior})
		for i, want := range []string{"c failed", "it was never begun"} {
			if got := report.Results[i].Because; got != want {
				t.Errorf("%s: because %q, want %q", report.Results[i].Step.Release.ID, got, want)
			}
		}
	})
}

// TestARunThatHadFailedEndsWhatItHadBegun resumes runs that were killed after a
// step had failed, with --rollback none.
func TestARunThatHadFailedEndsWhatItHadBegun(t *testing.T) {
	failed := Prior{Outcome: OutcomeFailed, Err: errBoom, Left: state.Trace{Began: true, Revision: 1}}
	cutOff := Prior{Left: state.Trace{Began: true}}
	tests := []struct {
		name, graph string
		prior       map[string]Prior
		outcomes    string
	}{
		{"another step was under way", "~a\n~b\n~c", map[string]Prior{"a": failed, "b": cutOff}, "a failed, b done, c skipped"},
		{"it needs one that was done", "~a\n~b\n~c: b", map[string]Prior{"a": failed, "b": {Outcome: OutcomeDone}, "c": cutOff}, "a failed, b done, c done"},
		{"none was", "~a\n~b", map[string]Prior{"a": failed}, "a failed, b skipped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				p := build(t, f, tt.graph)
				prior := map[spec.ReleaseID]Prior{}
				for _, s := range p.Steps {
					prior[s.Release.ID] = tt.prior[s.Release.ID.Name]
				}
				report := Run(t.Context(), p, workers(f), Options{Scope: plan.ScopeNone, Prior: prior, Concurrency: 1})
				if got := outcomes(report); got != tt.outcomes {
					t.Errorf("got %s, want %s", got, tt.outcomes)
				}
			})
		})
	}
}
