package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// pending finds out who is at work on the releases that say so: a run of the same
// owner that is gone is no reason to wait. The records of runs are only read if
// there is such a release. What cannot be read leaves the question open.
func (s *session) pending(ctx context.Context, f *fleet, have state.Snapshot, policy plan.Policy) map[spec.ReleaseID]plan.Pending {
	var ids []spec.ReleaseID
	var contexts []string
	for _, id := range f.ids() {
		if have[id].Phase == state.PhasePending {
			ids, contexts = append(ids, id), append(contexts, id.Context)
		}
	}
	if len(ids) == 0 || policy.ForcePending {
		return nil
	}
	owner, err := f.spec.Owner()
	if err != nil {
		return nil // whoever needs it says why there is none
	}
	runs, err := s.runsIn(ctx, sortedOnce(contexts), owner)
	if err != nil {
		s.view.Warn("who left releases pending cannot be told: " + err.Error())
	}
	runs = slices.DeleteFunc(runs, func(r pastRun) bool { return r.Owner != owner.ID })
	found := map[spec.ReleaseID]plan.Pending{}
	for _, id := range ids {
		for i := range runs {
			k := s.known(runs, i, owner)
			if p, known := k.pending(id, have[id], s.env.Now()); known {
				found[id] = p
				if p.CutOff {
					s.view.Warn(fmt.Sprintf("%s: revision %d is %s since %s: %s was cut off there, so it is taken over",
						id, have[id].Last().Number, have[id].Last().Status, have[id].Last().Deployed.UTC().Format(time.RFC3339), "run "+k.ID))
				}
				break
			}
		}
	}
	return found
}

// pending tells whether the run was writing the newest revision of a release, and
// whether it still may.
func (k *knownRun) pending(id spec.ReleaseID, have state.Release, now time.Time) (plan.Pending, bool) {
	at := slices.IndexFunc(k.Steps, func(s journal.Step) bool { return s.Release == id })
	if at < 0 || !k.begun(at) {
		return plan.Pending{}, false
	}
	one := k.Recover(journal.Sight{Have: state.Snapshot{id: have}, Newer: k.newer})[at]
	if one.Standing != journal.StandingCutOff || one.Left.Revision != have.Last().Number {
		return plan.Pending{}, false
	}
	if k.Outlook(now) == journal.OutcomeRunning {
		return plan.Pending{By: fmt.Sprintf("run %s of %s, which gave a sign of life %s ago", k.ID, k.by(), took(now.Sub(k.Updated)))}, true
	}
	return plan.Pending{CutOff: true}, true
}
