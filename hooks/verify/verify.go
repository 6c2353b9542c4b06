// Package verify runs gates: it asks servers, starts programs and lets charts test
// themselves, until what was installed is seen to work or the time is over.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
)

// Options are what gates need beside themselves.
type Options struct {
	// Programs starts the programs of gates.
	Programs *hooks.Runner
	// Test runs the tests of a release's chart.
	Test func(ctx context.Context, r spec.Release, gate spec.Gate) error
	// Redact takes secrets out of what a server answered; nil: there are none.
	Redact func(text string) string
	Now    func() time.Time // nil: time.Now
}

// Runner runs gates. Safe for concurrent use.
type Runner struct{ opts Options }

// New makes a Runner.
func New(opts Options) *Runner {
	if opts.Redact == nil {
		opts.Redact = func(text string) string { return text }
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Runner{opts: opts}
}

// Error says that a gate was not passed.
type Error struct {
	Gate  string // its title
	Group string // whose; empty: the release's own
	Pos   spec.Pos
	Want  string // what was expected; empty: Err says all
	Tries int
	Err   error // what was seen last
	// Output are the last lines of a program, at most 20, without secrets.
	Output []string
}

// Error prints the place first, as compilers do.
func (e *Error) Error() string {
	var b strings.Builder
	if at := e.Pos.String(); at != "" {
		b.WriteString(at + ": ")
	}
	fmt.Fprintf(&b, "the gate %q", e.Gate)
	if e.Group != "" {
		fmt.Fprintf(&b, " of the group %s", e.Group)
	}
	b.WriteString(" was not passed: ")
	if e.Want != "" {
		b.WriteString("expected " + e.Want + ", ")
	}
	b.WriteString(e.Err.Error())
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (try %d)", e.Tries)
	}
	return hooks.Told(b.String(), e.Output)
}

// Unwrap gives what was seen last.
func (e *Error) Unwrap() error { return e.Err }

// Run tries a gate of r until it is passed, or will not be any more. A gate of a
// group has no release. told, which may be nil, hears what the gate waits for.
// When ctx ends the error is its cause; all others are *Error.
func (r *Runner) Run(ctx context.Context, rel spec.Release, g spec.Gate, told func(text string)) error {
	if told == nil {
		told = func(string) {}
	}
	t, err := r.trial(rel, g)
	if err != nil {
		return &Error{Gate: g.Title(), Group: g.Group, Pos: g.Pos, Err: err}
	}
	if t.close != nil {
		defer t.close()
	}
	if err := r.pass(ctx, g, t, told); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for the gate %q: %w", g.Title(), context.Cause(ctx))
		}
		err.Gate, err.Group, err.Pos = g.Title(), g.Group, g.Pos
		var program said
		if errors.As(err.Err, &program) {
			err.Output = program.lines
		}
		return err
	}
	return nil
}

// trial is one kind of gate, ready to be tried.
type trial struct {
	want  string // what a try expects; empty: its error says all
	try   func(ctx context.Context) error
	close func()
}

// hopeless marks an answer that trying again does not change.
type hopeless struct{ error }

// Unwrap gives the answer.
func (h hopeless) Unwrap() error { return h.error }

func (r *Runner) trial(rel spec.Release, g spec.Gate) (trial, error) {
	switch g.Kind {
	case spec.GateHTTP:
		return r.probe(g)
	case spec.GatePrometheus:
		return r.query(g)
	case spec.GateTest:
		return trial{try: func(ctx context.Context) error { return r.opts.Test(ctx, rel, g) }}, nil
	case spec.GateCommand:
		return r.command(g), nil
	default:
		return trial{}, fmt.Errorf("unknown kind of gate %q", g.Kind)
	}
}

// pass tries a gate until it is passed, and then for as long as it has to stay so.
// The error lacks gate and place.
func (r *Runner) pass(ctx context.Context, g spec.Gate, t trial, told func(string)) *Error {
	began := r.opts.Now()
	var held time.Time // since when it is passed; zero: it is not yet
	for tries := 1; ; tries++ {
		if tries == 1 {
			told(phase(g, held))
		}
		err := r.once(ctx, g, t)
		now := r.opts.Now()
		if ctx.Err() != nil {
			return &Error{Err: context.Cause(ctx)}
		}
		var rest time.Duration
		switch {
		case err == nil && held.IsZero() && g.For > 0:
			held, rest = now, g.For
			told(phase(g, held))
		case err == nil && now.Sub(held) >= g.For:
			return nil
		case err == nil:
			rest = g.For - now.Sub(held)
		case !held.IsZero():
			want := t.want + " for " + g.For.String()
			return &Error{Want: want, Tries: tries, Err: fmt.Errorf("after %s %w", now.Sub(held).Round(time.Second/10), err)}
		case errors.As(err, new(hopeless)) || now.Sub(began) >= g.Within:
			return &Error{Want: within(t.want, g.Within), Tries: tries, Err: err}
		default:
			rest = g.Within - now.Sub(began)
		}
		if !sleep(ctx, min(g.Interval, rest)) {
			return &Error{Err: context.Cause(ctx)}
		}
	}
}

func within(want string, span time.Duration) string {
	if span > 0 && want != "" {
		want += " within " + span.String()
	}
	return want
}

func phase(g spec.Gate, held time.Time) string {
	if held.IsZero() {
		return g.Title()
	}
	return g.Title() + ", which has to hold for " + g.For.String()
}

// once is one try in its time.
func (r *Runner) once(ctx context.Context, g spec.Gate, t trial) error {
	if g.Timeout <= 0 || g.Kind == spec.GateTest {
		return t.try(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, g.Timeout, tooLong{g.Timeout})
	defer cancel()
	err := t.try(ctx)
	if err == nil || !errors.As(context.Cause(ctx), new(tooLong)) {
		return err
	}
	var program said
	if errors.As(err, &program) {
		return said{context.Cause(ctx), program.lines}
	}
	return context.Cause(ctx)
}

// tooLong is the end of a try that has its time used up.
type tooLong struct{ after time.Duration }

// Error says which time.
func (t tooLong) Error() string { return "it took longer than " + t.after.String() }

// sleep waits, and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// drain leaves a connection ready for the next try.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxBody) // what it says does not matter any more
	_ = body.Close()
}
