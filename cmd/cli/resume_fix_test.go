package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/journal"
)

func TestAFixIsNeitherFinishedNorUndone(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &session{globals: &Globals{}}
	const again = "flotilla drift --fix --selector 'tier=web' --environment prod puts back"
	for _, tt := range []struct {
		name     string
		outcome  journal.Outcome
		finished time.Time
		again    bool
	}{
		{"cut off", journal.OutcomeRunning, time.Time{}, true},
		{"failed", journal.OutcomeFailed, at, true},
		{"undo incomplete", journal.OutcomeUndoIncomplete, at, true},
		{"done", journal.OutcomeDone, at, false},
		{"undone", journal.OutcomeUndone, at, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := journal.Run{
				ID: "x", Command: "drift", Environment: "prod", Selector: []string{"tier=web"}, Outcome: tt.outcome, Updated: at, Finished: tt.finished,
				Steps: []journal.Step{{State: journal.StateFailed}},
			}
			k := &knownRun{pastRun: pastRun{Run: run}}
			resumed, rolledBack := s.unfinishable(k), k.reversible(time.Now())
			if !errors.Is(resumed, errUsage) || strings.Contains(resumed.Error(), again) != tt.again || strings.Contains(resumed.Error(), "rollback --run") {
				t.Errorf("resume: %v", resumed)
			}
			if !errors.Is(rolledBack, errUsage) || !strings.Contains(rolledBack.Error(), "the drift that it took away is not kept") {
				t.Errorf("rollback: %v", rolledBack)
			}
			next := s.fixNext(&k.pastRun, at.Add(time.Hour))
			if strings.Contains(next, again) != tt.again || strings.Contains(next, "resume") || strings.Contains(next, "rollback") {
				t.Errorf("history show: %q", next)
			}
		})
	}
	k := &knownRun{pastRun: pastRun{Run: journal.Run{ID: "x", Command: "apply"}}}
	if err := s.unfinishable(k); err != nil {
		t.Errorf("an apply: %v", err)
	}
}

// What a fix left pending is known to be nobody's.
func TestAKilledFixLeavesWhatIsTakenOver(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	id := spec.ReleaseID{Namespace: "n", Name: "web"}
	run := journal.Run{
		ID: "x", Command: "drift", Writer: writer, Outcome: journal.OutcomeRunning, Started: at, Updated: at,
		Steps: []journal.Step{{Release: id, Action: "upgrade", Base: 1, BaseAt: at.Add(-time.Hour), BaseStatus: state.StatusDeployed, Back: 1, BackStatus: state.StatusDeployed, Intended: 2, State: journal.StateRunning, Started: at}},
	}
	have := state.Release{ID: id, Phase: state.PhasePending, History: []state.Revision{
		{Number: 1, Status: state.StatusDeployed, Deployed: at.Add(-time.Hour), Writer: writer},
		{Number: 2, Status: state.StatusPendingRollback, Deployed: at, Writer: writer, RolledBack: 1},
	}}
	k := &knownRun{pastRun: pastRun{Run: run}}
	if p, known := k.pending(id, have, at.Add(time.Hour)); !known || !p.CutOff {
		t.Errorf("when it is gone: %+v, %v", p, known)
	}
	if p, known := k.pending(id, have, at.Add(time.Second)); !known || p.CutOff || p.By == "" {
		t.Errorf("while it lives: %+v, %v", p, known)
	}
}
