package executor

import (
	"context"
	"sync"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Fence says whether a run may still write, such as a lock that can be lost. It
// must be safe for concurrent use.
type Fence interface {
	// Check is asked right before every write of a step, and of an undo. It may wait
	// until it knows, at most as long as ctx. Any other error than the cause of that
	// keeps the run from writing from then on.
	Check(ctx context.Context) error
	// Lost is closed when Check fails; nil: it never does. What runs is cut off then.
	Lost() <-chan struct{}
}

// gate stands between a run and what it writes.
type gate struct {
	fence Fence

	mu     sync.Mutex
	closed error
}

func (g *gate) check(ctx context.Context) error {
	if g.fence == nil {
		return nil
	}
	err := g.fence.Check(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil && err != nil && !cancelled(ctx, err) {
		g.closed = err
	}
	if g.closed != nil {
		return g.closed
	}
	return err
}

// was gives the error that closed the gate; nil: none did.
func (g *gate) was() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// until gives a context that ends when the fence is lost, with that as its cause.
func (g *gate) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	if g.fence != nil {
		watching.Go(func() {
			select {
			case <-g.fence.Lost():
				cancel(g.check(ctx))
			case <-ctx.Done():
			}
		})
	}
	return ctx, func() { cancel(nil); watching.Wait() }
}

// guard gives the workers with the gate before everything that writes.
func (g *gate) guard(w Workers) Workers {
	w.Releases, w.Undo, w.Hooks = guardedReleaser{g, w.Releases}, guardedUndoer{g, w.Undo}, guardedHooks{g, w.Hooks}
	if w.Resume != nil {
		w.Resume = guardedResumer{g, w.Resume}
	}
	return w
}

// guardedHooks starts no hook when the gate is closed: nobody knows what one writes.
type guardedHooks struct {
	gate *gate
	to   HookRunner
}

// Fire implements HookRunner. Only who is asked knows whether a hook is due.
func (g guardedHooks) Fire(ctx context.Context, event spec.HookEvent, r spec.Release, cause error) error {
	if err := g.gate.check(ctx); err != nil {
		ended, end := context.WithCancelCause(ctx)
		end(err)
		ctx = ended
	}
	return g.to.Fire(ctx, event, r, cause)
}

type guardedResumer struct {
	gate *gate
	to   Resumer
}

func (g guardedResumer) InstallAgain(ctx context.Context, r spec.Release, left state.Trace, want *state.Revision) (state.Trace, error) {
	if err := g.gate.check(ctx); err != nil {
		return left, before(err)
	}
	return g.to.InstallAgain(ctx, r, left, want)
}

type guardedReleaser struct {
	gate *gate
	to   Releaser
}

func (g guardedReleaser) Install(ctx context.Context, r spec.Release, want *state.Revision) (state.Trace, error) {
	if err := g.gate.check(ctx); err != nil {
		return state.Trace{}, before(err)
	}
	return g.to.Install(ctx, r, want)
}

func (g guardedReleaser) Upgrade(ctx context.Context, r spec.Release, have state.Release, want *state.Revision) (state.Trace, error) {
	if err := g.gate.check(ctx); err != nil {
		return state.Trace{}, before(err)
	}
	return g.to.Upgrade(ctx, r, have, want)
}

func (g guardedReleaser) Uninstall(ctx context.Context, r spec.Release, have state.Release) (state.Trace, error) {
	if err := g.gate.check(ctx); err != nil {
		return state.Trace{}, before(err)
	}
	return g.to.Uninstall(ctx, r, have)
}

type guardedUndoer struct {
	gate *gate
	to   Undoer
}

func (g guardedUndoer) Rollback(ctx context.Context, r spec.Release, to *state.Revision, left state.Trace) (state.Trace, error) {
	if err := g.gate.check(ctx); err != nil {
		return left, err
	}
	return g.to.Rollback(ctx, r, to, left)
}

func (g guardedUndoer) Remove(ctx context.Context, r spec.Release, left state.Trace) (state.Trace, error) {
	if err := g.gate.check(ctx); err != nil {
		return state.Trace{}, err
	}
	return g.to.Remove(ctx, r, left)
}

func (g guardedUndoer) Forget(ctx context.Context, r spec.Release, left state.Trace, above int) error {
	if err := g.gate.check(ctx); err != nil {
		return err
	}
	return g.to.Forget(ctx, r, left, above)
}

func (g guardedUndoer) DropNamespace(ctx context.Context, r spec.Release, left state.Trace) error {
	if err := g.gate.check(ctx); err != nil {
		return err
	}
	return g.to.DropNamespace(ctx, r, left)
}
