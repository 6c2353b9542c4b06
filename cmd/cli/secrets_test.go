package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/state"
)

func TestEventsOnStdoutShowNoSecret(t *testing.T) {
	const password = "swordfish"
	var out strings.Builder
	plain, err := view.New(view.FormatJSON, view.Streams{Out: &out, Err: &out}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := &secrets{}
	s.met.Learn([]string{password})
	s.view(plain).Event(executor.Event{
		Kind: executor.EventRetrying, Because: "of " + password, Err: errors.New("cannot use " + password), Retry: state.Retry{Reason: "no " + password},
	})
	if strings.Contains(out.String(), password) || strings.Count(out.String(), "(masked)") != 3 {
		t.Errorf("told is %s", &out)
	}
}

func TestReportsOnStdoutShowNoSecret(t *testing.T) {
	const password = "swordfish"
	bad := errors.New("cannot use " + password)
	report := executor.Report{
		Results: []executor.Result{
			{Outcome: executor.OutcomeUndoFailed, Err: bad, Undo: bad},
			{Outcome: executor.OutcomeSkipped, Because: "it ran with " + password},
		},
		HookErrs:   []error{bad},
		RecordErrs: []error{bad},
		Lost:       []plan.Lost{{Why: "a hook ran with " + password}},
		UndoRan:    true,
	}
	for _, format := range []view.Format{view.FormatJSON, view.FormatHuman} {
		var out strings.Builder
		plain, err := view.New(format, view.Streams{Out: &out, Err: &out}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		s := &secrets{}
		s.met.Learn([]string{password})
		s.view(plain).Report(report, plan.ModeApply)
		if strings.Contains(out.String(), password) || strings.Count(out.String(), "(masked)") < 5 {
			t.Errorf("%s:\n%s", format, &out)
		}
	}
	if fmt.Sprint(report.RecordErrs, report.Lost) != fmt.Sprint([]error{bad}, []plan.Lost{{Why: "a hook ran with " + password}}) {
		t.Error("the report itself has changed")
	}
}
