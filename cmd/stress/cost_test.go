package stress

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/flotilla-sh/flotilla/cmd/bench/traffic"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// plain is a set of releases of ConfigMaps alone, in a few namespaces of their own.
func plain(t testing.TB, c *clustertest.Cluster, size int) *round {
	t.Helper()
	r := &round{TB: t, looker: newLooker(t, c), site: site{folder(t), c.Kubeconfig}}
	r.base = environment{prefix: "st-plain-" + letters(6), history: 3}
	for i := range size {
		r.base.releases = append(r.base.releases, release{
			id: id{fmt.Sprintf("%s-%d", r.base.prefix, i%5), fmt.Sprintf("r%04d", i)}, chart: "unit",
			values: values{Maps: 3, Mark: "a"}, installed: true, timeout: patienceOfHealthy,
		})
	}
	t.Cleanup(r.clear)
	return r
}

// mark gives all releases another version.
func (r *round) mark(text string) {
	for i := range r.base.releases {
		r.base.releases[i].values.Mark = text
	}
	r.base.write(r, r.dir)
}

// TestRequestsOfLockAndJournal counts what lock, journal and fence add to a run of
// 50 releases.
func TestRequestsOfLockAndJournal(t *testing.T) {
	const releases, most = 50, 4 // a step
	c := clustertest.Start(t)
	transport, err := rest.TransportFor(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := traffic.Listen(c.Config().Host, transport)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	r := plain(t, c, releases)
	r.kubeconfig = filepath.Join(r.dir, "kubeconfig")
	if err := os.WriteFile(r.kubeconfig, proxy.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.mark("a")
	r.must(t, 0, "apply", "--suppress-diff")
	for _, way := range []struct {
		name string
		args []string
	}{{"as many at once as is useful", nil}, {"one after the other", []string{"--concurrency", "1"}}} {
		t.Run(way.name, func(t *testing.T) {
			var counts []traffic.Count
			for _, more := range [][]string{{"--lock", "off", "--journal", "off"}, {"--lock", "required", "--journal", "required"}} {
				r.mark("m" + letters(6))
				proxy.Take()
				r.must(t, 0, append(append([]string{"apply", "--suppress-diff"}, way.args...), more...)...)
				counts = append(counts, proxy.Take())
			}
			added := counts[1].Requests - counts[0].Requests
			t.Logf("%d requests without lock and journal, %d with them: %.2f a step more", counts[0].Requests, counts[1].Requests, float64(added)/releases)
			if added > most*releases {
				t.Errorf("lock and journal add %d requests to a run of %d steps, want at most %d a step\nwithout: %s\nwith: %s", added, releases, most,
					strings.Join(counts[0].Kinds(), ", "), strings.Join(counts[1].Kinds(), ", "))
			}
		})
	}
}

// TestAThousandReleases applies and destroys as many in one run, in bounded memory.
// Every day it is a hundred.
func TestAThousandReleases(t *testing.T) {
	const most = 600 << 10 // KiB
	many := 100
	if long() {
		many = 1000
	}
	c := clustertest.Start(t)
	r := plain(t, c, many)
	r.mark("a")
	for _, args := range [][]string{{"apply", "--suppress-diff"}, {"apply", "--suppress-diff"}, {"destroy"}} {
		e := r.must(t, 0, args...)
		t.Logf("%v of %d releases: %s, %d MiB", args, many, e.took, e.memory>>10)
		if e.memory > most {
			t.Errorf("%v took %d MiB, want at most %d", args, e.memory>>10, most>>10)
		}
		if args[0] == "destroy" {
			break
		}
		is := r.look(t, r.base)
		none(t, "after an apply", allAsWanted(r.base, is, nil))
	}
	if is := r.look(t, r.base); len(is.releases)+len(is.objects) > 0 {
		t.Errorf("after a destroy, %d releases and %d objects are there", len(is.releases), len(is.objects))
	}
}
