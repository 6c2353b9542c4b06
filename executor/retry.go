package executor

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

const (
	// defaultRetries is how often a step is tried again. Single requests are
	// repeated by whoever sends them, which is what outlasts a server that is
	// gone; this is for what cannot be repeated alone.
	defaultRetries = 2
	firstPause     = time.Second
)

// persistent tries again what failed for a reason that passes, each time on top
// of what the attempt before has left.
type persistent struct {
	Releaser
	again   Resumer // nil: an install that has left a record is not tried again
	retries int
}

// persistent gives workers that try again.
func (o Options) persistent(w Workers) Workers {
	if o.Retries > 0 {
		w.Releases = persistent{w.Releases, w.Resume, o.Retries}
		w.Undo = persistentUndo{w.Undo, o.Retries}
	}
	return w
}

// Install implements Releaser.
func (p persistent) Install(ctx context.Context, r spec.Release, want *state.Revision) (state.Trace, error) {
	return persist(ctx, p.retries, func(ctx context.Context, left state.Trace) (state.Trace, error, bool) {
		if left.Revision > 0 {
			left, err := p.again.InstallAgain(ctx, r, left, want)
			return left, err, true
		}
		next, err := p.Releaser.Install(ctx, r, want)
		return left.Then(next), err, p.again != nil || next.Revision == 0
	})
}

// Upgrade implements Releaser.
func (p persistent) Upgrade(ctx context.Context, r spec.Release, have state.Release, want *state.Revision) (state.Trace, error) {
	return persist(ctx, p.retries, func(ctx context.Context, left state.Trace) (state.Trace, error, bool) {
		if left.Reinstalled {
			left, err := p.again.InstallAgain(ctx, r, left, want)
			return left, err, true
		}
		next, err := p.Releaser.Upgrade(ctx, r, after(have, left), want)
		return left.Then(next), err, p.again != nil || !next.Reinstalled
	})
}

// Uninstall implements Releaser.
func (p persistent) Uninstall(ctx context.Context, r spec.Release, have state.Release) (state.Trace, error) {
	return persist(ctx, p.retries, func(ctx context.Context, left state.Trace) (state.Trace, error, bool) {
		next, err := p.Releaser.Uninstall(ctx, r, after(have, left))
		return left.Then(next), err, true
	})
}

// after is a release as an attempt has left it.
func after(have state.Release, left state.Trace) state.Release {
	if left.Revision == 0 {
		return have
	}
	history := have.History
	if last := have.Last(); last != nil && last.Number == left.Revision {
		history = history[:len(history)-1]
		next := *last
		next.Status = left.Status
		have.History = append(history[:len(history):len(history)], next)
	} else {
		have.History = append(history[:len(history):len(history)], state.Revision{Number: left.Revision, Status: left.Status})
	}
	have.Phase = state.PhaseOf(left.Status)
	return have
}

// persist makes attempts as long as their error passes. What used up the
// patience of single requests is not tried again.
func persist(ctx context.Context, retries int, attempt func(context.Context, state.Trace) (left state.Trace, err error, repeatable bool)) (state.Trace, error) {
	var left state.Trace
	note := state.Retrying(ctx)
	pause := firstPause
	for tried := 1; ; tried++ {
		var exhausted atomic.Bool
		noting := state.WithRetries(ctx, func(r state.Retry) {
			if r.Attempt >= r.Of {
				exhausted.Store(true)
			}
			if note != nil {
				note(r)
			}
		})
		var err error
		var repeatable bool
		left, err, repeatable = attempt(noting, left)
		if err == nil || tried > retries || !repeatable || exhausted.Load() || ctx.Err() != nil || !errors.Is(err, state.ErrTransient) {
			return left, err
		}
		if note != nil {
			note(state.Retry{Attempt: tried + 1, Of: retries + 1, Pause: pause, Reason: err.Error()})
		}
		select {
		case <-ctx.Done():
			return left, err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// persistentUndo tries again to put back, on top of what the attempt before has
// left. Where that does not tell, the release is not as the next one expects it, and
// the error of the one before stays.
type persistentUndo struct {
	Undoer
	retries int
}

func (p persistentUndo) persist(ctx context.Context, attempt func(context.Context) error) error {
	var first error
	_, err := persist(ctx, p.retries, func(ctx context.Context, _ state.Trace) (state.Trace, error, bool) {
		err := attempt(ctx)
		if first != nil && errors.Is(err, state.ErrStale) {
			return state.Trace{}, first, false
		}
		first = err
		return state.Trace{}, err, true
	})
	return err
}

// Rollback implements Undoer.
func (p persistentUndo) Rollback(ctx context.Context, r spec.Release, to *state.Revision, left state.Trace) (state.Trace, error) {
	err := p.persist(ctx, func(ctx context.Context) (err error) {
		left, err = p.Undoer.Rollback(ctx, r, to, left)
		return err
	})
	return left, err
}

// Remove implements Undoer.
func (p persistentUndo) Remove(ctx context.Context, r spec.Release, left state.Trace) (gone state.Trace, err error) {
	err = p.persist(ctx, func(ctx context.Context) error {
		next, err := p.Undoer.Remove(ctx, r, left.Then(gone))
		gone = gone.Then(next)
		return err
	})
	return gone, err
}

// Forget implements Undoer.
func (p persistentUndo) Forget(ctx context.Context, r spec.Release, left state.Trace, above int) error {
	return p.persist(ctx, func(ctx context.Context) error { return p.Undoer.Forget(ctx, r, left, above) })
}

// DropNamespace implements Undoer.
func (p persistentUndo) DropNamespace(ctx context.Context, r spec.Release, left state.Trace) error {
	return p.persist(ctx, func(ctx context.Context) error { return p.Undoer.DropNamespace(ctx, r, left) })
}
