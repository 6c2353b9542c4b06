package plan

import (
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Restoration is a release whose objects were compared with what was deployed.
type Restoration struct {
	Release    spec.Release
	Have       state.Release
	Changes    []diff.Change // that put back what was deployed; none: nothing drifted
	Drift      []live.Drift
	Objections []Objection
}

// Restore is the plan that puts back what was deployed. A step of it upgrades a
// release to the revision that it has: whoever executes it applies that once more,
// and renders nothing.
func Restore(all []Restoration, files []spec.File) (*Plan, error) {
	p := &Plan{Mode: ModeApply}
	for _, r := range all {
		s := Step{Release: r.Release, Have: r.Have, Base: newest(r.Have), Action: ActionNone, Reason: ReasonUnchanged}
		if s.Have.Phase == "" {
			s.Have = state.Release{ID: r.Release.ID, Phase: state.PhaseAbsent}
		}
		if s.Before = Stored(s.Have); s.Before != nil && len(r.Changes) > 0 {
			s.Action, s.Reason, s.After = ActionUpgrade, ReasonDrifted, s.Before
			s.Changes, s.Drift, s.Objections = r.Changes, r.Drift, r.Objections
		}
		p.Steps = append(p.Steps, s)
	}
	return order(p, files)
}
