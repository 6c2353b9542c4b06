//go:build unix

package program

import (
	"os/exec"
	"syscall"
	"time"
)

// group makes cmd lead a process group of its own, so that the terminal's
// interrupt reaches only us, and a cancelled context ends all of the group:
// SIGTERM, then SIGKILL after grace. What it returns is to be called after the
// process was waited for.
func group(cmd *exec.Cmd, grace time.Duration) (release func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = grace
	cancelled := false
	cmd.Cancel = func() error {
		cancelled = true
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	return func() {
		// Wait returned, so either nobody of the group holds the output any
		// more, or the grace is over.
		if cancelled {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}
}
