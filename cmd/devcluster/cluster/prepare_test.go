package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestPrepareKeepsPortsAndDataOfThisBoot(t *testing.T) {
	l := layout(t.TempDir())
	first := mustPrepare(t, l)
	data := writeData(t, l)
	if second := mustPrepare(t, l); second != first {
		t.Errorf("the state changed from %+v to %+v", first, second)
	}
	if _, err := os.Stat(data); err != nil {
		t.Error(err)
	}
}

func TestPrepareDropsDataOfAnEarlierBoot(t *testing.T) {
	l := layout(t.TempDir())
	st := mustPrepare(t, l)
	data := writeData(t, l)
	st.Boot = "an earlier one"
	if err := writeJSON(l.state(), st); err != nil {
		t.Fatal(err)
	}
	mustPrepare(t, l)
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data is still there: %v", err)
	}
}

func TestPrepareReplacesAPortThatSomebodyTook(t *testing.T) {
	l := layout(t.TempDir())
	taken := mustPrepare(t, l).Ports.APIServer
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", taken))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if got := mustPrepare(t, l).Ports.APIServer; got == taken {
		t.Errorf("the API server keeps port %d", got)
	}
}

func TestPrepareSurvivesABrokenState(t *testing.T) {
	l := layout(t.TempDir())
	mustPrepare(t, l)
	if err := os.WriteFile(l.state(), []byte(`{"ports":`), 0o600); err != nil {
		t.Fatal(err)
	}
	mustPrepare(t, l)
}

func TestALockIsReleasedWithItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); !errors.Is(err, errLocked) {
		t.Errorf("locking twice: %v, want %v", err, errLocked)
	}
	first.Close()
	second, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func mustPrepare(t *testing.T, l layout) state {
	t.Helper()
	if _, err := prepare(l); err != nil {
		t.Fatal(err)
	}
	var st state
	if err := readJSON(l.state(), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

func writeData(t *testing.T, l layout) string {
	t.Helper()
	path := filepath.Join(l.etcdData(), "member", "data")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
