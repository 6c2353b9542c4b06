package engine

import (
	"context"
	"fmt"

	rcommon "helm.sh/helm/v4/pkg/release/common"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// InstallAgain makes want the next revision of r, of which an install was cut off,
// or an upgrade that was installing it anew: an uninstall in the middle of that is
// ended first. Objects that are there already are updated, and the hooks of an
// install run. left is what the caller saw:
// state.ErrStale tells that it moved. Helm's own way, an upgrade of the failed
// release, would leave the hooks of the install out.
func (e *Engine) InstallAgain(ctx context.Context, r spec.Release, left state.Trace, want *state.Revision) (state.Trace, error) {
	if left.Reinstalled && left.Status == state.StatusUninstalling { // what cannot be changed in place may be there yet
		gone, _, err := e.removeAndWait(ctx, r, left)
		if left = left.Then(gone); err != nil {
			return left, fmt.Errorf("reinstalling %s: %w", r.ID, err)
		}
	}
	o, err := e.begin(ctx, r)
	if err != nil {
		return left, fmt.Errorf("installing %s: %w", r.ID, err)
	}
	err = o.run("installing", func() error {
		return o.install(ctx, want, func() error { return o.vacate(left) })
	})
	return left.Then(o.trace()), err
}

// vacate makes what left says ready for an install, which Helm refuses on top of
// anything but a failed or uninstalled revision.
func (o *operation) vacate(left state.Trace) error {
	left.Unsure = false // nothing is taken back
	if err := o.unmoved(left); err != nil {
		return err
	}
	if err := o.records.unlock(); err != nil {
		return err
	}
	last, err := o.records.last()
	if err != nil || last.Info.Status == rcommon.StatusFailed {
		return err
	}
	return o.expectNone()
}

// restart prepares the undoing of an operation that was cut off. Helm does not
// roll back from the middle of an uninstall; and it deletes what the newest
// revision has too much, which after a rollback that was cut off is not all that
// the revision before that one brought.
func (o *operation) restart() error {
	history, err := o.records.all()
	if err != nil || len(history) == 0 {
		return err
	}
	last := history[len(history)-1]
	if last.Info.Status == rcommon.StatusUninstalling {
		last = copyRelease(last)
		last.SetStatus(rcommon.StatusUninstalled, state.Interrupted+last.Info.Status.String())
		return o.records.Update(recordKey(last.Name, last.Version), last)
	}
	if last.Info.RollbackRevision > 0 && last.Info.Status == rcommon.StatusFailed {
		o.records.extra, err = o.leftovers(history, last)
	}
	return err
}
