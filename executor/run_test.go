package executor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

var errBoom = errors.New("boom")

// fleet is a cluster in memory: it keeps which revision each release has, and
// logs what was done to it. Every operation takes a second of (fake) time.
type fleet struct {
	mu      sync.Mutex
	content map[string]int // revision; 0: absent
	kept    map[string]int // history of what was uninstalled
	log     []string
	running int
	peak    int
	fail    map[string]bool // "install a"
	stale   map[string]bool // the same, but before anything is changed
	cost    map[string]time.Duration
	made    map[string]int    // newest revision that the run wrote
	theirs  map[string]int    // revisions that somebody else wrote on top
	creates map[string]string // namespaces that installing creates, by release
}

func newFleet() *fleet {
	return &fleet{content: map[string]int{}, kept: map[string]int{}, fail: map[string]bool{}, cost: map[string]time.Duration{},
		made: map[string]int{}, theirs: map[string]int{}, creates: map[string]string{}}
}

func (f *fleet) do(ctx context.Context, verb string, r spec.Release, change func(name string)) (state.Trace, error) {
	name := r.ID.Name
	if ctx.Err() != nil {
		return state.Trace{}, ctx.Err()
	}
	f.mu.Lock()
	f.running++
	f.peak = max(f.peak, f.running)
	f.mu.Unlock()
	cost := f.cost[name]
	if cost == 0 {
		cost = time.Second
	}
	var err error
	select {
	case <-time.After(cost):
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
	f.log = append(f.log, verb+" "+name)
	if f.stale[verb+" "+name] {
		return state.Trace{}, state.ErrStale
	}
	change(name)
	f.made[name]++
	if f.fail[verb+" "+name] {
		err = errBoom
	}
	return state.Trace{Began: true, Revision: f.made[name], Namespace: f.creates[name]}, err
}

func (f *fleet) Install(ctx context.Context, r spec.Release, _ *state.Revision) (state.Trace, error) {
	return f.do(ctx, "install", r, func(n string) { f.content[n] = 1 })
}

func (f *fleet) Upgrade(ctx context.Context, r spec.Release, _ state.Release, _ *state.Revision) (state.Trace, error) {
	return f.do(ctx, "upgrade", r, func(n string) { f.content[n]++ })
}

func (f *fleet) Uninstall(ctx context.Context, r spec.Release, _ state.Release) (state.Trace, error) {
	return f.do(ctx, "uninstall", r, func(n string) { f.kept[n] = f.content[n]; delete(f.content, n) })
}

func (f *fleet) Rollback(ctx context.Context, r spec.Release, to *state.Revision, left state.Trace) (state.Trace, error) {
	if f.moved(r, left) {
		return left, state.ErrStale
	}
	return f.do(ctx, "rollback", r, func(n string) { f.content[n] = to.Number; delete(f.kept, n) })
}

func (f *fleet) Remove(ctx context.Context, r spec.Release, left state.Trace) (state.Trace, error) {
	if f.moved(r, left) {
		return state.Trace{}, state.ErrStale
	}
	return f.do(ctx, "uninstall", r, func(n string) { f.kept[n] = f.content[n]; delete(f.content, n) })
}

func (f *fleet) moved(r spec.Release, left state.Trace) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made[r.ID.Name]+f.theirs[r.ID.Name] != left.Revision
}

func (f *fleet) Forget(_ context.Context, r spec.Release, _ state.Trace, above int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if above > 0 {
		f.log = append(f.log, fmt.Sprintf("forget %s above %d", r.ID.Name, above))
		return nil
	}
	f.log = append(f.log, "forget "+r.ID.Name)
	delete(f.kept, r.ID.Name)
	return nil
}

func (f *fleet) DropNamespace(_ context.Context, r spec.Release, left state.Trace) error {
	f.log = append(f.log, "drop "+left.Namespace)
	if f.fail["drop "+left.Namespace] {
		return errBoom
	}
	return nil
}

type noHooks struct{}

func (noHooks) Fire(context.Context, spec.HookEvent, spec.Release, error) error { return nil }

// build plans lines such as "+a: b" (install a, which needs b), "~a" (upgrade),
// "-a" (uninstall) and "=a" (unchanged). What ends with "!" has a gate of its own,
// what ends with "@g" is in the group g, which has one.
func build(t *testing.T, f *fleet, text string) *plan.Plan {
	t.Helper()
	in := plan.Input{Have: state.Snapshot{}, Want: map[spec.ReleaseID]*state.Revision{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		sign, name := line[0], line[1:]
		name, needs, _ := strings.Cut(name, ":")
		name, group, _ := strings.Cut(name, "@")
		name, gated := strings.CutSuffix(name, "!")
		r := spec.Release{ID: spec.ReleaseID{Name: name}, Installed: sign != '-', AtomicGroup: group}
		if gated {
			r.Verify = []spec.Gate{{Name: name}}
		}
		if group != "" {
			r.GroupVerify = []spec.Gate{{Name: group}}
		}
		for _, n := range strings.Fields(needs) {
			r.Needs = append(r.Needs, spec.Need{ID: spec.ReleaseID{Name: n}})
		}
		in.Releases = append(in.Releases, r)
		if sign != '-' {
			in.Want[r.ID] = manifest("new")
		}
		if sign != '+' {
			old := manifest("old")
			if sign == '=' {
				old = manifest("new")
			}
			old.Number, old.Status = 7, state.StatusDeployed
			in.Have[r.ID] = state.Release{ID: r.ID, Phase: state.PhaseDeployed, History: []state.Revision{*old}}
			f.content[name] = 7
		}
	}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func manifest(data string) *state.Revision {
	return &state.Revision{Stream: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  v: " + data + "\n")}
}

func outcomes(r Report) string {
	var parts []string
	for _, x := range r.Results {
		parts = append(parts, x.Step.Release.ID.Name+" "+string(x.Outcome))
	}
	return strings.Join(parts, ", ")
}

// came holds how the steps of a run ended, and what was done, against what is wanted.
func (f *fleet) came(t *testing.T, r Report, want, log string) {
	t.Helper()
	if got := outcomes(r); got != want {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	if got := strings.Join(f.log, ", "); got != log {
		t.Errorf("log\n%q, want\n%q", got, log)
	}
}

func workers(f *fleet) Workers { return Workers{Releases: f, Undo: f, Hooks: noHooks{}} }

func TestRun(t *testing.T) {
	tests := []struct {
		name, graph string
		fail        []string
		opts        Options
		outcomes    string
		log         string
		code        string
	}{
		{"everything works", "+a\n~b: a\n-c\n=d", nil, Options{Concurrency: 1},
			"a done, b done, c done, d unchanged", "install a, upgrade b, uninstall c, forget c", "ok"},
		{"a failure undoes the whole run in reverse order", "+a\n~b: a\n-x\n+c: b", []string{"install c"}, Options{Concurrency: 1},
			"a undone, b undone, x undone, c undone",
			"install a, upgrade b, uninstall x, install c, uninstall c, forget c, rollback b, rollback x, uninstall a, forget a", "undone"},
		{"what needs a failed step never starts", "+a\n+b: a", []string{"install a"}, Options{Scope: plan.ScopeNone},
			"a failed, b skipped", "install a", "failed"},
		{"scope release undoes only the failed one", "+a\n~b: a", []string{"upgrade b"}, Options{Scope: plan.ScopeRelease},
			"a done, b undone", "install a, upgrade b, rollback b", "failed"},
		{"what a failed run has uninstalled and not put back keeps its history", "-x\n+a: x", []string{"install a"}, Options{Scope: plan.ScopeNone, Concurrency: 1},
			"x done, a failed", "uninstall x, install a", "failed"},
		{"keep-going finishes the other branches", "+a\n+b: a\n+c: z\n+z", []string{"install a"}, Options{KeepGoing: true, Scope: plan.ScopeNone, Concurrency: 1},
			"a failed, b skipped, z done, c done", "install a, install z, install c", "failed"},
		{"an undo that fails does not stop the others", "~a\n~b: a\n~c: b", []string{"upgrade c", "rollback b"}, Options{},
			"a undone, b undo failed, c undone", "upgrade a, upgrade b, upgrade c, rollback c, rollback b, rollback a", "left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				for _, x := range tt.fail {
					f.fail[x] = true
				}
				r := Run(t.Context(), build(t, f, tt.graph), workers(f), tt.opts)
				f.came(t, r, tt.outcomes, tt.log)
				if got := verdict(r); got != tt.code {
					t.Errorf("verdict %s, want %s", got, tt.code)
				}
			})
		})
	}
}

func verdict(r Report) string {
	switch {
	case !r.Failed():
		return "ok"
	case r.Count(OutcomeUndoFailed) > 0:
		return "left"
	case r.FullyUndone():
		return "undone"
	default:
		return "failed"
	}
}

func TestStepsStartTheMomentTheirNeedsAreDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.cost["slow"] = 10 * time.Second
		started := map[string]time.Duration{}
		begin := time.Now()
		Run(t.Context(), build(t, f, "+slow\n+a\n+b: a\n+c: b"), workers(f), Options{Observe: func(e Event) {
			if e.Kind == EventStarted {
				started[e.Step.Release.ID.Name] = e.Time.Sub(begin)
			}
		}})
		want := map[string]time.Duration{"slow": 0, "a": 0, "b": time.Second, "c": 2 * time.Second}
		if d := cmp.Diff(want, started); d != "" {
			t.Errorf("starts (-want +got):\n%s", d)
		}
	})
}

func TestConcurrencyIsALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		r := Run(t.Context(), build(t, f, "+a\n+b\n+c\n+d\n+e"), workers(f), Options{Concurrency: 2})
		if f.peak != 2 || r.Count(OutcomeDone) != 5 {
			t.Errorf("peak %d, %s", f.peak, outcomes(r))
		}
	})
}

func TestInterruptStartsNothingEndsWhatRunsAndUndoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.cost["b"] = time.Minute
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, context.Canceled)
		defer cancel()
		cancelable, stop := context.WithCancel(t.Context())
		go func() { <-ctx.Done(); stop() }()
		r := Run(cancelable, build(t, f, "~a\n+b: a\n+c: b"), workers(f), Options{})
		if got := outcomes(r); got != "a undone, b undone, c skipped" || !r.Interrupted {
			t.Errorf("outcomes %q, interrupted %t", got, r.Interrupted)
		}
		if f.content["a"] != 7 || f.content["b"] != 0 {
			t.Errorf("content %v", f.content)
		}
	})
}

func TestASecondInterruptEndsTheUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.fail["upgrade b"] = true
		f.cost["a"] = time.Hour
		abort := make(chan struct{})
		time.AfterFunc(90*time.Minute, func() { close(abort) })
		r := Run(t.Context(), build(t, f, "~a\n~b: a"), workers(f), Options{Abort: abort})
		if got := outcomes(r); got != "a undo failed, b undone" {
			t.Errorf("outcomes %q", got)
		}
	})
}

type recordingHooks struct {
	mu  sync.Mutex
	log []string
	bad string
}

func (h *recordingHooks) Fire(_ context.Context, e spec.HookEvent, r spec.Release, cause error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	line := fmt.Sprintf("%s %s", e, r.ID.Name)
	if cause != nil {
		line += " after " + cause.Error()
	}
	h.log = append(h.log, line)
	if strings.HasPrefix(line, h.bad) && h.bad != "" {
		return errBoom
	}
	return nil
}

func TestLifecycleHooks(t *testing.T) {
	tests := []struct{ name, graph, bad, want, outcomes string }{
		{"around an apply", "+a\n-b\n=c", "", "preapply c, preapply b, preapply a, presync a, postsync a, presync b, preuninstall b, postuninstall b, postsync b, cleanup a, cleanup b, cleanup c", "a done, b done, c unchanged"},
		{"a failing presync fails the release, and postsync hears of it", "+a", "presync a", "preapply a, presync a, postsync a after boom, cleanup a", "a failed"},
		{"a failing postsync fails the release", "+a", "postsync a", "preapply a, presync a, postsync a, cleanup a", "a undone"},
		{"a failing preapply stops the run before it began", "+a\n+b", "preapply b", "preapply b", "a skipped, b skipped"},
		{"nothing changed: only cleanup", "=a", "", "cleanup a", "a unchanged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := newFleet(), &recordingHooks{bad: tt.bad}
				r := Run(t.Context(), build(t, f, tt.graph), Workers{Releases: f, Undo: f, Hooks: h}, Options{Concurrency: 1})
				if got := strings.Join(h.log, ", "); got != tt.want {
					t.Errorf("hooks\n%q, want\n%q", got, tt.want)
				}
				if got := outcomes(r); got != tt.outcomes {
					t.Errorf("outcomes %q, want %q", got, tt.outcomes)
				}
			})
		})
	}
}

func TestADestroyFiresCleanupForWhatWasNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, h := newFleet(), &recordingHooks{}
		p := build(t, f, "-a\n=b")
		p.Mode = plan.ModeDestroy
		Run(t.Context(), p, Workers{Releases: f, Undo: f, Hooks: h}, Options{})
		if got := strings.Join(h.log, ", "); got != "preuninstall a, postuninstall a, cleanup b" {
			t.Errorf("hooks %q", got)
		}
	})
}

// What a failed step did not touch is not this run's to put back: a release that
// somebody else installed or upgraded meanwhile stays theirs.
func TestAStepThatFailedBeforeItChangedAnythingIsNotUndone(t *testing.T) {
	tests := []struct{ name, graph, stale, bad, outcomes, log string }{
		{"somebody else installed it", "~a\n+b: a", "install b", "", "a undone, b failed", "upgrade a, install b, rollback a"},
		{"somebody else upgraded it", "~a\n~b: a", "upgrade b", "", "a undone, b failed", "upgrade a, upgrade b, rollback a"},
		{"a presync hook failed", "~a\n~b: a", "", "presync b", "a undone, b failed", "upgrade a, rollback a"},
		{"a preuninstall hook failed", "-b", "", "preuninstall b", "b failed", ""},
		{"a postsync hook failed", "~b", "", "postsync b", "b undone", "upgrade b, rollback b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := newFleet(), &recordingHooks{bad: tt.bad}
				f.stale = map[string]bool{tt.stale: true}
				r := Run(t.Context(), build(t, f, tt.graph), Workers{Releases: f, Undo: f, Hooks: h}, Options{})
				f.came(t, r, tt.outcomes, tt.log)
				if got := verdict(r); got != "undone" {
					t.Errorf("verdict %s: the fleet is as it was", got)
				}
			})
		})
	}
}

func TestUndoingAnInstallKeepsTheHistoryThatWasThereBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.fail["install a"] = true
		p := build(t, f, "+a")
		p.Steps[0].Base = 4
		Run(t.Context(), p, workers(f), Options{})
		if got := strings.Join(f.log, ", "); got != "install a, uninstall a, forget a above 4" {
			t.Errorf("log %q", got)
		}
	})
}

func TestAReleaseOnWhichSomebodyElseWorkedSinceItsStepIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.fail["upgrade d"], f.theirs["b"], f.theirs["c"] = true, 1, 1
		r := Run(t.Context(), build(t, f, "~a\n~b: a\n+c: b\n~d: c"), workers(f), Options{})
		if got := outcomes(r); got != "a undone, b undo failed, c undo failed, d undone" {
			t.Errorf("outcomes %q", got)
		}
		if got := strings.Join(f.log, ", "); got != "upgrade a, upgrade b, install c, upgrade d, rollback d, rollback a" {
			t.Errorf("log %q", got)
		}
		if !errors.Is(r.Results[1].Undo, state.ErrStale) || verdict(r) != "left" {
			t.Errorf("undo of b: %v, verdict %s", r.Results[1].Undo, verdict(r))
		}
	})
}

func TestNamespacesThatTheRunCreatedGoLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.fail["install c"], f.fail["drop two"] = true, true
		f.creates = map[string]string{"a": "one", "c": "two"}
		r := Run(t.Context(), build(t, f, "+a\n+b: a\n+c: b"), workers(f), Options{})
		if got := strings.Join(f.log[3:], ", "); got != "uninstall c, forget c, uninstall b, forget b, uninstall a, forget a, drop two, drop one" {
			t.Errorf("log %q", got)
		}
		if len(r.Lost) != 1 || r.Lost[0].Release.Name != "c" || r.Lost[0].Object.Kind != "Namespace" || verdict(r) != "undone" {
			t.Errorf("lost %v, verdict %s", r.Lost, verdict(r))
		}
	})
}

func TestANamespaceStaysWithAReleaseThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.fail["install a"] = true
		f.creates = map[string]string{"a": "one"}
		Run(t.Context(), build(t, f, "+a\n+b"), workers(f), Options{Scope: plan.ScopeRelease, KeepGoing: true})
		if got := strings.Join(f.log, ", "); strings.Contains(got, "drop") || !strings.Contains(got, "uninstall a") {
			t.Errorf("log %q", got)
		}
	})
}

func TestContinueOnError(t *testing.T) {
	tests := []struct {
		name, graph string
		fail        []string
		scope       plan.Scope
		outcomes    string
		code        string
	}{
		{"everything that does not need it goes on, and only it is put back", "~a\n~b\n~c: b\n~d: a\n=e: b\n~f: e", []string{"upgrade b"}, plan.ScopePlan,
			"a done, b undone, c skipped, d done, e unchanged, f skipped", "failed"},
		{"it alone: not fully undone, since the rest of the run stands", "~b", []string{"upgrade b"}, plan.ScopePlan, "b undone", "failed"},
		{"the failure of another release undoes everything", "~a\n~b\n~d: a", []string{"upgrade b", "upgrade d"}, plan.ScopePlan,
			"a undone, b undone, d undone", "undone"},
		{"nothing is put back with the scope none", "~a\n~b", []string{"upgrade b"}, plan.ScopeNone, "a done, b failed", "failed"},
		{"an undo that fails is told", "~a\n~b", []string{"upgrade b", "rollback b"}, plan.ScopePlan, "a done, b undo failed", "left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				for _, x := range tt.fail {
					f.fail[x] = true
				}
				p := build(t, f, tt.graph)
				for i := range p.Steps {
					p.Steps[i].Release.Options.ContinueOnError = p.Steps[i].Release.ID.Name == "b"
				}
				r := Run(t.Context(), p, workers(f), Options{Scope: tt.scope})
				if got := outcomes(r); got != tt.outcomes || verdict(r) != tt.code {
					t.Errorf("outcomes %q, verdict %s", got, verdict(r))
				}
			})
		})
	}
}

func TestLaterFilesGoOnPastAReleaseWithContinueOnError(t *testing.T) {
	for tolerated, want := range map[bool]string{true: "b undone, c skipped, z done", false: "b undone, c skipped, z skipped"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet()
			f.fail["upgrade b"] = true
			p := build(t, f, "~b\n~c: b\n~z")
			p.Steps[0].Release.Options.ContinueOnError = tolerated
			gate, node := plan.Node{Gate: "file"}, func(i int) plan.Node { return plan.Node{Release: p.Steps[i].Release.ID} }
			p.Edges = append(p.Edges, plan.Edge{From: node(0), To: gate}, plan.Edge{From: node(1), To: gate}, plan.Edge{From: gate, To: node(2)})
			if got := outcomes(Run(t.Context(), p, workers(f), Options{})); got != want {
				t.Errorf("tolerated %t: outcomes %q", tolerated, got)
			}
		})
	}
}

// Random graphs, failures and limits: needs hold in every schedule, and after
// an undo the fleet is as it was.
func TestRandomRunsKeepOrderAndUndoCompletely(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			f := newFleet()
			var lines []string
			for i := range 30 {
				line := fmt.Sprintf("%cr%02d:", "+~-="[rng.IntN(4)], i)
				for j := range i {
					if rng.IntN(10) == 0 {
						line += fmt.Sprintf(" r%02d", j)
					}
				}
				lines = append(lines, line)
				f.cost[fmt.Sprintf("r%02d", i)] = time.Duration(1+rng.IntN(5000)) * time.Millisecond
			}
			p := build(t, f, strings.Join(lines, "\n"))
			before := fmt.Sprint(f.content)
			for _, verb := range []string{"install", "upgrade", "uninstall"} {
				f.fail[fmt.Sprintf("%s r%02d", verb, rng.IntN(30))] = true
			}
			ended := map[plan.Node]bool{}
			started := map[plan.Node]bool{}
			r := Run(t.Context(), p, workers(f), Options{Concurrency: 1 + rng.IntN(8), Observe: func(e Event) {
				n := plan.Node{Release: e.Step.Release.ID}
				if e.Undo {
					return
				}
				if e.Kind == EventFinished {
					ended[n] = e.Outcome == OutcomeDone
					return
				}
				started[n] = true
				for _, edge := range p.Edges {
					if edge.To == n && !ended[edge.From] && writes(p, edge.From) {
						t.Errorf("seed %d: %s started before %s ended", seed, edge.To, edge.From)
					}
				}
			}})
			if len(r.Results) != len(p.Steps) {
				t.Fatalf("seed %d: %d results", seed, len(r.Results))
			}
			if r.Failed() && fmt.Sprint(f.content) != before {
				t.Errorf("seed %d: content %v, before %s", seed, f.content, before)
			}
		})
	}
}

func writes(p *plan.Plan, n plan.Node) bool {
	for _, s := range p.Steps {
		if s.Release.ID == n.Release {
			return s.Action.Writes()
		}
	}
	return false
}

type hangingHooks struct{}

func (hangingHooks) Fire(ctx context.Context, e spec.HookEvent, _ spec.Release, _ error) error {
	if e != spec.EventPostSync {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestASecondInterruptEndsAHookThatBeganAfterTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		abort := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		time.AfterFunc(10*time.Second, func() { close(abort) })
		r := Run(ctx, build(t, f, "~a"), Workers{Releases: f, Undo: f, Hooks: hangingHooks{}}, Options{Abort: abort})
		if took := r.Finished.Sub(r.Started); took != 10*time.Second || !r.Interrupted {
			t.Errorf("the run took %s, %s", took, outcomes(r))
		}
	})
}
