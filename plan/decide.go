package plan

import (
	"errors"
	"fmt"

	"github.com/flotilla-sh/flotilla/state"
)

// ErrBusy says that another operation may still be running on a release.
var ErrBusy = errors.New("another operation is in progress")

// Observation is what Decide looks at: how the release is, what is wanted, and
// how both compare.
type Observation struct {
	Phase   state.Phase
	Wanted  bool
	Changed bool // the wanted objects or hooks differ from the stored ones
	Drifted bool // the live objects differ from the stored ones
	CutOff  bool // of state.PhasePending: whoever began the operation is known to be gone
}

// Decide is the whole table of actions. It is total: an observation that it
// does not know is an error, and so is a release that is busy (ErrBusy).
func Decide(o Observation, pol Policy) (Action, Reason, error) {
	wanted := o.Wanted && pol.Mode != ModeDestroy
	switch o.Phase {
	case state.PhaseAbsent:
		if wanted {
			return ActionInstall, ReasonNew, nil
		}
		return ActionNone, ReasonAbsent, nil
	case state.PhaseUninstalled:
		if wanted {
			return ActionInstall, ReasonUninstalled, nil
		}
		return ActionNone, ReasonAbsent, nil
	case state.PhaseDeployed:
		return decideDeployed(wanted, o, pol)
	case state.PhaseFailed:
		return applyOrDelete(wanted, ReasonFailed, pol)
	case state.PhasePending:
		// No age tells that nobody is at work: hooks and waits of another run may
		// take longer than any timeout that is known here.
		if !pol.ForcePending && !o.CutOff {
			return "", "", ErrBusy
		}
		return applyOrDelete(wanted, ReasonPending, pol)
	case state.PhaseUninstalling:
		if wanted {
			return ActionInstall, ReasonUninstalling, nil
		}
		return ActionUninstall, ReasonUninstalling, nil
	default:
		return "", "", fmt.Errorf("no action is known for phase %q", o.Phase)
	}
}

func decideDeployed(wanted bool, o Observation, pol Policy) (Action, Reason, error) {
	switch {
	case !wanted:
		return applyOrDelete(false, "", pol)
	case o.Changed:
		return ActionUpgrade, ReasonChanged, nil
	case o.Drifted:
		return ActionUpgrade, ReasonDrifted, nil
	case pol.Mode == ModeSync:
		return ActionUpgrade, ReasonSync, nil
	default:
		return ActionNone, ReasonUnchanged, nil
	}
}

func applyOrDelete(wanted bool, why Reason, pol Policy) (Action, Reason, error) {
	switch {
	case wanted:
		return ActionUpgrade, why, nil
	case pol.Mode == ModeDestroy:
		return ActionUninstall, ReasonDestroy, nil
	default:
		return ActionUninstall, ReasonNotWanted, nil
	}
}
