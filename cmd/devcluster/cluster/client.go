package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

// ErrNotRunning says that no supervisor runs for the data folder.
var ErrNotRunning = errors.New("the cluster does not run")

// ReportReady is what a supervisor writes to the pipe of the process that
// started it; anything else is the text of an error.
const ReportReady = "ready"

// Up makes the cluster of dir run: it starts it in the background, or repairs
// the one that runs (dead components start, paused ones go on). It returns
// when Pods can run. Options are those of the first Up as long as it runs.
func Up(ctx context.Context, dir string, o Options) error {
	l := layout(dir)
	if err := l.create(); err != nil {
		return err
	}
	starting, err := waitLock(l.starting())
	if err != nil {
		return err
	}
	defer starting.Close()
	err = call(ctx, l, http.MethodPost, "/ensure", nil)
	if errors.Is(err, ErrNotRunning) {
		err = launch(ctx, l, o.withDefaults())
	}
	if err != nil {
		return fmt.Errorf("starting the cluster: %w", err)
	}
	return nil
}

// Down stops the cluster of dir and returns when nothing of it runs. A cluster
// that does not run is no error.
func Down(ctx context.Context, dir string) error {
	l := layout(dir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := call(ctx, l, http.MethodPost, "/shutdown", nil)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stopping the cluster: %w", err)
	}
	// The supervisor releases the lock by ending.
	lock, err := waitLock(l.lock())
	if err != nil {
		return fmt.Errorf("waiting for the end of the cluster: %w", err)
	}
	return lock.Close()
}

// Do pauses, resumes, kills or starts one component of a running cluster.
func Do(ctx context.Context, dir string, action Action, name components.Name) error {
	err := call(ctx, layout(dir), http.MethodPost, fmt.Sprintf("/component/%s/%s", name, action), nil)
	if err != nil {
		return fmt.Errorf("asking to %s %s: %w", action, name, err)
	}
	return nil
}

// GetStatus asks how the components are; ErrNotRunning if the cluster is not up.
func GetStatus(ctx context.Context, dir string) (Status, error) {
	var status Status
	err := call(ctx, layout(dir), http.MethodGet, "/status", &status)
	return status, err
}

// call sends a request to the supervisor and reads the answer into result,
// unless that is nil.
func call(ctx context.Context, l layout, method, path string, result any) error {
	if !running(l) {
		return ErrNotRunning
	}
	var to contact
	if err := readJSON(l.supervisor(), &to); err != nil {
		return fmt.Errorf("looking for the supervisor: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+to.Address+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+to.Token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the supervisor (process %d): %w", to.PID, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the supervisor's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(body)))
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(body, result)
}

// running asks the lock: a supervisor that was killed holds none, whatever
// files it left.
func running(l layout) bool {
	if _, err := os.Stat(l.lock()); err != nil {
		return false
	}
	lock, err := tryLock(l.lock())
	if err == nil {
		lock.Close()
	}
	return errors.Is(err, errLocked)
}

// launch starts a supervisor in a session of its own and waits for its report.
func launch(ctx context.Context, l layout, o Options) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("looking for the own binary: %w", err)
	}
	log, err := os.OpenFile(l.log("supervisor"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	report, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer report.Close()
	args := []string{"supervise", "--dir", string(l), "--nodes", strconv.Itoa(o.Nodes), "--timeout", o.Timeout.String()}
	if o.Audit != "" {
		args = append(args, "--audit", o.Audit)
	}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	writer.Close()
	if err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	// A cancelled Up leaves nothing half started.
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	text, err := io.ReadAll(report)
	switch {
	case err != nil:
		return fmt.Errorf("waiting for the supervisor: %w", err)
	case string(text) == ReportReady:
		return cmd.Process.Release()
	case len(text) == 0:
		return fmt.Errorf("the supervisor died; the end of its log %s:\n%s", l.log("supervisor"), lastLines(l.log("supervisor")))
	default:
		return errors.Join(errors.New(string(text)), cmd.Wait())
	}
}
