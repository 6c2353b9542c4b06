package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// reinstallIfForbidden is helmfile's updateStrategy.
const reinstallIfForbidden = "reinstallIfForbidden"

// reinstalls says whether an upgrade that failed is to be followed by an
// uninstall and an install: only what the API server cannot change in place is a
// reason. helmfile looks for "Forbidden: updates" in what helm prints.
func reinstalls(options spec.Options, err error) bool {
	return options.UpdateStrategy == reinstallIfForbidden && errors.Is(err, ErrImmutable)
}

// reinstall uninstalls what an upgrade left that failed because of cause, waits
// until the objects are gone, and installs want. The history is kept, so that
// Rollback can still restore what was there before.
func (e *Engine) reinstall(ctx context.Context, r spec.Release, want *state.Revision, left state.Trace, cause error) (state.Trace, error) {
	fail := func(err error) (state.Trace, error) {
		return left, fmt.Errorf("reinstalling %s: %w; it was tried because: %w", r.ID, err, cause)
	}
	gone, deleted, err := e.removeAndWait(ctx, r, left)
	left.Reinstalled = deleted // as long as everything is there, it can be changed back in place
	if left = left.Then(gone); err != nil {
		return fail(err)
	}
	o, err := e.begin(ctx, r)
	if err != nil {
		return fail(err)
	}
	err = o.run("installing", func() error { return o.install(ctx, want, o.expectNone) })
	if left = left.Then(o.trace()); err != nil {
		return fail(err)
	}
	return left, nil
}

// removeAndWait uninstalls what left says, and waits until the objects are gone:
// what comes next cannot change them in place. deleted tells whether any was.
func (e *Engine) removeAndWait(ctx context.Context, r spec.Release, left state.Trace) (gone state.Trace, deleted bool, err error) {
	r.Options.DeleteWait = true
	gone, deleted, err = e.remove(ctx, r, left)
	if errors.Is(err, state.ErrAdopted) {
		err = nil // what was taken over is updated, then
	}
	return gone, deleted, err
}
