//go:build !unix

package hooks

import (
	"os/exec"
	"time"
)

// groupProcess bounds the time that cmd may hold its output open after it was
// killed. Systems without process groups end only the process itself.
func groupProcess(cmd *exec.Cmd, grace time.Duration) (release func()) {
	cmd.WaitDelay = grace
	return func() {}
}
