//go:build unix

package program_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/spec/program"
)

// A child that holds the output open would keep Run waiting for its lifetime.
func TestEndingAProgramEndsWhatItHasStarted(t *testing.T) {
	for name, script := range map[string]string{
		"a child in the foreground":  "echo up; sleep 600; true",
		"a child in the background":  "sleep 600 & echo up; wait",
		"nobody heeds the signal":    "trap '' TERM; sleep 600 & echo up; wait",
		"the program ends by itself": "trap 'exit 0' TERM; sleep 600 & echo up; wait",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why := errors.New("the user wants no more")
			ctx, stop := context.WithCancelCause(context.Background())
			cmd := exec.CommandContext(ctx, "sh", "-c", script)
			cmd.Stdout = stopAtOutput{stop: func() { stop(why) }}
			start := time.Now()
			if err := program.Run(ctx, cmd, 500*time.Millisecond); !errors.Is(err, why) {
				t.Errorf("error is %v", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

type stopAtOutput struct{ stop func() }

func (s stopAtOutput) Write(p []byte) (int, error) {
	s.stop()
	return len(p), nil
}

func TestRunGivesWhatTheProgramSays(t *testing.T) {
	ctx := context.Background()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-c", "sleep 600 & echo done")
	cmd.Stdout = &out
	if err := program.Run(ctx, cmd, 100*time.Millisecond); err != nil || strings.TrimSpace(out.String()) != "done" {
		t.Errorf("a program that leaves a process behind: %q, %v", out.String(), err)
	}
	var exit *exec.ExitError
	if err := program.Run(ctx, exec.CommandContext(ctx, "sh", "-c", "exit 3"), program.Grace); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("a program that fails: %v", err)
	}
}
