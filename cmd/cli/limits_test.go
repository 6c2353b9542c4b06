package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

// TestGraceCountsFromTheInterruptOnWhateverTheCommandIsAt interrupts a command
// while it looks at a cluster that does not answer, and has a cleanup hook that
// hangs.
func TestGraceCountsFromTheInterruptOnWhateverTheCommandIsAt(t *testing.T) {
	dir := t.TempDir()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	var group sync.WaitGroup
	t.Cleanup(func() { silent.Close(); group.Wait() })
	group.Go(func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			cancel(Interrupt{os.Interrupt})
		}
	})
	chart := "apiVersion: v2\nname: chart\nversion: 1.0.0\n"
	state := "hooks:\n- {events: [cleanup], command: sleep, args: ['600']}\nreleases:\n- {name: a, namespace: a, chart: ./chart}\n"
	kubeconfig := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'http://%s'}}]\n"+
		"contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n", silent.Addr())
	if err := os.Mkdir(filepath.Join(dir, "chart"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"helmfile.yaml": state, "kubeconfig": kubeconfig, "chart/Chart.yaml": chart} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	began := time.Now()
	code := Run(ctx, []string{
		"apply", "--file", filepath.Join(dir, "helmfile.yaml"), "--kubeconfig", filepath.Join(dir, "kubeconfig"), "--cache-dir", dir, "--grace", "1s",
	}, Env{
		Stdin: strings.NewReader(""), Streams: view.Streams{Out: io.Discard, Err: &said}, Now: time.Now,
		Lookup: func(string) (string, bool) { return "", false },
	})
	if took := time.Since(began); took > 20*time.Second || code == exitDone || !strings.Contains(said.String(), errGrace.Error()) {
		t.Errorf("code %d after %s:\n%s", code, took, &said)
	}
}
