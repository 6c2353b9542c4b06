package executor

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// gates writes into the fleet's log when a gate is passed, which takes a second.
type gates struct {
	fleet *fleet
	bad   map[string]bool
}

func (g gates) Verify(ctx context.Context, r spec.Release, gate spec.Gate) error {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g.fleet.mu.Lock()
	defer g.fleet.mu.Unlock()
	g.fleet.log = append(g.fleet.log, "gate "+gate.Name)
	if g.bad[gate.Name] {
		return errBoom
	}
	return nil
}

func TestGates(t *testing.T) {
	tests := []struct {
		name, graph string
		bad         string
		fail        string
		opts        Options
		outcomes    string
		log         string
		code        string
	}{
		{"a gate comes before what needs the release", "+a!\n~b: a", "", "", Options{},
			"a done, b done", "install a, gate a, upgrade b", "ok"},
		{"a gate comes before the history of an uninstall is dropped", "+a!\n-b", "", "", Options{Concurrency: 1},
			"a done, b done", "install a, gate a, uninstall b, forget b", "ok"},
		{"nothing is verified of what is unchanged or uninstalled", "=a!\n-b!", "", "", Options{},
			"a unchanged, b done", "uninstall b, forget b", "ok"},
		{"a gate that is not passed undoes the run", "+x\n~a!: x\n+b: a", "a", "", Options{},
			"x undone, a undone, b skipped", "install x, upgrade a, gate a, rollback a, uninstall x, forget x", "undone"},
		{"a release that failed is not verified", "~a!", "", "upgrade a", Options{},
			"a undone", "upgrade a, rollback a", "undone"},
		{"the gate of a group waits for all members, and what needs one of them for it", "+a@g\n+b@g: x\n+x\n+c: a", "", "", Options{Concurrency: 1},
			"a done, x done, b done, c done", "install x, install a, install b, gate g, install c", "ok"},
		{"members that are not changed are not waited for", "=a@g\n~b@g\n~c: a", "", "", Options{Concurrency: 1},
			"a unchanged, b done, c done", "upgrade b, gate g, upgrade c", "ok"},
		{"a group of which nothing is applied has no gate", "=a@g\n-b@g", "", "", Options{},
			"a unchanged, b done", "uninstall b, forget b", "ok"},
		{"an uninstalled member is waited for", "-a@g\n~b@g", "", "", Options{Concurrency: 1},
			"a done, b done", "uninstall a, upgrade b, gate g, forget a", "ok"},
		{"the gate of a group fails every member, whichever ended last", "+a@g\n~b@g\n+c", "g", "", Options{Concurrency: 1, Scope: plan.ScopeRelease},
			"a undone, b undone, c skipped", "install a, upgrade b, gate g, rollback b, uninstall a, forget a", "undone"},
		{"a group with a failed member is not verified", "+a@g\n~b@g", "", "install a", Options{Concurrency: 1, KeepGoing: true},
			"a undone, b undone", "install a, upgrade b, rollback b, uninstall a, forget a", "undone"},
		{"a member's own gate comes first", "+a!@g", "", "", Options{},
			"a done", "install a, gate a, gate g", "ok"},
		{"a destroy verifies nothing", "", "", "", Options{}, "a done", "uninstall a, forget a", "ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				f.fail[tt.fail] = true
				p := build(t, f, tt.graph)
				if tt.graph == "" {
					p = build(t, f, "-a!@g")
					p.Mode = plan.ModeDestroy
				}
				w := workers(f)
				w.Verify = gates{f, map[string]bool{tt.bad: true}}
				r := Run(t.Context(), p, w, tt.opts)
				f.came(t, r, tt.outcomes, tt.log)
				if got := verdict(r); got != tt.code {
					t.Errorf("verdict %s, want %s", got, tt.code)
				}
			})
		})
	}
}

func TestAGroupIsToleratedOnlyWhenAllMembersAre(t *testing.T) {
	for _, strict := range []string{"a", "b", ""} {
		t.Run("strict: "+strict, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				p := build(t, f, "+a@g\n+b@g\n+later")
				for i := range p.Steps {
					p.Steps[i].Release.Options.ContinueOnError = p.Steps[i].Release.ID.Name != strict
				}
				w := workers(f)
				w.Verify = gates{f, map[string]bool{"g": true}}
				r := Run(t.Context(), p, w, Options{Concurrency: 1})
				want := "a undone, b undone, later skipped"
				if strict == "" {
					want = "a undone, b undone, later done"
				}
				if got := outcomes(r); got != want || r.Tolerated != (strict == "") {
					t.Errorf("outcomes %q (tolerated: %t), want %q", got, r.Tolerated, want)
				}
			})
		})
	}
}

func TestARunThatGoesOnVerifiesWhatWasNotVerified(t *testing.T) {
	tests := []struct {
		name     string
		bad      string
		prior    map[string]Prior
		outcomes string
		log      string
	}{
		{"the gates of a step that was cut off in them, and of its group", "", map[string]Prior{
			"a": {Outcome: OutcomeDone, Left: state.Trace{Began: true, Revision: 1}},
			"b": {Written: true, Left: state.Trace{Began: true, Revision: 1}}},
			"a done, b done, c done", "gate b, gate g, install c"},
		{"not those of what was done", "", map[string]Prior{
			"a": {Outcome: OutcomeDone, Left: state.Trace{Began: true, Revision: 1}},
			"b": {Outcome: OutcomeDone, Left: state.Trace{Began: true, Revision: 1}}},
			"a done, b done, c done", "install c"},
		{"and a group that fails then fails whole", "g", map[string]Prior{
			"a": {Outcome: OutcomeDone, Left: state.Trace{Began: true, Revision: 1}},
			"b": {Written: true, Left: state.Trace{Began: true, Revision: 1}}},
			"a undone, b undone, c skipped", "gate b, gate g, uninstall b, forget b, uninstall a, forget a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				prior := map[spec.ReleaseID]Prior{}
				for name, p := range tt.prior {
					prior[spec.ReleaseID{Name: name}] = p
					f.content[name], f.made[name] = 1, 1
				}
				w := workers(f)
				w.Resume, w.Verify = f, gates{f, map[string]bool{tt.bad: true}}
				r := Run(t.Context(), build(t, f, "+a@g\n+b!@g\n+c: a"), w, Options{Prior: prior, Concurrency: 1})
				f.came(t, r, tt.outcomes, tt.log)
			})
		})
	}
}

func TestAnInterruptEndsAGateAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		w := workers(f)
		w.Verify = gates{f, nil}
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(1500*time.Millisecond, cancel)
		r := Run(ctx, build(t, f, "~a!"), w, Options{})
		if got := outcomes(r); got != "a undone" || !r.Interrupted || time.Since(began) != 2500*time.Millisecond {
			t.Errorf("outcomes %q after %s, interrupted %t", got, time.Since(began), r.Interrupted)
		}
		if got := strings.Join(f.log, ", "); got != "upgrade a, rollback a" {
			t.Errorf("log %q", got)
		}
	})
}

func TestPostsyncHearsOfAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, h := newFleet(), &recordingHooks{}
		w := Workers{Releases: f, Undo: f, Hooks: h, Verify: gates{f, map[string]bool{"a": true}}}
		Run(t.Context(), build(t, f, "+a!"), w, Options{})
		if got := strings.Join(h.log, ", "); got != "preapply a, presync a, postsync a after boom, cleanup a" {
			t.Errorf("hooks %q", got)
		}
	})
}
