package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	rcommon "helm.sh/helm/v4/pkg/release/common"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// ErrNoRevision: the revision to go back to is not in the history.
var ErrNoRevision = errors.New("revision is not in the history")

// ErrNotUninstalled: records are removed only of a release that is uninstalled.
var ErrNotUninstalled = errors.New("the release is not uninstalled")

// Install makes want the first deployed revision of r, which is absent or has
// only history left; state.ErrStale tells that it is there by now. A failure, or
// a cancelled ctx, leaves a failed record. The error is a *state.OperationError
// where objects or hooks did not become ready.
func (e *Engine) Install(ctx context.Context, r spec.Release, want *state.Revision) (state.Trace, error) {
	o, err := e.begin(ctx, r)
	if err != nil {
		return state.Trace{}, fmt.Errorf("installing %s: %w", r.ID, err)
	}
	err = o.run("installing", func() error { return o.install(ctx, want, o.expectNone) })
	return o.trace(), err
}

// install asks free, when nothing is written yet, whether an install is possible.
func (o *operation) install(ctx context.Context, want *state.Revision, free func() error) error {
	options := o.release.Options
	frozen, err := o.freeze(state.Release{}, want)
	if err != nil {
		return err
	}
	if err := free(); err != nil {
		return err
	}
	if options.CreateNamespace {
		if err := o.createNamespace(ctx); err != nil {
			return err
		}
	}
	if err := o.takeOver(""); err != nil {
		return err
	}
	if o.left.CRDs, err = o.newCRDs(want); err != nil {
		return err
	}
	in := action.NewInstall(o.config)
	in.ReleaseName, in.Namespace = o.release.ID.Name, o.release.ID.Namespace
	in.Replace = true // only history may be there: Helm refuses anything else
	// The revision to go back to has to stay. The next upgrade drops what is too much.
	o.config.Releases.MaxHistory = 0
	in.ServerSideApply = options.ServerSide != "false"
	in.ForceReplace, in.ForceConflicts = options.ForceReplace, options.ForceConflicts
	in.TakeOwnership = options.TakeOwnership
	in.DisableHooks, in.SkipCRDs = options.DisableHooks, options.SkipCRDs
	in.WaitStrategy, in.WaitForJobs = strategy(options), waitForJobs(options)
	in.Timeout = timeoutOf(options.Timeout)
	in.Description, in.Labels = options.Description, want.Labels
	in.DisableOpenAPIValidation = true // see client.Build
	o.left.Began = true
	_, err = in.RunWithContext(context.Background(), frozen, copyMap(want.Values))
	return err
}

// Upgrade makes want the next revision of r. have is what the caller decided
// on: state.ErrStale tells that it moved. A newest record that is pending is marked as
// failed first; one that failed is upgraded as helm upgrade --install does. A
// failure, or a cancelled ctx, leaves a failed record. Where the release's
// updateStrategy says so, what cannot be changed in place is installed anew.
func (e *Engine) Upgrade(ctx context.Context, r spec.Release, have state.Release, want *state.Revision) (state.Trace, error) {
	o, err := e.begin(ctx, r)
	if err != nil {
		return state.Trace{}, fmt.Errorf("upgrading %s: %w", r.ID, err)
	}
	err = o.run("upgrading", func() error { return o.upgrade(have, want) })
	if reinstalls(r.Options, err) {
		return e.reinstall(ctx, r, want, o.trace(), err)
	}
	return o.trace(), err
}

func (o *operation) upgrade(have state.Release, want *state.Revision) error {
	options := o.release.Options
	if err := o.expect(have); err != nil {
		return err
	}
	frozen, err := o.freeze(have, want)
	if err != nil {
		return err
	}
	strays, err := o.strays()
	if err != nil {
		return err
	}
	if base := cmp.Or(have.Deployed(), have.Last()); base != nil {
		if err := o.takeOver(string(base.Stream) + strays); err != nil {
			return err
		}
	}
	up := action.NewUpgrade(o.config)
	up.Namespace = o.release.ID.Namespace
	up.ResetValues = true // want.Values are complete: nothing may be merged in
	up.ServerSideApply = serverSide(options)
	up.ForceReplace, up.ForceConflicts = options.ForceReplace, options.ForceConflicts
	up.TakeOwnership, up.CleanupOnFail = options.TakeOwnership, options.CleanupOnFail
	up.DisableHooks = options.DisableHooks
	up.WaitStrategy, up.WaitForJobs = strategy(options), waitForJobs(options)
	up.Timeout, up.MaxHistory = timeoutOf(options.Timeout), options.HistoryMax
	up.Description, up.Labels = options.Description, want.Labels
	up.DisableOpenAPIValidation = true // see client.Build
	o.left.Began = true
	_, err = up.RunWithContext(context.Background(), o.release.ID.Name, frozen, copyMap(want.Values))
	return err
}

// Rollback makes a new revision out of to, which must still be in the history,
// and so takes back the operation that left what is there: state.ErrStale tells
// that the newest record is another one by now. A release that was uninstalled
// with its history kept comes back this way. What is deployed already stays as
// it is, and what had failed, by to or else by its record, is put back without
// waiting for it, as failed as it was. An operation that left no record changed no
// object, so nothing is done. Fields that other managers have stay theirs unless
// forceConflicts is set: see client.yielding. What was installed anew is
// uninstalled first: it cannot be changed back in place either. The trace is what is
// there then: with it, a rollback that failed can be done again.
func (e *Engine) Rollback(ctx context.Context, r spec.Release, to *state.Revision, left state.Trace) (state.Trace, error) {
	if left.Reinstalled {
		gone, _, err := e.removeAndWait(ctx, r, left)
		if left = left.Then(gone); err != nil {
			return left, err
		}
	}
	o, err := e.begin(ctx, r)
	if err != nil {
		return left, fmt.Errorf("rolling back %s: %w", r.ID, err)
	}
	err = o.run("rolling back", func() error { return o.sparing(func() error { return o.rollback(to, left) }) })
	return left.Then(o.trace()), err
}

func (o *operation) rollback(to *state.Revision, left state.Trace) error {
	if left.Revision == 0 {
		return nil
	}
	if err := o.unmoved(left); err != nil {
		return err
	}
	if err := o.records.unlock(); err != nil {
		return err
	}
	if err := o.restart(); err != nil {
		return err
	}
	options := o.release.Options
	found, err := o.records.Get(recordKey(o.release.ID.Name, to.Number))
	if err != nil {
		return fmt.Errorf("%w: %d: %w", ErrNoRevision, to.Number, err)
	}
	target, err := typed(found)
	if err != nil {
		return err
	}
	last, err := o.records.last()
	if err != nil || last.Version == target.Version && last.Info.Status == rcommon.StatusDeployed {
		return err
	}
	// An uninstall since, and one that failed, has changed the status in its record.
	was := cmp.Or(to.Status, state.Status(target.Info.Status))
	failed := was == state.StatusFailed || was.Pending()
	back := action.NewRollback(o.config)
	back.Version = to.Number
	back.ServerSideApply = serverSide(options)
	back.ForceReplace, back.ForceConflicts = options.ForceReplace, options.ForceConflicts
	back.CleanupOnFail, back.DisableHooks = options.CleanupOnFail, options.DisableHooks
	back.WaitStrategy, back.WaitForJobs = strategy(options), waitForJobs(options)
	if failed {
		back.WaitStrategy, back.WaitForJobs = kube.HookOnlyStrategy, false
	}
	o.client.yields = !options.ForceConflicts
	// Without a limit of history: the revision to go back to has to stay until the
	// rollback is done, for whoever goes on with one that was cut off. The next
	// upgrade drops what is too much.
	back.Timeout = timeoutOf(options.Timeout)
	if err := back.Run(o.release.ID.Name); err != nil || !failed {
		return err
	}
	return o.records.fail(o.records.begun, fmt.Sprintf("Rollback to %d, which had failed", to.Number))
}

// Uninstall removes the objects of r and keeps its history, so that Rollback
// can restore it. have is what the caller decided on: state.ErrStale tells that
// it moved. A release that is not there is uninstalled already. A failure before
// all objects are deleted, or a cancelled ctx, leaves a failed record; where the
// record cannot be written, nothing is deleted.
func (e *Engine) Uninstall(ctx context.Context, r spec.Release, have state.Release) (state.Trace, error) {
	left, _, err := e.uninstall(ctx, r, func(o *operation) error { return o.expect(have) })
	return left, err
}

// Remove uninstalls what an Install left; state.ErrStale tells that the newest
// record is another one by now. An Install that left no record left no object.
func (e *Engine) Remove(ctx context.Context, r spec.Release, left state.Trace) (state.Trace, error) {
	left, _, err := e.remove(ctx, r, left)
	return left, err
}

func (e *Engine) remove(ctx context.Context, r spec.Release, left state.Trace) (gone state.Trace, deleted bool, err error) {
	if left.Revision == 0 {
		return state.Trace{}, false, nil
	}
	return e.uninstall(ctx, r, func(o *operation) error { return o.unmoved(left) })
}

// uninstall also tells whether an object of the release was deleted: it may fail
// before that.
func (e *Engine) uninstall(ctx context.Context, r spec.Release, check func(*operation) error) (left state.Trace, deleted bool, err error) {
	o, err := e.begin(ctx, r)
	if err != nil {
		return state.Trace{}, false, fmt.Errorf("uninstalling %s: %w", r.ID, err)
	}
	err = o.run("uninstalling", func() error {
		last, err := o.records.last()
		if err != nil || last == nil || last.Info.Status == rcommon.StatusUninstalled {
			return err
		}
		if err := check(o); err != nil {
			return err
		}
		return o.sparing(o.uninstall)
	})
	return o.trace(), o.client.deleted, err
}

func (o *operation) uninstall() error {
	history, err := o.records.all()
	if err != nil {
		return err
	}
	if len(history) > 0 {
		o.records.extra, err = o.leftovers(history, history[len(history)-1])
	}
	if err != nil {
		return err
	}
	options := o.release.Options
	un := action.NewUninstall(o.config)
	un.KeepHistory = true
	un.DisableHooks = options.DisableHooks
	un.DeletionPropagation = options.Cascade
	un.WaitStrategy = strategy(spec.Options{Wait: options.DeleteWait})
	un.Timeout = timeoutOf(options.DeleteTimeout)
	o.client.unmarked = o.records.unmarked
	o.left.Began = true
	_, err = un.Run(o.release.ID.Name)
	if err == nil {
		return o.remains(o.manifestOf(history))
	}
	if reasons := o.client.deleteErrs; len(reasons) > 0 {
		err = fmt.Errorf("%w: %w", err, errors.Join(reasons...))
	}
	return errors.Join(err, o.reopen(err))
}

// reopen marks a release as failed whose uninstall did not get to its end. Helm
// would leave it uninstalling, which neither upgrade nor rollback expects.
func (o *operation) reopen(cause error) error {
	last, err := o.records.last()
	if err != nil || last == nil || last.Info.Status != rcommon.StatusUninstalling {
		return err
	}
	return o.records.fail(last, fmt.Sprintf("Uninstall failed: %v", cause))
}

// Forget removes the records of an uninstalled release that are newer than the
// revision above, all of them when that is zero. What is left then is as it was
// before the release was installed: only history. left says what the newest record
// is to be; state.ErrStale tells that it is another one by now. A release without
// records is forgotten already.
func (e *Engine) Forget(ctx context.Context, r spec.Release, left state.Trace, above int) error {
	if err := e.forget(ctx, r, left, above); err != nil {
		return fmt.Errorf("removing the records of %s: %w", r.ID, err)
	}
	return nil
}

func (e *Engine) forget(ctx context.Context, r spec.Release, left state.Trace, above int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	to, err := e.target(r.ID)
	if err != nil {
		return err
	}
	requests := e.contexts(ctx)
	defer requests.end()
	records, err := e.recordsOf(ctx, requests.records, to, r.ID)
	if err != nil {
		return err
	}
	all, err := records.all()
	if err != nil || len(all) == 0 || all[len(all)-1].Version <= above {
		return err
	}
	last := all[len(all)-1]
	switch {
	case last.Info.Status != rcommon.StatusUninstalled:
		return fmt.Errorf("%w: revision %d is %s", ErrNotUninstalled, last.Version, last.Info.Status)
	case left.Revision > 0 && last.Version != left.Revision:
		return fmt.Errorf("%w: this run left revision %d, and the newest is %d", state.ErrStale, left.Revision, last.Version)
	}
	return records.dropAbove(above)
}
