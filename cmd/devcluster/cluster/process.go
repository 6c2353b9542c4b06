package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

// process is one running or ended component.
type process struct {
	name components.Name
	cmd  *exec.Cmd
	// done is closed when the process has ended and was waited for.
	done chan struct{}

	mu     sync.Mutex
	paused bool
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) isPaused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused
}

func (p *process) pause() error  { return p.freeze(syscall.SIGSTOP, true) }
func (p *process) resume() error { return p.freeze(syscall.SIGCONT, false) }

func (p *process) freeze(signal syscall.Signal, paused bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("signalling %s: %w", p.name, err)
	}
	p.paused = paused
	return nil
}

// kill ends the process, paused or not, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop lets the process end by itself for a moment.
func (p *process) stop(patience time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.kill()
	}
}

// spawner starts the processes. On Linux a child can die with the thread that
// started it, so one thread that lives as long as the supervisor starts all.
type spawner struct {
	binary string
	layout layout
	// lifeline is the pipe whose end tells the children that they are orphans.
	lifeline *os.File
	writer   *os.File
	requests chan func()
}

func newSpawner(l layout) (*spawner, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("looking for the own binary: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &spawner{binary: binary, layout: l, lifeline: r, writer: w, requests: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for request := range s.requests {
			request()
		}
	}()
	return s, nil
}

// close ends the spawner; children that still live end too.
func (s *spawner) close() {
	close(s.requests)
	s.writer.Close()
	s.lifeline.Close()
}

func (s *spawner) spawn(name components.Name, args []string) (*process, error) {
	log, err := os.OpenFile(s.layout.log(string(name)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer log.Close()
	cmd := exec.Command(s.binary, append([]string{components.Command, string(name)}, args...)...)
	cmd.Dir = string(s.layout)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{s.lifeline}
	cmd.Env = environment(s.layout)
	cmd.SysProcAttr = childAttributes()

	started := make(chan error, 1)
	s.requests <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// environment hides from the components what may change them: the user's home
// folder and kubeconfig, proxies, and etcd's settings by environment.
func environment(l layout) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		if upper == "HOME" || upper == "KUBECONFIG" ||
			strings.HasSuffix(upper, "_PROXY") || strings.HasPrefix(upper, "ETCD_") {
			continue
		}
		env = append(env, entry)
	}
	return append(env, "HOME="+l.home())
}
