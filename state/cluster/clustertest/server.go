package clustertest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Component is a part of the control plane.
type Component string

// The components.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "apiserver"
	ControllerManager Component = "controller-manager"
	Scheduler         Component = "scheduler"
	// Kwok simulates the nodes.
	Kwok Component = "kwok"
)

// Pause freezes a component of a private cluster: it keeps its connections and
// answers nothing.
func (c *Cluster) Pause(t testing.TB, component Component) {
	t.Helper()
	c.control(t, "pause", component)
}

// Resume lets a paused component go on.
func (c *Cluster) Resume(t testing.TB, component Component) {
	t.Helper()
	c.control(t, "resume", component)
}

// Kill kills a component of a private cluster; connections to it are refused
// until Start.
func (c *Cluster) Kill(t testing.TB, component Component) {
	t.Helper()
	c.control(t, "kill", component)
}

// Start starts a killed component and returns when it serves.
func (c *Cluster) Start(t testing.TB, component Component) {
	t.Helper()
	c.control(t, "start", component)
}

func (c *Cluster) control(t testing.TB, command string, component Component) {
	t.Helper()
	if c.server == nil {
		t.Fatalf("asking to %s %s: other tests use this cluster; take one with StartPrivate", command, component)
	}
	out, err := exec.Command(c.server.binary, command, string(component), "--dir", c.server.dir).CombinedOutput()
	if err != nil {
		t.Fatalf("asking to %s %s: %v\n%s", command, component, err, out)
	}
}

// server is a devcluster in the foreground. It ends when its stdin ends, so
// with this process.
type server struct {
	binary     string
	dir        string
	kubeconfig string

	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *buffer
}

func startServer() (*server, error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "clustertest-")
	if err != nil {
		return nil, fmt.Errorf("making the test cluster's folder: %w", err)
	}
	s := &server{binary: path, dir: temp, stderr: &buffer{}}
	if err := s.launch(); err != nil {
		_ = os.RemoveAll(temp)
		return nil, fmt.Errorf("starting the test cluster: %w", err)
	}
	return s, nil
}

func (s *server) launch() error {
	s.cmd = exec.Command(s.binary, "up", "--foreground", "--purge",
		"--dir", s.dir, "--timeout", patience.String(), "--audit", s.audit())
	s.cmd.Stderr = s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	path, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ready {
		return errors.Join(err, s.stop())
	}
	s.kubeconfig = path
	return nil
}

// audit is the file of the API server's audit log.
func (s *server) audit() string { return filepath.Join(s.dir, "audit.log") }

// stop ends the cluster, waits for that, and returns what it complained of.
func (s *server) stop() error {
	err := errors.Join(s.stdin.Close(), s.cmd.Wait(), os.RemoveAll(s.dir))
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.stderr)
	}
	return nil
}

// buffer is a bytes.Buffer that one goroutine may fill while another reads.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
