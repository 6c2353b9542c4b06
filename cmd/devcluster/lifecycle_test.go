package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCommandsControlOneComponentAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { mustDevcluster(t, dir, "down", "--purge") })
	mustDevcluster(t, dir, "up")
	client := newClient(t, dir)
	list := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return err
	}

	mustDevcluster(t, dir, "pause", "apiserver")
	if err := list(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused API server answers: %v", err)
	}
	if out, err := devcluster(t, dir, "status"); err == nil || !strings.Contains(out, "apiserver is paused") {
		t.Errorf("status while paused: %v\n%s", err, out)
	}
	mustDevcluster(t, dir, "resume", "apiserver")
	eventually(t, "a resumed API server", list)

	mustDevcluster(t, dir, "kill", "apiserver")
	if err := list(t.Context()); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want a refused connection from a killed API server, got: %v", err)
	}
	if out, err := devcluster(t, dir, "kill", "apiserver"); err == nil || !strings.Contains(out, "does not run") {
		t.Errorf("killing twice: %v\n%s", err, out)
	}
	mustDevcluster(t, dir, "start", "apiserver")
	if err := list(t.Context()); err != nil {
		t.Errorf("a started API server does not answer: %v", err)
	}

	mustDevcluster(t, dir, "kill", "etcd")
	mustDevcluster(t, dir, "kill", "kwok")
	mustDevcluster(t, dir, "pause", "scheduler")
	mustDevcluster(t, dir, "up")
	mustDevcluster(t, dir, "status")
}

func TestDownStopsAllAndKeepsTheDataForTheNextUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	mustDevcluster(t, dir, "up", "--nodes", "1")
	ns := newNamespace(t, newClient(t, dir))

	mustDevcluster(t, dir, "down")
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("down left processes behind:\n%s", strings.Join(left, "\n"))
	}
	if out, err := devcluster(t, dir, "status"); err == nil || !strings.Contains(out, "does not run") {
		t.Errorf("status after down: %v\n%s", err, out)
	}
	mustDevcluster(t, dir, "down")

	mustDevcluster(t, dir, "up", "--nodes", "1")
	_, err := newClient(t, dir).CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
	if err != nil {
		t.Errorf("the namespace of the first run is gone: %v", err)
	}

	mustDevcluster(t, dir, "down", "--purge")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("down --purge left the data folder: %v", err)
	}
}

func TestUpRepairsWhatAKilledSupervisorLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { mustDevcluster(t, dir, "down", "--purge") })
	mustDevcluster(t, dir, "up", "--nodes", "1")
	mustDevcluster(t, dir, "pause", "etcd")
	supervisor := supervisorPID(t, dir)
	if err := supervisor.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the components to die with their supervisor", func(context.Context) error {
		if left := processes(t, dir); len(left) > 0 {
			return errors.New(strings.Join(left, "\n"))
		}
		return nil
	})
	mustDevcluster(t, dir, "up", "--nodes", "1")
	mustDevcluster(t, dir, "status")
}

func TestForegroundEndsWithItsStdin(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "up", "--foreground", "--purge", "--nodes", "1", "--dir", dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if want := "ready " + filepath.Join(dir, "kubeconfig") + "\n"; err != nil || line != want {
		t.Errorf("the first line is %q (%v), want %q", line, err, want)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ending: %v", err)
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("it left processes behind:\n%s", strings.Join(left, "\n"))
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("--purge left the data folder: %v", err)
	}
}

func TestUpShowsTheLogOfAComponentThatDies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	mustDevcluster(t, dir, "up", "--nodes", "1")
	mustDevcluster(t, dir, "down")
	if err := os.WriteFile(filepath.Join(dir, "certs", "apiserver.crt"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := devcluster(t, dir, "up")
	if err == nil || !strings.Contains(out, "apiserver died") || !strings.Contains(out, "failed to find any PEM data") {
		t.Errorf("up with a broken certificate: %v\n%s", err, out)
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("the failed up left processes behind:\n%s", strings.Join(left, "\n"))
	}
}

func TestDownPurgeRefusesAFolderOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := devcluster(t, dir, "down", "--purge"); err == nil {
		t.Errorf("down --purge accepted it:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "thesis.txt")); err != nil {
		t.Error(err)
	}
}

func supervisorPID(t *testing.T, dir string) *os.Process {
	t.Helper()
	status, _ := devcluster(t, dir, "status")
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "supervisor" {
			return findProcess(t, fields[2])
		}
	}
	t.Fatalf("no supervisor in:\n%s", status)
	return nil
}
