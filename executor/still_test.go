package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// sights are what is to be seen of hooks, by name; of others nothing can be told.
type sights map[string]bool

func (s sights) Running(_ context.Context, _ spec.ReleaseID, object state.ObjectID) (bool, error) {
	runs, known := s[object.Name]
	if !known {
		return true, errors.New("it cannot be looked at")
	}
	return runs, nil
}

func TestAnUndoTellsWhichHooksStillRun(t *testing.T) {
	f := newFleet()
	f.fail = map[string]bool{"install a": true}
	p := build(t, f, "+a")
	hook := func(name string) state.Hook {
		return state.Hook{Name: name, Kind: "Job", Events: []state.HookEvent{state.HookPreInstall}}
	}
	p.Steps[0].Release.ID.Namespace = "shop"
	p.Steps[0].After.Hooks = []state.Hook{hook("busy"), hook("ended"), hook("hidden")}
	w := workers(f)
	w.Look = sights{"busy": true, "ended": false}
	var lost []plan.Lost
	synctest.Test(t, func(t *testing.T) { lost = Run(t.Context(), p, w, Options{}).Lost })
	var got []string
	for _, l := range lost {
		got = append(got, l.Object.Name+": "+l.Why)
	}
	want := []string{
		"busy: a hook that is still running, and nothing ends it; to end it: kubectl delete job busy --namespace shop",
		"ended: a hook may have run", "hidden: a hook may have run",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lost (-want +got):\n%s", d)
	}
	plain := []plan.Lost{{Object: state.ObjectID{Kind: "Job", Name: "busy"}, Why: "a Job may have run"}}
	if d := cmp.Diff(plain, StillRunning(t.Context(), plain, w.Look)); d != "" {
		t.Errorf("what is no hook is looked at (-want +got):\n%s", d)
	}
}
