package cluster

import "syscall"

// childAttributes puts a component in a process group of its own, away from
// the terminal's Ctrl-C, and lets it die with the supervisor.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
