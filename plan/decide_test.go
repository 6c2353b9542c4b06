package plan

import (
	"errors"
	"testing"

	"github.com/flotilla-sh/flotilla/state"
)

// The whole table, cell by cell: phase, whether it is wanted, whether it
// differs, and the mode.
func TestDecide(t *testing.T) {
	type cell struct {
		action Action
		reason Reason
		busy   bool
	}
	busy := cell{busy: true}
	tests := []struct {
		name                         string
		phase                        state.Phase
		pol                          Policy
		unwanted, unchanged, changed cell
	}{
		{"apply on an absent release", state.PhaseAbsent, Policy{Mode: ModeApply},
			cell{ActionNone, ReasonAbsent, false}, cell{ActionInstall, ReasonNew, false}, cell{ActionInstall, ReasonNew, false}},
		{"apply on a deployed release", state.PhaseDeployed, Policy{Mode: ModeApply},
			cell{ActionUninstall, ReasonNotWanted, false}, cell{ActionNone, ReasonUnchanged, false}, cell{ActionUpgrade, ReasonChanged, false}},
		{"sync on a deployed release", state.PhaseDeployed, Policy{Mode: ModeSync},
			cell{ActionUninstall, ReasonNotWanted, false}, cell{ActionUpgrade, ReasonSync, false}, cell{ActionUpgrade, ReasonChanged, false}},
		{"destroy of a deployed release", state.PhaseDeployed, Policy{Mode: ModeDestroy},
			cell{ActionUninstall, ReasonDestroy, false}, cell{ActionUninstall, ReasonDestroy, false}, cell{ActionUninstall, ReasonDestroy, false}},
		{"destroy of an absent release", state.PhaseAbsent, Policy{Mode: ModeDestroy},
			cell{ActionNone, ReasonAbsent, false}, cell{ActionNone, ReasonAbsent, false}, cell{ActionNone, ReasonAbsent, false}},
		{"a failed release is applied again though its objects are as wanted", state.PhaseFailed, Policy{Mode: ModeApply},
			cell{ActionUninstall, ReasonNotWanted, false}, cell{ActionUpgrade, ReasonFailed, false}, cell{ActionUpgrade, ReasonFailed, false}},
		{"a failed release is destroyed", state.PhaseFailed, Policy{Mode: ModeDestroy},
			cell{ActionUninstall, ReasonDestroy, false}, cell{ActionUninstall, ReasonDestroy, false}, cell{ActionUninstall, ReasonDestroy, false}},
		{"a pending release is busy", state.PhasePending, Policy{Mode: ModeApply}, busy, busy, busy},
		{"a pending release is busy for destroy too", state.PhasePending, Policy{Mode: ModeDestroy}, busy, busy, busy},
		{"a pending release is taken over by force", state.PhasePending, Policy{Mode: ModeApply, ForcePending: true},
			cell{ActionUninstall, ReasonNotWanted, false}, cell{ActionUpgrade, ReasonPending, false}, cell{ActionUpgrade, ReasonPending, false}},
		{"a cut-off uninstall is finished, then installed if wanted", state.PhaseUninstalling, Policy{Mode: ModeApply},
			cell{ActionUninstall, ReasonUninstalling, false}, cell{ActionInstall, ReasonUninstalling, false}, cell{ActionInstall, ReasonUninstalling, false}},
		{"a release of which only history is left is installed", state.PhaseUninstalled, Policy{Mode: ModeApply},
			cell{ActionNone, ReasonAbsent, false}, cell{ActionInstall, ReasonUninstalled, false}, cell{ActionInstall, ReasonUninstalled, false}},
	}
	for _, tt := range tests {
		for _, c := range []struct {
			name            string
			wanted, changed bool
			want            cell
		}{
			{"not wanted", false, false, tt.unwanted},
			{"wanted and equal", true, false, tt.unchanged},
			{"wanted and different", true, true, tt.changed},
		} {
			t.Run(tt.name+"/"+c.name, func(t *testing.T) {
				action, reason, err := Decide(Observation{Phase: tt.phase, Wanted: c.wanted, Changed: c.changed}, tt.pol)
				if got := (cell{action, reason, errors.Is(err, ErrBusy)}); got != c.want {
					t.Errorf("Decide = %+v, want %+v (error %v)", got, c.want, err)
				}
			})
		}
	}
}

func TestDecideTakesOverWhatIsKnownToBeCutOff(t *testing.T) {
	for mode, want := range map[Mode]Action{ModeApply: ActionUpgrade, ModeSync: ActionUpgrade, ModeDestroy: ActionUninstall} {
		action, _, err := Decide(Observation{Phase: state.PhasePending, Wanted: true, CutOff: true}, Policy{Mode: mode})
		if action != want || err != nil {
			t.Errorf("%s chose %q, %v; want %s", mode, action, err, want)
		}
	}
}

func TestDecideOnDrift(t *testing.T) {
	tests := []struct {
		name   string
		o      Observation
		pol    Policy
		action Action
		reason Reason
	}{
		{"what is as stored but not as it is live is applied again", Observation{Phase: state.PhaseDeployed, Wanted: true, Drifted: true}, Policy{}, ActionUpgrade, ReasonDrifted},
		{"a change is the better reason", Observation{Phase: state.PhaseDeployed, Wanted: true, Changed: true, Drifted: true}, Policy{}, ActionUpgrade, ReasonChanged},
		{"what is not wanted goes as it is", Observation{Phase: state.PhaseDeployed, Drifted: true}, Policy{}, ActionUninstall, ReasonNotWanted},
		{"a failed release is applied again because it failed", Observation{Phase: state.PhaseFailed, Wanted: true, Drifted: true}, Policy{}, ActionUpgrade, ReasonFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			action, reason, err := Decide(tt.o, tt.pol)
			if action != tt.action || reason != tt.reason || err != nil {
				t.Errorf("got %s, %s, %v; want %s, %s", action, reason, err, tt.action, tt.reason)
			}
		})
	}
}

func TestDecideRefusesAPhaseItDoesNotKnow(t *testing.T) {
	if a, _, err := Decide(Observation{Phase: "thawing"}, Policy{}); err == nil {
		t.Errorf("Decide = %q without error", a)
	}
}

func FuzzDecideIsTotal(f *testing.F) {
	f.Add("deployed", true, true, false, "apply", false, false)
	f.Add("pending", false, false, true, "destroy", true, false)
	f.Add("pending", true, false, false, "apply", false, true)
	f.Fuzz(func(t *testing.T, phase string, wanted, changed, drifted bool, mode string, force, cutOff bool) {
		action, reason, err := Decide(Observation{Phase: state.Phase(phase), Wanted: wanted, Changed: changed, Drifted: drifted, CutOff: cutOff}, Policy{Mode: Mode(mode), ForcePending: force})
		if (err == nil) != (action != "" && reason != "") {
			t.Errorf("action %q, reason %q, error %v", action, reason, err)
		}
		if err == nil && Mode(mode) == ModeDestroy && (action == ActionInstall || action == ActionUpgrade) {
			t.Errorf("destroy chose %q", action)
		}
	})
}
