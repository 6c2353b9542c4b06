package engine

import (
	"context"
	"fmt"
	"time"
)

// longestRender is how long the templates of one chart may run. It is far
// above what charts need, and there only because some never end.
const longestRender = 10 * time.Minute

var errTooLong = fmt.Errorf("%w: its templates have not ended after %s", ErrChart, longestRender)

// execute renders until ctx ends: a template that loops without printing does
// not look at it. What is then still running ends with the process.
func execute(ctx context.Context, render func() (map[string]string, error)) (map[string]string, error) {
	type outcome struct {
		files map[string]string
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		files, err := render()
		done <- outcome{files, err}
	}()
	select {
	case out := <-done:
		return out.files, brief(out.err)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// brief shortens the error of a template that includes itself: the library
// repeats every call that led there.
func brief(err error) error {
	const shown = 1000
	if err == nil || len(err.Error()) <= 4*shown {
		return err
	}
	text := err.Error()
	return &shortened{text: text[:shown] + " ... " + text[len(text)-shown:], err: err}
}

type shortened struct {
	text string
	err  error
}

func (s *shortened) Error() string { return s.text }

func (s *shortened) Unwrap() error { return s.err }
