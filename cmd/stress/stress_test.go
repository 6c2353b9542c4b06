package stress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// The flags of this package, see its comment. Package state, because the
// package flag has no other place for them.
var (
	seedFlag   = flag.Uint64("seed", 0, "seed of the first round; 0: the same every day, with FLOTILLA_STRESS from the clock")
	roundsFlag = flag.Int("rounds", 0, "rounds of each random test; 0: those of FLOTILLA_STRESS, else few")
	sizeFlag   = flag.Int("size", 0, "releases of a random environment; 0: as the test wants")
	blowsFlag  = flag.Int("blows", 0, "how many runs of an environment are killed; 0: few, with FLOTILLA_STRESS as many as there are moments")
	keepFlag   = flag.Bool("keep", false, "keep the folder of a round that failed")
)

// binary is the program under test; TestMain builds it.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of the time is spent waiting for others than this machine's cores.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "4")
	}
	dir, err := os.MkdirTemp("", "flotilla-stress-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if binary = os.Getenv("FLOTILLA_STRESS_BINARY"); binary == "" {
		binary = filepath.Join(dir, "flotilla")
		if out, err := exec.Command("go", "build", "-o", binary, "../flotilla").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building flotilla: %v\n%s", err, out)
			os.Exit(1)
		}
	}
	clustertest.Main(cleaning{m, dir})
}

// cleaning removes what TestMain made when the tests have run.
type cleaning struct {
	m   *testing.M
	dir string
}

// Run runs the tests.
func (c cleaning) Run() int {
	defer os.RemoveAll(c.dir)
	return c.m.Run()
}

// long reports whether there is time for what does not belong to every day.
func long() bool { return os.Getenv("FLOTILLA_STRESS") != "" }

// rounds is how many rounds a random test has; few is for every day.
func rounds(t *testing.T, few int) int {
	t.Helper()
	if *roundsFlag > 0 {
		return *roundsFlag
	}
	if !long() {
		return few
	}
	n, err := strconv.Atoi(os.Getenv("FLOTILLA_STRESS"))
	if err != nil || n < 1 {
		t.Fatalf("FLOTILLA_STRESS is %q, want a number of rounds", os.Getenv("FLOTILLA_STRESS"))
	}
	return n
}

// size is how many releases an environment has.
func size(often, everyDay int) int {
	switch {
	case *sizeFlag > 0:
		return *sizeFlag
	case long():
		return often
	default:
		return everyDay
	}
}

// firstSeed is the seed of round 0. What runs every day is the same every day: a
// failure is one of what has changed.
func firstSeed() uint64 {
	switch {
	case *seedFlag > 0:
		return *seedFlag
	case !long():
		return 20261123
	}
	return uint64(time.Now().UnixNano() / 1e6 % 1e9)
}

// ended is a process of flotilla that has ended.
type ended struct {
	args   []string
	code   int // -1: a signal ended it
	stdout string
	stderr string
	took   time.Duration
	memory int64 // the most that it had at once, in KiB
}

// String is for the text of a failed test.
func (e ended) String() string {
	return fmt.Sprintf("flotilla %s ended with %d after %s:\n%s", strings.Join(e.args, " "), e.code, e.took.Round(time.Millisecond), e.stderr)
}

// lines decodes the lines of --output json of one type.
func lines[T any](t testing.TB, out, kind string) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(out) {
		var header struct{ Type string }
		if err := json.Unmarshal([]byte(line), &header); err != nil || header.Type != kind {
			continue // the last line of a killed process may be half there
		}
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("reading %s: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

// process is a flotilla that runs.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	out    *sink
	err    *sink
	began  time.Time
	args   []string
	finish context.CancelFunc
}

// patience bounds every process; what takes longer hangs.
const patience = 5 * time.Minute

// site is a folder with a state file, and the way to the cluster.
type site struct {
	dir        string
	kubeconfig string
}

// command is one call of flotilla in a site.
func (s site) command(ctx context.Context, args ...string) *exec.Cmd {
	global := []string{"--file", filepath.Join(s.dir, "helmfile.yaml"), "--cache-dir", filepath.Join(s.dir, "cache"), "--kubeconfig", s.kubeconfig}
	cmd := exec.CommandContext(ctx, binary, append(global, args...)...)
	cmd.Env = []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir, "NO_COLOR=1"}
	cmd.Dir = s.dir
	return cmd
}

// start begins a call of flotilla.
func (s site) start(t testing.TB, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &process{t: t, cmd: s.command(ctx, args...), out: &sink{}, err: &sink{}, began: time.Now(), args: args, finish: cancel}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	if err := p.cmd.Start(); err != nil {
		cancel()
		t.Fatalf("starting flotilla: %v", err)
	}
	return p
}

// wait returns when the process has ended.
func (p *process) wait() ended {
	p.t.Helper()
	defer p.finish()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("waiting for flotilla: %v", err)
	}
	e := ended{
		args: p.args, code: p.cmd.ProcessState.ExitCode(), stdout: p.out.String(), stderr: p.err.String(), took: time.Since(p.began),
	}
	if usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		e.memory = usage.Maxrss
	}
	if e.took >= patience {
		p.t.Errorf("it hung: %s", e)
	}
	return e
}

// kill ends the process as a machine that loses its power does. It may be called
// from any goroutine, and when the process is gone already.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("sending %s: %v", s, err)
	}
}

// run calls flotilla and waits for its end.
func (s site) run(t testing.TB, args ...string) ended {
	t.Helper()
	return s.start(t, args...).wait()
}

// must is run, with an exit code that is wanted.
func (s site) must(t testing.TB, code int, args ...string) ended {
	t.Helper()
	e := s.run(t, args...)
	if e.code != code {
		t.Fatalf("want exit code %d: %s\n%s", code, e, e.stdout)
	}
	return e
}

// sink is a buffer that one goroutine may fill while another reads.
type sink struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.String()
}
