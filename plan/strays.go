package plan

import (
	"slices"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

// strays are the objects that other revisions than the stored one may have left:
// those that were tried since it was deployed, or before it when none ever was, and
// failed. The step takes away what of them it does not want.
func strays(s Step, options diff.Options) []diff.Change {
	if s.Before == nil || s.Have.Phase == state.PhaseDeployed {
		return nil
	}
	options.NoHooks = true
	var found []diff.Change
	known := slices.Clone(s.Changes)
	for _, r := range slices.Backward(s.Have.History) {
		switch {
		case r.Number == s.Before.Number:
			continue
		case r.Number < s.Before.Number && (s.Before.Status == state.StatusDeployed || r.Status != state.StatusFailed):
			return found
		}
		changes, err := diff.Revisions(&r, s.After, options)
		if err != nil {
			continue // its text cannot be read, and so is nothing that was applied
		}
		for _, c := range changes {
			same := func(k diff.Change) bool { return k.Object == c.Object }
			if c.Op == diff.OpRemove && !slices.ContainsFunc(known, same) {
				found, known = append(found, c), append(known, c)
			}
		}
	}
	return found
}
