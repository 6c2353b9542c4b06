package report

import (
	"bytes"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/cmd/view/viewtest"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

var _ = flag.Bool("update", false, "write the golden files anew")

// hostile is what formats stumble over: markup of each of them, ends of their
// containers, control characters, bytes that are no UTF-8, text that runs from
// right to left.
const hostile = "a|b <b>&amp; ``` ```` ]]> \x00\x1b[31m \xff\xfe --> @all #1 $x$ \"q\" 'q' \\ {{x}} [l](u) \u202e \r\n| x |\n# t\n- [ ] y\n</details>\n"

func id(name string) spec.ReleaseID {
	return spec.ReleaseID{Context: "prod", Namespace: "shop", Name: name}
}

func clockAt(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }

func planned(name string, action plan.Action) plan.Step {
	s := plan.Step{
		Release: spec.Release{ID: id(name), Pos: spec.Pos{File: "/repo/env/helmfile.yaml", Line: 7, Col: 3}},
		Action:  action, Reason: plan.ReasonChanged,
		Before: &state.Revision{Number: 3, Chart: state.Chart{Name: "app", Version: "1.0.0"}},
		After:  &state.Revision{Chart: state.Chart{Name: "app", Version: "1.1.0"}},
	}
	switch action {
	case plan.ActionInstall:
		s.Before, s.Reason = nil, plan.ReasonNew
	case plan.ActionUninstall:
		s.After, s.Reason = nil, plan.ReasonNotWanted
	case plan.ActionNone:
		s.Reason = plan.ReasonUnchanged
	case plan.ActionUpgrade, plan.ActionRollback, plan.ActionRemove:
	}
	return s
}

func changed() diff.Change {
	return diff.Change{
		Object: state.ObjectID{Kind: "ConfigMap", Namespace: "shop", Name: "web"}, Op: diff.OpChange,
		Before: "data:\n  a: 1\n  b: 2\n", After: "data:\n  a: 1\n  b: 3\n",
	}
}

// compared is a diff of a quiet day.
func compared() Run {
	up := planned("web", plan.ActionUpgrade)
	up.Changes = []diff.Change{changed()}
	up.Causes = []plan.Cause{{Kind: plan.CauseChart, Subject: "app", Before: "1.0.0", After: "1.1.0"}}
	return Run{
		Command: "diff", Environment: "prod", Owner: "git.example/fleet, environment prod", Flotilla: "1.2.3", StateFile: "/repo/env/helmfile.yaml",
		Plan: &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{
			up, planned("new", plan.ActionInstall), planned("old", plan.ActionUninstall), planned("same", plan.ActionNone),
		}},
		Show: view.PlanOptions{Context: 3}, Ended: clockAt(59),
	}
}

// undone is an apply that failed and was undone but for one thing.
func undone() Run {
	r := compared()
	r.Command, r.ExitCode = "apply", 7
	trouble := &state.OperationError{Err: errors.New("upgrading: not ready after 5s"), Troubles: []state.Trouble{{
		Object: state.ObjectID{Kind: "Pod", Namespace: "shop", Name: "web-1"}, Message: "CrashLoopBackOff",
		Events: []string{"BackOff: again"}, Logs: []state.LogTail{{Pod: "web-1", Container: "c", Lines: []string{"panic: no"}}},
	}}}
	r.Mode = plan.ModeApply
	r.Executed = &executor.Report{
		Started: clockAt(0), Finished: clockAt(19), UndoRan: true,
		Results: []executor.Result{
			{Step: r.Plan.Steps[0], Outcome: executor.OutcomeUndone, Err: trouble, Elapsed: 5 * time.Second},
			{Step: r.Plan.Steps[1], Outcome: executor.OutcomeUndoFailed, Undo: errors.New("no such thing"), Elapsed: 1500 * time.Millisecond},
			{Step: r.Plan.Steps[2], Outcome: executor.OutcomeSkipped, Because: "shop/web failed"},
			{Step: r.Plan.Steps[3], Outcome: executor.OutcomeUnchanged},
		},
		Lost:     []plan.Lost{{Release: id("web"), Object: state.ObjectID{Kind: "Job", Name: "migrate"}, Why: "a hook may have run"}},
		HookErrs: []error{errors.New("hook cleanup: exit status 1")},
	}
	r.Warnings = []string{"this run is not recorded"}
	return r
}

// drifted is a look for drift that could not see everything.
func drifted() Run {
	object := state.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
	rule := &spec.DriftIgnore{Pos: spec.Pos{File: "/repo/env/helmfile.yaml", Line: 3, Col: 5}}
	r := compared()
	r.Command, r.ExitCode, r.Plan = "drift", 1, nil
	r.Errors = []error{errors.New("context other: no answer")}
	r.Declared = map[spec.ReleaseID]spec.Pos{id("web"): {File: "/repo/env/helmfile.yaml", Line: 7, Col: 3}}
	r.Look = view.DriftOptions{Against: plan.LevelLive}
	r.Drift = &drift.Report{
		Releases: []spec.ReleaseID{id("db"), id("web")}, Objects: 12,
		Findings: []drift.Finding{
			{Kind: drift.KindChanged, Release: id("web"), Revision: 3, Object: object, Field: ".spec.replicas", Declared: "2", Live: "5",
				Manager: "kubectl-edit", Operation: "Update", Time: clockAt(1)},
			{Kind: drift.KindRemoved, Release: id("web"), Revision: 3, Object: object, Field: ".spec.paused", Declared: "true"},
			{Kind: drift.KindMissing, Release: id("web"), Revision: 3, Object: state.ObjectID{Kind: "Service", Namespace: "shop", Name: "web"}},
			{Kind: drift.KindOutside, Release: id("web"), Revision: 4, Manager: "helm", Time: clockAt(2), Text: "revision 4 was made outside flotilla"},
		},
		Ignored: []drift.Ignored{{Finding: drift.Finding{Kind: drift.KindChanged, Release: id("web"), Object: object, Field: ".spec.template", Declared: "1", Live: "2"},
			Because: "the team does that", Rule: rule}},
		Unseen: []drift.Unseen{{Release: id("db"), Objects: []state.ObjectID{object}, Err: errors.New("not allowed to list")}},
		Notes:  []drift.Note{{Text: "a rule matches nothing"}},
	}
	return r
}

// fixed is a look for drift after which it was put back.
func fixed() Run {
	r := drifted()
	r.ExitCode, r.Errors, r.Drift.Unseen = 0, nil, nil
	r.Drift.Findings = r.Drift.Findings[:3]
	step := planned("web", plan.ActionUpgrade)
	step.Reason = plan.ReasonDrifted
	r.Plan = &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{step}}
	r.Mode = plan.ModeApply
	r.Executed = &executor.Report{Started: clockAt(0), Finished: clockAt(2), Results: []executor.Result{{Step: step, Outcome: executor.OutcomeDone, Elapsed: time.Second}}}
	return r
}

// nasty has the hostile text wherever a text can stand.
func nasty() Run {
	r := undone()
	r.Command, r.Environment, r.Owner, r.Flotilla = hostile, hostile, hostile, hostile
	object := state.ObjectID{Group: hostile, Kind: hostile, Namespace: hostile, Name: hostile}
	s := &r.Plan.Steps[0]
	s.Release.ID, s.Release.Pos.File = spec.ReleaseID{Context: hostile, Namespace: hostile, Name: hostile}, "/repo/"+strings.ReplaceAll(hostile, "\x00", "")
	s.After.Chart, s.Before.Chart = state.Chart{Name: hostile, Version: hostile}, state.Chart{Name: "x" + hostile, Version: hostile}
	s.Changes = []diff.Change{
		{Object: object, Op: diff.OpChange, Before: hostile + "1\n", After: hostile + "2\n" + strings.Repeat("`", 40) + "\n"},
		{Object: object, Op: diff.OpAdd, Hook: true, After: hostile},
	}
	s.Causes = []plan.Cause{{Kind: plan.CauseValue, Subject: hostile, Op: diff.OpChange, Before: hostile, After: hostile}}
	s.Objections = []plan.Objection{{Kind: plan.ObjectionRefused, Object: object, Field: hostile, Message: hostile}}
	s.Drift = []live.Drift{{Change: diff.Change{Object: object, Op: diff.OpChange}, Fields: []live.Field{{Path: hostile, Was: hostile, Is: hostile, By: hostile}}}}
	x := &r.Executed.Results[0]
	x.Step, x.Err = *s, &state.OperationError{Err: errors.New(hostile), Troubles: []state.Trouble{{Object: object, Message: hostile,
		Events: []string{hostile}, Logs: []state.LogTail{{Pod: hostile, Container: hostile, Lines: []string{hostile}}}}}}
	r.Executed.Lost[0].Why, r.Executed.Results[2].Because = hostile, hostile
	r.Errors, r.Warnings = []error{errors.New(hostile), &spec.Error{Pos: spec.Pos{File: "a b/" + hostile, Line: 1}, Err: errors.New(hostile)}}, []string{hostile}
	d := drifted().Drift
	for i := range d.Findings {
		f := &d.Findings[i]
		f.Release, f.Declared, f.Live, f.Manager, f.Text = s.Release.ID, hostile, hostile, hostile, hostile
		f.Object, f.Field = object, hostile
	}
	d.Unseen[0] = drift.Unseen{Release: s.Release.ID, Objects: []state.ObjectID{object}, Err: errors.New(hostile)}
	d.Ignored[0].Because, d.Ignored[0].Object = hostile, object
	r.Drift = d
	return r
}

func written(t *testing.T, f Format, r Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f, r, Options{Dir: "/repo/env", Root: "/repo"}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// runs are one run of every sort.
func runs() map[string]Run {
	refused := compared()
	refused.ExitCode, refused.Plan = 1, nil
	refused.Errors = []error{&spec.Error{Pos: spec.Pos{File: "/repo/env/values.yaml", Line: 4, Col: 2}, Field: "releases", Err: errors.New("unknown key")}}
	quiet := compared()
	quiet.Plan = &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{planned("same", plan.ActionNone)}}
	stopped := undone()
	stopped.ExitCode, stopped.Executed.Interrupted = 130, true
	unplanned := undone()
	unplanned.Plan = nil
	differs := compared()
	differs.ExitCode = 2
	return map[string]Run{
		"diff": compared(), "fixed": fixed(), "changes": differs, "unplanned": unplanned, "apply": undone(), "drift": drifted(), "nasty": nasty(),
		"refused": refused, "quiet": quiet, "interrupted": stopped, "nothing": {Command: "diff", Ended: clockAt(59)},
	}
}

func TestReportsAreAsTheyWere(t *testing.T) {
	endings := map[Format]string{FormatJSON: "json", FormatJUnit: "xml", FormatMarkdown: "md", FormatPrometheus: "prom", FormatSARIF: "sarif"}
	for _, name := range []string{"diff", "apply", "drift"} {
		for _, f := range Formats() {
			path := filepath.Join("testdata", name+"."+endings[f])
			t.Run(path, func(t *testing.T) {
				viewtest.Golden(t, path, written(t, f, runs()[name]))
			})
		}
	}
}

// TestNoReportHasControlCharactersOrWhatIsNoUTF8 leaves to JSON, which is data,
// what turns the direction of a text.
func TestNoReportHasControlCharactersOrWhatIsNoUTF8(t *testing.T) {
	for name, r := range runs() {
		for _, f := range Formats() {
			got := written(t, f, r)
			if !utf8.ValidString(got) {
				t.Errorf("%s of %s is not UTF-8", f, name)
			}
			bad := func(c rune) bool {
				return c != utf8.RuneError && unprintable(c) && (f != FormatJSON || !unicode.Is(unicode.Bidi_Control, c))
			}
			if i := strings.IndexFunc(got, bad); i >= 0 {
				t.Errorf("%s of %s has %q", f, name, got[max(0, i-20):min(len(got), i+20)])
			}
		}
	}
}

func TestReportsOfWhatWasNotExecutedTellNoTime(t *testing.T) {
	for _, name := range []string{"diff", "drift", "quiet", "refused"} {
		for _, f := range Formats() {
			first, second := runs()[name], runs()[name]
			second.Ended = second.Ended.Add(time.Hour)
			a, b := written(t, f, first), written(t, f, second)
			if f == FormatPrometheus {
				if a == b {
					t.Errorf("%s of %s does not tell when the run ended", f, name)
				}
				a, b = withoutLine(a, "flotilla_run_timestamp_seconds{"), withoutLine(b, "flotilla_run_timestamp_seconds{")
			}
			if d := cmp.Diff(a, b); d != "" {
				t.Errorf("%s of %s differs an hour later:\n%s", f, name, d)
			}
		}
	}
}

func withoutLine(s, prefix string) string {
	var b strings.Builder
	for l := range strings.Lines(s) {
		if !strings.HasPrefix(l, prefix) {
			b.WriteString(l)
		}
	}
	return b.String()
}

func TestARunThatGoesOnReportsAllThatItEndedWith(t *testing.T) {
	before, left := planned("before", plan.ActionUpgrade), planned("left", plan.ActionUpgrade)
	back := planned("before", plan.ActionRollback)
	recorded := planned("left", plan.ActionUpgrade)
	recorded.After, recorded.Changes = &state.Revision{}, []diff.Change{changed()}
	tests := []struct {
		name    string
		run     Run
		want    []string // of Markdown
		failing int      // test cases
	}{
		{"with what it had done before", Run{Command: "resume",
			Plan: &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{left}},
			Executed: &executor.Report{Results: []executor.Result{
				{Step: before, Outcome: executor.OutcomeDone}, {Step: left, Outcome: executor.OutcomeDone},
			}}},
			[]string{
				"Plan: 0 to install, 1 to upgrade, 0 to uninstall, 0 unchanged.", "**Done: 2 upgraded in ",
				"| &#126; | <code>shop/before</code> | upgrade | <code>app-1.0.0</code> → <code>app-1.1.0</code> | done |\n| &#126; | <code>shop/left</code> |",
			}, 0},
		{"with what was put back of that", Run{Command: "resume", ExitCode: 6,
			Plan: &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{left}},
			Executed: &executor.Report{UndoRan: true, Results: []executor.Result{
				{Step: before, Outcome: executor.OutcomeUndone}, {Step: left, Outcome: executor.OutcomeUndone, Err: errors.New("no")},
			}}},
			[]string{"put back: 2 undone", "<code>shop/before</code>: undone"}, 2},
		{"as put back where that was asked for", Run{Command: "resume",
			Plan: &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{back}}, Show: view.PlanOptions{Undo: true},
			Executed: &executor.Report{UndoRan: true, UndoAsked: true, Results: []executor.Result{
				{Step: before, Outcome: executor.OutcomeUndone}, {Step: recorded, Outcome: executor.OutcomeSkipped, Because: "it was never begun"},
			}}},
			[]string{
				"Plan: 1 to roll back, 0 to remove.", "**Put back: 1 undone, 1 skipped in ", "| rollback |",
				"| &#126; | <code>shop/left</code> | upgrade | <code>app-1.0.0</code> | skipped |\n",
			}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := written(t, FormatMarkdown, tt.run)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			if strings.Contains(got, "<details><summary>") {
				t.Errorf("differences of steps that nothing is known of:\n%s", got)
			}
			xml := written(t, FormatJUnit, tt.run)
			if n := strings.Count(xml, "<testcase "); n != 3 {
				t.Errorf("%d test cases, of the command and two releases, in\n%s", n, xml)
			}
			if n := strings.Count(xml, "<failure "); n != tt.failing {
				t.Errorf("%d of them fail in\n%s", n, xml)
			}
		})
	}
}

func TestAnUnknownFormatIsNamed(t *testing.T) {
	err := Write(&bytes.Buffer{}, "html", Run{}, Options{})
	if err == nil || !strings.Contains(err.Error(), `"html"`) || !strings.Contains(err.Error(), "prometheus or sarif") {
		t.Errorf("got %v", err)
	}
}
