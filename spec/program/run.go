package program

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Grace is the time that a program has to end after it was asked to, where
// nobody says another.
const Grace = 5 * time.Second

// Run starts cmd, which was made with ctx, and waits for it. When ctx ends, cmd
// and on Unix all that it has started is asked to end, and killed after grace;
// the error is then the cause of ctx. On Unix cmd is a process group of its own,
// so that the terminal's interrupt reaches only us. A program that ended well
// and left a process behind that holds its output open has ended well; that
// process is waited for no longer than grace.
func Run(ctx context.Context, cmd *exec.Cmd, grace time.Duration) error {
	release := group(cmd, grace)
	err := cmd.Run()
	release()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		return nil
	default:
		return err
	}
}
