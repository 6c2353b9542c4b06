//go:build !unix

package program

import (
	"os/exec"
	"time"
)

// group bounds the time that cmd may hold its output open after it was
// killed. Systems without process groups end only the process itself.
func group(cmd *exec.Cmd, grace time.Duration) (release func()) {
	cmd.WaitDelay = grace
	return func() {}
}
