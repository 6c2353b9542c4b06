package stress

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-sh/flotilla/cmd/cli"
	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// TestAnApplyLeavesNoGoroutine runs flotilla inside this process: an apply, one that
// is undone, and a destroy.
func TestAnApplyLeavesNoGoroutine(t *testing.T) {
	c := clustertest.Start(t)
	refusing(t, c)
	r := newRound(t, c, firstSeed(), 6)
	before := goleak.IgnoreCurrent()
	flotilla := func(code int, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		global := []string{"--file", filepath.Join(r.dir, "helmfile.yaml"), "--cache-dir", filepath.Join(r.dir, "cache"), "--kubeconfig", c.Kubeconfig}
		got := cli.Run(t.Context(), append(global, args...), cli.Env{
			Stdin: strings.NewReader(""), Streams: view.Streams{Out: &out, Err: &errs}, Now: time.Now,
			Lookup: func(name string) (string, bool) {
				if name != "HOME" {
					return "", false
				}
				return r.dir, true
			},
		})
		if got != code {
			t.Errorf("flotilla %v ended with %d, want %d:\n%s%s", args, got, code, out.String(), errs.String())
		}
	}
	r.base.write(t, r.dir)
	flotilla(0, "apply")
	base := r.look(t, r.base)
	next := r.base.changed(r.rng)
	next.wounded(r.rng, len(next.releases)-1, woundRefused, base).write(t, r.dir)
	flotilla(6, "apply")
	flotilla(0, "destroy")
	if err := clustertest.Leaks(before); err != nil {
		t.Error(err)
	}
}
