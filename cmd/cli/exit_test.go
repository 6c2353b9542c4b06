package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
)

func TestExitCode(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"done", nil, exitDone},
		{"changes", told{exitChanges}, exitChanges},
		{"changes, but a cleanup hook failed", errors.Join(told{exitChanges}, boom), exitFailed},
		{"undone, and a cleanup hook failed", errors.Join(told{exitUndone}, boom), exitUndone},
		{"busy", errors.Join(boom, plan.ErrBusy), exitBusy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitCode(t.Context(), tt.err); got != tt.want {
				t.Errorf("exit code %d, want %d", got, tt.want)
			}
		})
	}
}

func TestAnInterruptEndsAQuestion(t *testing.T) {
	stdin, typing := io.Pipe()
	defer typing.Close()
	v, err := view.New(view.FormatHuman, view.Streams{Out: io.Discard, Err: io.Discard}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{globals: &Globals{Interactive: true}, env: Env{Stdin: stdin}, view: v}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(Interrupt{os.Interrupt})
	if yes, err := s.confirm(ctx, plan.ModeApply); yes || !errors.As(err, new(Interrupt)) {
		t.Errorf("answer %t, error %v", yes, err)
	}
}
