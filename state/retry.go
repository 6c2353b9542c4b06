package state

import (
	"context"
	"errors"
	"time"
)

// ErrTransient marks what failed for a reason that passes by itself, such as a
// server that was restarted: whoever decided on the operation may try it again.
var ErrTransient = errors.New("it may pass")

// Transient marks an error as ErrTransient without changing its text. Nil stays nil.
func Transient(err error) error {
	if err == nil || errors.Is(err, ErrTransient) {
		return err
	}
	return transient{err}
}

type transient struct{ error }

// Is makes it ErrTransient.
func (transient) Is(target error) bool { return target == ErrTransient }

// Unwrap gives the error that is marked.
func (t transient) Unwrap() error { return t.error }

// Retry is one more attempt at something that failed for a reason that passes.
type Retry struct {
	What    string        // such as "PATCH deployments/web"; empty: the whole step
	Attempt int           // the one to come: 2 is the first that repeats
	Of      int           // attempts at most
	Pause   time.Duration // before it
	Reason  string        // why the one before failed, in one line
}

type retryKey struct{}

// WithRetries gives a context under which note is told of every attempt that is
// repeated. It may be called by several goroutines at once.
func WithRetries(ctx context.Context, note func(Retry)) context.Context {
	return context.WithValue(ctx, retryKey{}, note)
}

// Retrying is whom to tell of repeated attempts; nil: nobody.
func Retrying(ctx context.Context) func(Retry) {
	note, _ := ctx.Value(retryKey{}).(func(Retry))
	return note
}
