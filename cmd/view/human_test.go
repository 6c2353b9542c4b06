package view

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func at(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }

func step(name string, action plan.Action, reason plan.Reason) plan.Step {
	rev := &state.Revision{Number: 3, Chart: state.Chart{Name: "app", Version: "1.0.0"}}
	s := plan.Step{Release: spec.Release{ID: spec.ReleaseID{Context: "c", Namespace: "n", Name: name}}, Action: action, Reason: reason, Before: rev}
	if action != plan.ActionUninstall {
		s.After = &state.Revision{Chart: state.Chart{Name: "app", Version: "1.1.0"}}
	}
	if action == plan.ActionInstall {
		s.Before = nil
	}
	return s
}

var change = diff.Change{Object: state.ObjectID{Kind: "ConfigMap", Namespace: "n", Name: "x"}, Op: diff.OpChange,
	Before: "data:\n  a: 1\n  b: 2\n", After: "data:\n  a: 1\n  b: 3\n"}

var trouble = &state.OperationError{Err: errors.New("not ready after 5s"), Troubles: []state.Trouble{{
	Object: state.ObjectID{Kind: "Pod", Namespace: "n", Name: "p"}, Message: "CrashLoopBackOff", Events: []string{"BackOff: again"},
	Logs: []state.LogTail{{Pod: "p", Container: "c", Lines: []string{"panic: no"}}}}}}

func render(t *testing.T, f Format, show func(v View)) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	v, err := New(f, Streams{Out: &out, Err: &errs}, func() time.Time { return at(0) })
	if err != nil {
		t.Fatal(err)
	}
	show(v)
	return out.String(), errs.String()
}

func examplePlan() *plan.Plan {
	up := step("web", plan.ActionUpgrade, plan.ReasonChanged)
	up.Changes = []diff.Change{change}
	return &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{up, step("new", plan.ActionInstall, plan.ReasonNew),
		step("old", plan.ActionUninstall, plan.ReasonNotWanted), step("same", plan.ActionNone, plan.ReasonUnchanged)}}
}

func TestPlanForPeople(t *testing.T) {
	out, errs := render(t, FormatHuman, func(v View) { v.Plan(examplePlan(), PlanOptions{Context: 0}) })
	want := `~ n/web  upgrade, chart app-1.0.0 -> app-1.1.0, revision 3
    ~ n/ConfigMap/x
      ... data
      -   b: 2
      +   b: 3

+ n/new  install, chart app-1.1.0

- n/old  uninstall, chart app-1.0.0, revision 3, installed: false

Plan: 1 to install, 1 to upgrade, 1 to uninstall, 1 unchanged.
`
	if d := cmp.Diff(want, out); d != "" || errs != "" {
		t.Errorf("plan (-want +got):\n%s\nstderr %q", d, errs)
	}
}

func TestSuppressedLinesAndKindsAreNotShownButCounted(t *testing.T) {
	byLine := examplePlan()
	byLine.Steps[0].Release.Options.SuppressLines = []string{`^\s*b:`}
	tests := []struct {
		name           string
		plan           *plan.Plan
		opts           PlanOptions
		human, machine string
	}{
		{"every differing line", byLine, PlanOptions{}, "    1 change not shown: 1 in suppressed lines only\n", `"notShown":{"byLine":1}`},
		{"a kind", examplePlan(), PlanOptions{Suppress: []string{"ConfigMap"}},
			"    1 change not shown: 1 of the suppressed kind ConfigMap\n", `"notShown":{"kinds":["ConfigMap"],"byKind":1}`},
		{"a kind, in two columns", examplePlan(), PlanOptions{Suppress: []string{"ConfigMap"}, Form: FormSideBySide},
			"    1 change not shown: 1 of the suppressed kind ConfigMap\n", `"notShown":{"kinds":["ConfigMap"],"byKind":1}`},
		{"every differing line, by path", byLine, PlanOptions{Form: FormPaths}, "    1 change not shown: 1 in suppressed lines only\n", `"notShown":{"byLine":1}`},
		{"a kind, names only", examplePlan(), PlanOptions{Suppress: []string{"ConfigMap"}, Names: true},
			"    1 change not shown: 1 of the suppressed kind ConfigMap\n", `"notShown":{"kinds":["ConfigMap"],"byKind":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, _ := render(t, FormatHuman, func(v View) { v.Plan(tt.plan, tt.opts) })
			if !strings.Contains(out, tt.human) || strings.Contains(out, "ConfigMap/x") || strings.Contains(out, "b: ") {
				t.Errorf("text:\n%s", out)
			}
			out, _ = render(t, FormatJSON, func(v View) { v.Plan(tt.plan, tt.opts) })
			if !strings.Contains(out, tt.machine) || strings.Contains(out, `"changes"`) {
				t.Errorf("JSON:\n%s", out)
			}
		})
	}
}

func exampleReport() executor.Report {
	p := examplePlan()
	return executor.Report{
		Started: at(0), Finished: at(19), UndoRan: true,
		Results: []executor.Result{
			{Step: p.Steps[0], Outcome: executor.OutcomeUndone, Err: trouble},
			{Step: p.Steps[1], Outcome: executor.OutcomeUndoFailed, Undo: errors.New("no such thing")},
			{Step: p.Steps[2], Outcome: executor.OutcomeSkipped, Because: "n/web failed"},
			{Step: p.Steps[3], Outcome: executor.OutcomeUnchanged},
		},
		Lost: []plan.Lost{{Release: p.Steps[0].Release.ID, Object: state.ObjectID{Kind: "Job", Name: "migrate"}, Why: "a hook may have run"}},
	}
}

func TestReportForPeople(t *testing.T) {
	out, errs := render(t, FormatHuman, func(v View) {
		v.Begin(examplePlan())
		v.Event(executor.Event{Kind: executor.EventStarted, Step: examplePlan().Steps[0]})
		v.Event(executor.Event{Kind: executor.EventFinished, Step: examplePlan().Steps[0], Outcome: executor.OutcomeFailed, Err: fmt.Errorf("upgrading n/web: %w", trouble), Elapsed: 5 * time.Second})
		v.End()
		v.Report(exampleReport(), plan.ModeApply)
	})
	want := `  upgrading n/web
✗ n/web failed (5.0s)
    upgrading n/web: not ready after 5s
    n/Pod/p: CrashLoopBackOff
      event: BackOff: again
      log of p/c:
        | panic: no

Failed: 1 unchanged, 1 undone, 1 not undone, 1 skipped in 19s.
  undone n/web: back to revision 3, after not ready after 5s
  not undone n/new: no such thing
  skipped n/old: n/web failed
  Not put back:
    Job/migrate of n/web: a hook may have run
`
	if d := cmp.Diff(want, errs); d != "" || out != "" {
		t.Errorf("report (-want +got):\n%s\nstdout %q", d, out)
	}
}

// A quiet run that fails must still say why.
func TestQuietStillTellsFailures(t *testing.T) {
	var errs bytes.Buffer
	v, err := New(FormatHuman, Streams{Out: &errs, Err: &errs, Quiet: true}, func() time.Time { return at(0) })
	if err != nil {
		t.Fatal(err)
	}
	web := step("web", plan.ActionUpgrade, plan.ReasonChanged)
	v.Event(executor.Event{Kind: executor.EventStarted, Step: web})
	v.Event(executor.Event{Kind: executor.EventFinished, Step: web, Outcome: executor.OutcomeDone})
	v.Report(executor.Report{Results: []executor.Result{{Step: web, Outcome: executor.OutcomeDone}}}, plan.ModeApply)
	if errs.Len() > 0 {
		t.Errorf("a quiet run that works says %q", errs.String())
	}
	v.Event(executor.Event{Kind: executor.EventFinished, Step: web, Outcome: executor.OutcomeFailed, Err: trouble})
	v.Report(executor.Report{Results: []executor.Result{{Step: web, Outcome: executor.OutcomeFailed, Err: trouble}}}, plan.ModeApply)
	for _, want := range []string{"web failed", "panic: no", "Failed: 1 failed"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, errs.String())
		}
	}
}

func TestJSONReportHasTheErrorsOfHooksAndRecords(t *testing.T) {
	out, _ := render(t, FormatJSON, func(v View) {
		v.Report(executor.Report{HookErrs: []error{errors.New("preapply: no")}, RecordErrs: []error{errors.New("history stays")}}, plan.ModeApply)
	})
	for _, want := range []string{`"hookErrors":[{"message":"preapply: no"}]`, `"recordErrors":[{"message":"history stays"}]`} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %s:\n%s", want, out)
		}
	}
}

func TestJSONIsOneObjectALine(t *testing.T) {
	out, errs := render(t, FormatJSON, func(v View) {
		v.Plan(examplePlan(), PlanOptions{})
		v.Report(exampleReport(), plan.ModeApply)
		v.Error(errors.Join(errors.New("one"), trouble))
	})
	want := `{"type":"plan","schema":"flotilla/v1","time":"2026-01-02T03:04:00Z","mode":"apply","steps":[{"release":{"context":"c","namespace":"n","name":"web"},"action":"upgrade","reason":"changed","chart":"app-1.1.0","revision":3,"changes":[{"op":"change","kind":"ConfigMap","namespace":"n","name":"x","before":"data:\n  a: 1\n  b: 2\n","after":"data:\n  a: 1\n  b: 3\n","diff":"...\n-   b: 2\n+   b: 3\n"}]},{"release":{"context":"c","namespace":"n","name":"new"},"action":"install","reason":"not installed","chart":"app-1.1.0"},{"release":{"context":"c","namespace":"n","name":"old"},"action":"uninstall","reason":"installed: false","chart":"app-1.0.0","revision":3},{"release":{"context":"c","namespace":"n","name":"same"},"action":"none","reason":"unchanged","chart":"app-1.1.0","revision":3}]}
{"type":"report","schema":"flotilla/v1","time":"2026-01-02T03:04:00Z","mode":"apply","failed":true,"interrupted":false,"undone":false,"seconds":19,"results":[{"release":{"context":"c","namespace":"n","name":"web"},"action":"upgrade","outcome":"undone","seconds":0,"error":{"message":"not ready after 5s","troubles":[{"object":"n/Pod/p","message":"CrashLoopBackOff","events":["BackOff: again"],"logs":[{"pod":"p","container":"c","lines":["panic: no"]}]}]}},{"release":{"context":"c","namespace":"n","name":"new"},"action":"install","outcome":"undo failed","seconds":0,"undoError":{"message":"no such thing"}},{"release":{"context":"c","namespace":"n","name":"old"},"action":"uninstall","outcome":"skipped","because":"n/web failed","seconds":0},{"release":{"context":"c","namespace":"n","name":"same"},"action":"none","outcome":"unchanged","seconds":0}],"notUndone":["c/n/web: Job/migrate: a hook may have run"]}
`
	wantErrs := `{"type":"error","schema":"flotilla/v1","time":"2026-01-02T03:04:00Z","message":"one"}
{"type":"error","schema":"flotilla/v1","time":"2026-01-02T03:04:00Z","message":"not ready after 5s","troubles":[{"object":"n/Pod/p","message":"CrashLoopBackOff","events":["BackOff: again"],"logs":[{"pod":"p","container":"c","lines":["panic: no"]}]}]}
`
	if d := cmp.Diff(want+wantErrs, out+errs); d != "" || out != want {
		t.Errorf("JSON (-want +got):\n%s\nstdout %q", d, out)
	}
}

func TestFlattenOpensJoinsAndKeepsMessagesWhole(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	both := fmt.Errorf("%w at home: %w", a, b)
	if got := Flatten(errors.Join(a, errors.Join(both, b))); len(got) != 3 || got[1] != both {
		t.Errorf("Flatten = %v", got)
	}
}

func TestLiveTableShowsWhatRunsAndWhatWaitsForWhat(t *testing.T) {
	var errs bytes.Buffer
	p := examplePlan()
	p.Edges = []plan.Edge{{From: plan.Node{Release: p.Steps[0].Release.ID}, To: plan.Node{Release: p.Steps[1].Release.ID}, Kind: plan.EdgeNeeds}}
	h := newHuman(Streams{Out: &errs, Err: &errs, Live: true, Width: func() (int, int) { return 60, 20 }}, func() time.Time { return at(7) })
	l := newLive(h, p)
	defer l.close()
	l.event(executor.Event{Kind: executor.EventStarted, Time: at(2), Step: p.Steps[0]})
	l.mu.Lock()
	got := strings.Join(l.table(), "\n")
	l.mu.Unlock()
	want := "  ▸ n/web upgrading    5.0s\n  · n/new waits for n/web\n  · n/old waits\n  0 of 3 ended"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
}

func TestLiveTableTellsOfAReleaseWhatItWaitsForThroughGatesAndUnchangedReleases(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{step("a", plan.ActionUpgrade, plan.ReasonChanged), step("b", plan.ActionUpgrade, plan.ReasonChanged),
		step("same", plan.ActionNone, plan.ReasonUnchanged), step("late", plan.ActionUpgrade, plan.ReasonChanged),
		step("c", plan.ActionUpgrade, plan.ReasonChanged), step("d", plan.ActionUpgrade, plan.ReasonChanged), step("last", plan.ActionUpgrade, plan.ReasonChanged)}}
	node := func(i int) plan.Node { return plan.Node{Release: p.Steps[i].Release.ID} }
	gate := func(name string) plan.Node { return plan.Node{Gate: name} }
	order := func(from, to plan.Node) plan.Edge { return plan.Edge{From: from, To: to, Kind: plan.EdgeFileOrder} }
	p.Edges = []plan.Edge{order(node(0), gate("one")), order(node(2), gate("one")), order(gate("one"), gate("two")), order(gate("two"), node(3)),
		order(node(1), node(2)), order(node(0), node(6)), order(node(1), node(6)), order(node(4), node(6)), order(node(5), node(6))}
	h := newHuman(Streams{Out: io.Discard, Err: io.Discard, Live: true, Width: func() (int, int) { return 60, 20 }}, func() time.Time { return at(7) })
	l := newLive(h, p)
	defer l.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := l.waitsFor(l.rows[2]); got != " waits for n/a, n/b" {
		t.Errorf("late%s", got)
	}
	if got := l.waitsFor(l.rows[5]); got != " waits for n/a, n/b, n/c and others" {
		t.Errorf("last%s", got)
	}
	l.rows[0].ended = true
	if got := l.waitsFor(l.rows[2]); got != " waits for n/b" {
		t.Errorf("late%s", got)
	}
	l.width = func() (int, int) { return 60, 7 }
	if got := strings.Join(l.table(), "\n"); got != "  · n/b waits\n  · n/late waits for n/b\n  … and 3 more\n  1 of 6 ended" {
		t.Errorf("cut table:\n%s", got)
	}
}

func TestEachStreamHasItsOwnColour(t *testing.T) {
	var out, errs bytes.Buffer
	v, err := New(FormatHuman, Streams{Out: &out, Err: &errs, Color: true}, func() time.Time { return at(0) })
	if err != nil {
		t.Fatal(err)
	}
	v.Plan(examplePlan(), PlanOptions{})
	v.Error(trouble)
	v.Report(exampleReport(), plan.ModeApply)
	if !strings.Contains(out.String(), "\x1b[") || strings.Contains(errs.String(), "\x1b[") {
		t.Errorf("out %q\nerr %q", out.String(), errs.String())
	}
	v, err = New(FormatHuman, Streams{Out: &out, Err: &errs, ErrColor: true}, func() time.Time { return at(0) })
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	v.Plan(examplePlan(), PlanOptions{})
	v.Warn("careful")
	if strings.Contains(out.String(), "\x1b[") || !strings.Contains(errs.String(), "\x1b[33mWarning: ") {
		t.Errorf("out %q\nerr %q", out.String(), errs.String())
	}
}

func TestADestroyOfNothingSaysSo(t *testing.T) {
	out, _ := render(t, FormatHuman, func(v View) {
		v.Plan(&plan.Plan{Mode: plan.ModeDestroy, Steps: []plan.Step{step("a", plan.ActionNone, plan.ReasonAbsent)}}, PlanOptions{})
	})
	if out != "Nothing to uninstall: none of the selected releases is installed.\n" {
		t.Errorf("output %q", out)
	}
}
