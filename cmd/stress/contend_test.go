package stress

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
	"github.com/flotilla-sh/flotilla/state/lease"
)

// TestConcurrentApplies has several processes apply different versions for one
// owner at once. The audit log of the API server tells who wrote when.
func TestConcurrentApplies(t *testing.T) {
	t.Parallel()
	c := clustertest.StartPrivate(t)
	refusing(t, c)
	for _, many := range []int{2, 5} {
		t.Run(fmt.Sprintf("%d at once", many), func(t *testing.T) {
			r := newRound(t, c, firstSeed(), size(20, 6))
			r.base.group = ""
			r.base.releases = slices.DeleteFunc(r.base.releases, func(one release) bool { return one.chart != "unit" || one.values.Thing != "" })
			there := map[id]bool{}
			for i := range r.base.releases {
				one := &r.base.releases[i]
				one.installed = true
				one.needs = slices.DeleteFunc(one.needs, func(n id) bool { return !there[n] })
				there[one.id] = true
			}
			r.bring()
			r.contend(t, c, many)
		})
	}
}

func (r *round) contend(t *testing.T, c *clustertest.Cluster, many int) {
	var all []*process
	requests := c.Audit(t, func() {
		for i := range many {
			mine := r.base.clone()
			for k := range mine.releases {
				mine.releases[k].values.Mark = fmt.Sprint("p", i)
			}
			dir := folder(t)
			mine.write(t, dir)
			w := lay(t, c, fmt.Sprint("writer-", i))
			all = append(all, site{dir, w.kubeconfig}.start(t, "apply", "-o", "json", "--suppress-diff", "--lock", "required", "--lock-timeout", "4m"))
		}
		for _, p := range all {
			if e := p.wait(); e.code != 0 {
				t.Errorf("want exit code 0: %s\n%s", e, e.stdout)
			}
		}
	})
	none(t, "who wrote when", interleaved(requests, many))
	is := r.look(t, r.base)
	none(t, "soundness", is.sound())
	marks := map[string]bool{}
	for _, one := range is.releases {
		marks[one.revisions[one.newest].mark] = true
	}
	if len(marks) != 1 {
		t.Errorf("the releases are of the versions %v, want all of one", marks)
	}
}

// interleaved tells of writers that wrote before another one had ended. Whoever
// waits for the lock asks for it; that is no write.
func interleaved(requests []clustertest.Request, many int) []string {
	first, last := map[string]time.Time{}, map[string]time.Time{}
	for _, q := range requests {
		if !q.Writes() || q.For.Name == "" || strings.HasPrefix(q.URI, "/apis/coordination.k8s.io/") || strings.Contains(q.URI, "reviews") {
			continue
		}
		if at, known := first[q.For.Name]; !known || q.Received.Before(at) {
			first[q.For.Name] = q.Received
		}
		if q.Answered.After(last[q.For.Name]) {
			last[q.For.Name] = q.Answered
		}
	}
	var faults []string
	for a := range first {
		for b := range first {
			if a < b && first[a].Before(last[b]) && first[b].Before(last[a]) {
				faults = append(faults, fmt.Sprintf("%s wrote from %s to %s, and %s from %s to %s", a,
					first[a].Format(clock), last[a].Format(clock), b, first[b].Format(clock), last[b].Format(clock)))
			}
		}
	}
	if len(first) != many {
		faults = append(faults, fmt.Sprintf("%d processes wrote, want %d", len(first), many))
	}
	return faults
}

const clock = "15:04:05.000000"

// TestAHolderThatStoodStillNeverWritesAgain stops a process in the middle of a run
// for longer than its lease lasts.
func TestAHolderThatStoodStillNeverWritesAgain(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	t.Run("another one takes over", func(t *testing.T) { t.Parallel(); standsStill(t, c, 1, true) })
	t.Run("nobody else is there", func(t *testing.T) { t.Parallel(); standsStill(t, c, 2, false) })
}

func standsStill(t *testing.T, c *clustertest.Cluster, seed uint64, takenOver bool) {
	r := newRound(t, c, seed, 3)
	marker := filepath.Join(r.dir, "here")
	declare := func(dir, mark string) {
		text := fmt.Sprintf(`owner: %[1]s
releases:
- {name: a, namespace: %[1]s-0, chart: ./charts/unit, values: [{mark: %[2]s}]}
- name: b
  namespace: %[1]s-0
  needs: [%[1]s-0/a]
  chart: ./charts/unit
  values: [{mark: %[2]s}]
  hooks: [{events: [presync], command: sh, args: [-c, "echo $$ > %[3]s; sleep 3"]}]
`, r.base.prefix, mark, marker)
		r.base.charts(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "helmfile.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	declare(r.dir, "stopped")
	first, second := lay(t, c, ""), lay(t, c, "")
	stopped := site{r.dir, first.kubeconfig}.start(t, "apply", "--lock", "required")
	await(t, "its hook to run", func() bool { _, err := os.Stat(marker); return err == nil })
	stopped.signal(syscall.SIGSTOP)
	if takenOver {
		other := folder(t)
		declare(other, "other")
		if e := (site{other, second.kubeconfig}).run(t, "apply", "-o", "json", "--suppress-diff", "--lock", "required", "--lock-timeout", "3m"); e.code != 0 {
			t.Errorf("the one that took over: want exit code 0: %s", e)
		}
	} else {
		<-time.After(lease.Duration + time.Second)
	}
	stillStands := first.log()
	stopped.signal(syscall.SIGCONT)
	was := stopped.wait()
	if was.code == 0 || !strings.Contains(was.stderr, "lock") {
		t.Errorf("the one that stood still: want a failure that tells of the lock: %s", was)
	}
	for _, w := range first.log()[len(stillStands):] {
		if w.kind() != "lock" && w.kind() != "journal" {
			t.Errorf("the one that stood still wrote again: %s %s", w.method, w.path)
		}
	}
	is, want := r.look(t, r.base), 2
	if !takenOver {
		want = 1 // b had not begun
	}
	for name, one := range is.releases {
		if got := one.revisions[one.newest]; (got.mark == "other") != takenOver || got.Status != "deployed" {
			t.Errorf("%s is %s with the mark %s, want that of the one that wrote last", name, got.Status, got.mark)
		}
	}
	if len(is.releases) != want {
		t.Errorf("%d releases are there, want %d", len(is.releases), want)
	}
}

// await waits for something that happens outside of this process.
func await(t testing.TB, what string, happened func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(time.Minute)
	for !happened() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waiting for %s: it does not happen", what)
		}
	}
}
