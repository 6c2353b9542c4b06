//go:build !linux

package cluster

import "syscall"

// childAttributes puts a component in a process group of its own, away from
// the terminal's Ctrl-C. The lifeline pipe alone lets it die with the
// supervisor: a paused one survives until it is resumed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
