package executor

import (
	"context"
	"errors"
	"time"
)

// lateHooks is the time that hooks have which begin when what they belong to has
// been cut off: nobody waits for long for one that hangs.
const lateHooks = time.Minute

var errLateHooks = errors.New("the minute is over that hooks have after a run was cut off")

// Late gives contexts for hooks that also have to run when ctx has ended. Until
// then it is ctx, so that what ends ctx ends a hook that has begun. Later it is one
// that all hooks have together that are still to come: it ends after a minute, or
// when abort is closed (nil: never). Neither function is safe for concurrent use.
func Late(ctx context.Context, abort <-chan struct{}) (now func() context.Context, end func()) {
	return lateFrom(ctx, func() (context.Context, context.CancelFunc) { return UntilAbort(ctx, abort) })
}

// late is Late for the hooks of a run, whose steps may end before it does: then an
// interrupt ends also what begins late. So does losing the fence.
func (o Options) late(run, steps context.Context) (now func() context.Context, end func()) {
	return lateFrom(steps, func() (context.Context, context.CancelFunc) {
		base, cancel := run, context.CancelFunc(func() {})
		if run.Err() != nil {
			base, cancel = UntilAbort(run, o.Abort)
		}
		fenced, stop := o.gate.until(base)
		return fenced, func() { stop(); cancel() }
	})
}

func lateFrom(ctx context.Context, begin func() (context.Context, context.CancelFunc)) (now func() context.Context, end func()) {
	var late context.Context
	over := func() {}
	now = func() context.Context {
		if ctx.Err() == nil {
			return ctx
		}
		if late == nil {
			base, cancel := begin()
			bounded, expire := context.WithTimeoutCause(base, lateHooks, errLateHooks)
			late, over = bounded, func() { expire(); cancel() }
		}
		return late
	}
	return now, func() { over() }
}
