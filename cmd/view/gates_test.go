package view

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

func gatedPlan() *plan.Plan {
	p := examplePlan()
	for i := range p.Steps {
		r := &p.Steps[i].Release
		r.AtomicGroup = "shop"
		r.Verify = []spec.Gate{
			{Kind: spec.GateHTTP, HTTP: spec.HTTPProbe{Reach: spec.Reach{URL: "https://user:hunter22@shop/x?token=sesame"}, Method: "GET"}},
			{Kind: spec.GatePrometheus, Name: "errors", For: 2 * time.Minute},
		}
		r.GroupVerify = []spec.Gate{{Kind: spec.GateCommand, Group: "shop", Command: spec.GateCommandRun{Argv: []string{"./smoke.sh", "hunter22"}}}}
	}
	return p
}

func TestGatesOfAPlan(t *testing.T) {
	out, _ := render(t, FormatHuman, func(v View) { v.Plan(gatedPlan(), PlanOptions{Context: 0}) })
	const want = `
+ n/new  install, chart app-1.1.0
    verified by http GET https://shop/x, errors for 2m0s
    then the group shop by command ./smoke.sh

- n/old  uninstall, chart app-1.0.0, revision 3, installed: false

`
	if !strings.Contains(out, want) || strings.Contains(out, "hunter22") || strings.Contains(out, "sesame") {
		t.Errorf("plan %s, want %s", out, want)
	}
	out, _ = render(t, FormatJSON, func(v View) { v.Plan(gatedPlan(), PlanOptions{}) })
	const lines = `"gates":[{"gate":"http GET https://shop/x","kind":"http"},{"gate":"errors","kind":"prometheus"},{"gate":"command ./smoke.sh","kind":"command","group":"shop"}]`
	if strings.Count(out, lines) != 2 || strings.Contains(out, "hunter22") {
		t.Errorf("plan %s, want two of %s", out, lines)
	}
}

func TestWhatAReleaseIsVerifiedBy(t *testing.T) {
	id := spec.ReleaseID{Context: "c", Namespace: "n", Name: "web"}
	out, errs := render(t, FormatHuman, func(v View) { v.Plan(examplePlan(), PlanOptions{Names: true}); v.Gate(id, "errors") })
	if errs != "  verifying n/web: errors\n" || strings.Contains(out, "verifying") {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
	out, _ = render(t, FormatJSON, func(v View) { v.Gate(id, "errors") })
	const want = `{"type":"gate","schema":"flotilla/v1","time":"2026-01-02T03:04:00Z","release":{"context":"c","namespace":"n","name":"web"},"gate":"errors"}` + "\n"
	if d := cmp.Diff(want, out); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
}

func TestARowSaysWhatItsReleaseIsVerifiedBy(t *testing.T) {
	p := examplePlan()
	l := &live{width: func() (int, int) { return 100, 40 }, now: func() time.Time { return at(9) }, index: map[spec.ReleaseID]int{}}
	l.rows, l.index[p.Steps[0].Release.ID] = []row{{id: p.Steps[0].Release.ID, step: p.Steps[0]}}, 0
	begin := executor.Event{Kind: executor.EventStarted, Time: at(0), Step: p.Steps[0]}
	l.event(begin)
	l.gate(p.Steps[0].Release.ID, "errors")
	if got := strings.Join(l.table(), "\n"); !strings.Contains(got, "n/web verifying: errors") || strings.Contains(got, "upgrading") {
		t.Errorf("table %s", got)
	}
	begin.Undo, begin.Step.Action = true, plan.ActionRollback
	l.event(begin)
	if got := strings.Join(l.table(), "\n"); !strings.Contains(got, "n/web rolling back") {
		t.Errorf("table %s", got)
	}
}

// TestWhatAProgramWroteIsToldOnce: with the release that failed, and not once more
// where the report says why it was put back.
func TestWhatAProgramWroteIsToldOnce(t *testing.T) {
	p := examplePlan()
	failed := errors.New(hooks.Told("h.yaml:1: the gate \"smoke\" was not passed: exit status 3", []string{"no stock", "", "  in shop"}))
	_, errs := render(t, FormatHuman, func(v View) {
		v.Event(executor.Event{Kind: executor.EventFinished, Step: p.Steps[0], Outcome: executor.OutcomeFailed, Err: failed})
		v.Report(executor.Report{UndoRan: true, Results: []executor.Result{{Step: p.Steps[0], Outcome: executor.OutcomeUndone, Err: failed}}, HookErrs: []error{failed}}, plan.ModeApply)
	})
	for _, want := range []string{
		` n/web failed (0.0s)
    h.yaml:1: the gate "smoke" was not passed: exit status 3
      its last output:
        no stock
          in shop
`,
		`, after h.yaml:1: the gate "smoke" was not passed: exit status 3
  Error: h.yaml:1: the gate "smoke" was not passed: exit status 3
      its last output:
        no stock
`,
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("%s\nis not in\n%s", want, errs)
		}
	}
}
