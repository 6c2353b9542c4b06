// Package cluster runs the components of one cluster: a supervisor process
// starts them, watches them, and obeys requests on a local port. The functions
// Up, Down, Do and GetStatus are the other side: they find the supervisor of a
// data folder and talk to it.
//
// It works on Linux and macOS.
package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

// Kubeconfig is the path of the administrator's kubeconfig in a data folder.
func Kubeconfig(dir string) string { return layout(dir).kubeconfig(certs.Admin) }

// Purge removes a data folder. It refuses a folder that no cluster ever used,
// and one whose cluster runs.
func Purge(dir string) error {
	l := layout(dir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(l.lock()); err != nil {
		return fmt.Errorf("removing %s: not a data folder of devcluster", dir)
	}
	lock, err := tryLock(l.lock())
	if err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	defer lock.Close()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the data folder: %w", err)
	}
	return nil
}

// layout is a data folder: it knows where things are in it.
type layout string

func (l layout) certs() string      { return filepath.Join(string(l), "certs") }
func (l layout) etcdData() string   { return filepath.Join(string(l), "etcd") }
func (l layout) home() string       { return filepath.Join(string(l), "home") }
func (l layout) stages() string     { return filepath.Join(string(l), "stages.yaml") }
func (l layout) audit() string      { return filepath.Join(string(l), "audit.yaml") }
func (l layout) state() string      { return filepath.Join(string(l), "state.json") }
func (l layout) supervisor() string { return filepath.Join(string(l), "supervisor.json") }

// lock is held by the supervisor as long as it lives; starting, by a process
// that looks for it or starts it.
func (l layout) lock() string     { return filepath.Join(string(l), "lock") }
func (l layout) starting() string { return filepath.Join(string(l), "starting.lock") }

func (l layout) kubeconfig(id certs.Identity) string {
	if id == certs.Admin {
		return filepath.Join(string(l), "kubeconfig")
	}
	return filepath.Join(string(l), string(id)+".kubeconfig")
}

func (l layout) log(name string) string {
	return filepath.Join(string(l), "logs", name+".log")
}

func (l layout) settings(p components.Ports) components.Settings {
	return components.Settings{
		Certs:      l.certs(),
		EtcdData:   l.etcdData(),
		Stages:     l.stages(),
		Kubeconfig: l.kubeconfig,
		Ports:      p,
	}
}

func (l layout) create() error {
	for _, dir := range []string{string(l), l.home(), filepath.Dir(l.log("any"))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("creating the data folder: %w", err)
		}
	}
	return nil
}

// contact is how to reach a supervisor. The token keeps other users of the
// machine, and web pages, from its port.
type contact struct {
	Address string `json:"address"`
	Token   string `json:"token"`
	PID     int    `json:"pid"`
}

func newToken() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// writeJSON replaces the file at once, so that no reader sees half of it.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
