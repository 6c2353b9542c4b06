package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// starts runs a plan, in which every step takes a second unless cost says more, and
// tells when which steps start: "0s a b, 1s c".
func starts(t *testing.T, graph string, cost map[string]time.Duration, opts Options) string {
	t.Helper()
	var got string
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.cost = cost
		p := build(t, f, graph)
		for i := range p.Steps { // a name such as c1/n1/a says where the release is
			id := &p.Steps[i].Release.ID
			if parts := strings.Split(id.Name, "/"); len(parts) == 3 {
				id.Context, id.Namespace, id.Name = parts[0], parts[1], parts[2]
			}
		}
		began := time.Now()
		var lines []string
		opts.Observe = func(e Event) {
			if e.Kind != EventStarted {
				return
			}
			at := e.Time.Sub(began).String()
			if n := len(lines); n > 0 && strings.HasPrefix(lines[n-1], at+" ") {
				lines[n-1] += " " + e.Step.Release.ID.Name
				return
			}
			lines = append(lines, at+" "+e.Step.Release.ID.Name)
		}
		Run(t.Context(), p, workers(f), opts)
		got = strings.Join(lines, ", ")
	})
	return got
}

func TestTheScheduleFollowsTheLongestWay(t *testing.T) {
	known := func(of map[string]time.Duration) func(plan.Step) time.Duration {
		return func(s plan.Step) time.Duration { return of[s.Release.ID.Name] }
	}
	tests := []struct {
		name, graph string
		cost        map[string]time.Duration
		opts        Options
		want        string
	}{
		{"equal ones keep the plan's order", "+c\n+a\n+b", nil, Options{Concurrency: 1}, "0s c, 1s a, 2s b"},
		{"what most steps wait for comes first", "+a\n+b\n+c\n+d: c\n+e: d", nil, Options{Concurrency: 1},
			"0s c, 1s d, 2s a, 3s b, 4s e"},
		{"a step that is known to take long comes before others", "+a\n+b\n+slow", map[string]time.Duration{"slow": 9 * time.Second},
			Options{Concurrency: 2, Expected: known(map[string]time.Duration{"slow": 9 * time.Second, "a": time.Second, "b": time.Second})}, "0s slow a, 1s b"},
		{"and is begun in vain early where nothing is known", "+a\n+b\n+slow", map[string]time.Duration{"slow": 9 * time.Second}, Options{Concurrency: 2}, "0s a b, 1s slow"},
		{"its whole way counts, not it alone", "+a\n+b\n+first\n+slow: first", map[string]time.Duration{"slow": 9 * time.Second},
			Options{Concurrency: 1, Expected: known(map[string]time.Duration{"slow": 9 * time.Second, "a": 3 * time.Second})}, "0s first, 1s slow, 10s a, 11s b"},
		{"what is not known takes as long as most others", "+a\n+new\n+b\n+c", nil,
			Options{Concurrency: 1, Expected: known(map[string]time.Duration{"a": 2 * time.Second, "b": 8 * time.Second, "c": 3 * time.Second})}, "0s b, 1s new, 2s c, 3s a"},
		{"what is unchanged takes no time, and no slot", "=u\n+b: u\n+a\n+c: b", nil, Options{Concurrency: 1}, "0s b, 1s a, 2s c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := starts(t, tt.graph, tt.cost, tt.opts); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name, graph string
		cost        map[string]time.Duration
		opts        Options
		want        string
	}{
		{"no bound", "+k/n/a\n+k/n/b\n+k/n/c", nil, Options{}, "0s a b c"},
		{"a bound of a cluster leaves the others alone", "+k/n/a\n+k/m/b\n+l/n/c\n+l/n/d", map[string]time.Duration{"c": 2 * time.Second},
			Options{Limits: Limits{Cluster: 1}}, "0s a c, 1s b, 2s d"},
		{"a bound of a namespace leaves the others alone", "+k/n/a\n+k/n/b\n+k/m/c\n+l/n/d", nil, Options{Limits: Limits{Namespace: 1}}, "0s a c d, 1s b"},
		{"the tightest bound holds", "+k/n/a\n+k/m/b\n+k/o/c\n+l/n/d", nil, Options{Concurrency: 3, Limits: Limits{Cluster: 2, Namespace: 1}}, "0s a b d, 1s c"},
		{"who waits for one place keeps nobody from another", "+k/n/a\n+k/n/b\n+k/n/c\n+l/n/d\n+l/n/e", map[string]time.Duration{"a": 5 * time.Second},
			Options{Concurrency: 2, Limits: Limits{Cluster: 1}}, "0s a d, 1s e, 5s b, 6s c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := starts(t, tt.graph, tt.cost, tt.opts); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestAStepThatWaitsHoldsNoSlot: b waits for a, which takes long, and c runs meanwhile.
func TestAStepThatWaitsHoldsNoSlot(t *testing.T) {
	got := starts(t, "+a\n+b: a\n+c\n+d", map[string]time.Duration{"a": 5 * time.Second}, Options{Concurrency: 2})
	if want := "0s a c, 1s d, 5s b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheTimeOfARunEndsItsStepsAndNotTheUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.cost["b"] = 10 * time.Minute
		f.cost["a"] = 40 * time.Second // to be put back, too
		began := time.Now()
		r := Run(t.Context(), build(t, f, "~a\n+b: a\n+c: b"), workers(f), Options{Timeout: time.Minute})
		if got := outcomes(r); got != "a undone, b undone, c skipped" || !r.TimedOut || r.Interrupted || !r.Failed() || !r.FullyUndone() {
			t.Errorf("outcomes %q, report %+v", got, r)
		}
		if took := time.Since(began); took != time.Minute+10*time.Minute+40*time.Second {
			t.Errorf("it took %s, want a minute, and all the time of the undo", took)
		}
		if why := r.Results[2].Because; why != "b was cancelled" {
			t.Errorf("c was skipped because %q", why)
		}
	})
}

func TestARunThatIsInTimeHasNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		if r := Run(t.Context(), build(t, f, "~a\n+b: a"), workers(f), Options{Timeout: time.Minute}); r.TimedOut || r.Failed() {
			t.Errorf("report %+v", r)
		}
	})
}

// flaky fails operations a number of times for a reason that passes.
type flaky struct {
	*fleet
	times  int
	writes bool // an attempt that fails leaves a failed revision
	spent  bool // single requests have been repeated until nobody had patience any more
	again  []string
}

func (f *flaky) fails(ctx context.Context) (state.Trace, error) {
	if f.times == 0 {
		return state.Trace{}, nil
	}
	f.times--
	if note := state.Retrying(ctx); note != nil {
		note(state.Retry{What: "PATCH x", Attempt: 2, Of: 15, Reason: "reset"})
		if f.spent {
			note(state.Retry{What: "PATCH x", Attempt: 15, Of: 15, Reason: "reset"})
		}
	}
	left := state.Trace{Began: true, Namespace: "made"}
	if f.writes {
		f.made["a"]++
		left.Revision, left.Status = f.made["a"], state.StatusFailed
	}
	return left, state.Transient(errBoom)
}

func (f *flaky) Install(ctx context.Context, r spec.Release, want *state.Revision) (state.Trace, error) {
	f.again = append(f.again, "install")
	if left, err := f.fails(ctx); err != nil {
		return left, err
	}
	return f.fleet.Install(ctx, r, want)
}

func (f *flaky) InstallAgain(ctx context.Context, r spec.Release, left state.Trace, want *state.Revision) (state.Trace, error) {
	f.again = append(f.again, fmt.Sprintf("again on %d", left.Revision))
	if next, err := f.fails(ctx); err != nil {
		return left.Then(next), err
	}
	next, err := f.fleet.Install(ctx, r, want)
	return left.Then(next), err
}

func (f *flaky) Upgrade(ctx context.Context, r spec.Release, have state.Release, want *state.Revision) (state.Trace, error) {
	f.again = append(f.again, fmt.Sprintf("upgrade on %d %s", have.Last().Number, have.Last().Status))
	if left, err := f.fails(ctx); err != nil {
		return left, err
	}
	return f.fleet.Upgrade(ctx, r, have, want)
}

func (f *flaky) Rollback(ctx context.Context, r spec.Release, to *state.Revision, left state.Trace) (state.Trace, error) {
	f.again = append(f.again, "rollback")
	if next, err := f.fails(ctx); err != nil {
		return left.Then(next), err
	}
	return f.fleet.Rollback(ctx, r, to, left)
}

func TestStepsAreTriedAgain(t *testing.T) {
	tests := []struct {
		name, graph string
		flaky       flaky
		opts        Options
		outcomes    string
		again       string
		events      string
	}{
		{"an install that left nothing is done again", "+a", flaky{times: 1}, Options{}, "a done",
			"install, install", "PATCH x 2/15 reset, step 2/3 boom"},
		{"one that left a record goes on from there", "+a", flaky{times: 2, writes: true}, Options{}, "a done",
			"install, again on 1, again on 2", "PATCH x 2/15 reset, step 2/3 boom, PATCH x 2/15 reset, step 3/3 boom"},
		{"an upgrade sees what it has left", "~a", flaky{times: 1, writes: true}, Options{}, "a done",
			"upgrade on 7 deployed, upgrade on 1 failed", "PATCH x 2/15 reset, step 2/3 boom"},
		{"patience ends", "+a", flaky{times: 3}, Options{Scope: plan.ScopeNone}, "a failed",
			"install, install, install", "PATCH x 2/15 reset, step 2/3 boom, PATCH x 2/15 reset, step 3/3 boom, PATCH x 2/15 reset"},
		{"what used up the patience of requests is not done again", "+a", flaky{times: 1, spent: true}, Options{Scope: plan.ScopeNone}, "a failed",
			"install", "PATCH x 2/15 reset, PATCH x 15/15 reset"},
		{"nothing is done again when nobody wants it", "+a", flaky{times: 1}, Options{Retries: -1, Scope: plan.ScopeNone}, "a failed",
			"install", "PATCH x 2/15 reset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := tt.flaky
				f.fleet = newFleet()
				var events []string
				tries := 0
				tt.opts.Observe = func(e Event) {
					if e.Kind == EventRetrying {
						what := e.Retry.What
						if what == "" {
							what = "step"
						}
						events = append(events, fmt.Sprintf("%s %d/%d %s", what, e.Retry.Attempt, e.Retry.Of, e.Retry.Reason))
						tries = max(tries, e.Retry.Attempt)
					}
					if e.Kind == EventFinished && e.Attempts != max(tries, 1) {
						t.Errorf("%d attempts are told, want %d", e.Attempts, tries)
					}
				}
				w := Workers{Releases: &f, Undo: &f, Hooks: noHooks{}, Resume: &f}
				r := Run(t.Context(), build(t, f.fleet, tt.graph), w, tt.opts)
				if got := outcomes(r); got != tt.outcomes {
					t.Errorf("outcomes %q, want %q", got, tt.outcomes)
				}
				if d := cmp.Diff(tt.again, strings.Join(f.again, ", ")); d != "" {
					t.Errorf("attempts (-want +got):\n%s", d)
				}
				if d := cmp.Diff(tt.events, strings.Join(events, ", ")); d != "" {
					t.Errorf("events (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestARollbackThatFailedIsTriedAgainOnTopOfWhatItLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, p, prior := goneOn(t, "~a", "a done")
		f := &flaky{fleet: inner, times: 2, writes: true}
		r := Undo(t.Context(), p, Workers{Releases: inner, Undo: f, Hooks: noHooks{}}, Options{Asked: true, Prior: prior})
		if got := outcomes(r); got != "a undone" || len(f.again) != 3 {
			t.Errorf("outcomes %q after %v", got, f.again)
		}
	})
}

func TestAnUndoIsTriedAgainAndTellsItsFirstErrorWhenThatIsNotPossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{fleet: newFleet(), times: 1}
		f.fail["upgrade b"] = true
		p := build(t, f.fleet, "~b")
		r := Run(t.Context(), p, Workers{Releases: f.fleet, Undo: f, Hooks: noHooks{}}, Options{})
		if got := outcomes(r); got != "b undone" || len(f.again) != 2 {
			t.Errorf("outcomes %q after %v", got, f.again)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{fleet: newFleet(), times: 1}
		f.fail["upgrade b"] = true
		f.theirs["b"] = 1
		r := Run(t.Context(), build(t, f.fleet, "~b"), Workers{Releases: f.fleet, Undo: f, Hooks: noHooks{}}, Options{})
		if err := r.Results[0].Undo; !errors.Is(err, errBoom) {
			t.Errorf("the undo failed with %v", err)
		}
	})
}

func TestAnInterruptEndsTheWaitForAnotherAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{fleet: newFleet(), times: 1}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(firstPause/2, cancel)
		began := time.Now()
		r := Run(ctx, build(t, f.fleet, "+a"), Workers{Releases: f, Undo: f, Hooks: noHooks{}}, Options{Scope: plan.ScopeNone})
		if took := time.Since(began); took != firstPause/2 || len(f.again) != 1 {
			t.Errorf("it took %s and %v: %s", took, f.again, outcomes(r))
		}
	})
}
