package main

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// TestSchemasAreAskedForOnceWhateverTheNumberOfReleases: what --validate adds to
// the requests of a plan is the index of documents and one document for each
// group version in use.
func TestSchemasAreAskedForOnceWhateverTheNumberOfReleases(t *testing.T) {
	c := clustertest.Start(t)
	f, proxy := counting(t, c)
	namespace := c.Namespace(t)
	for _, releases := range []int{1, 20} {
		state := "releases:\n"
		for i := range releases {
			state += fmt.Sprintf("- {name: r%d, namespace: %s, chart: CHARTS/app, values: [{replicas: 0}]}\n", i, namespace)
		}
		f.declare("%s", state)
		f.flotilla(0, "plan") // the cache of charts is warm
		proxy.Take()
		f.flotilla(0, "plan")
		without := proxy.Take()
		f.flotilla(0, "plan", "--validate")
		with := proxy.Take()
		added := maps.Clone(with.ByKind)
		for kind, n := range without.ByKind {
			if added[kind] -= n; added[kind] == 0 {
				delete(added, kind)
			}
		}
		want := map[string]int{"GET /openapi/v3": 1, "GET /openapi/v3/api/v1": 1, "GET /openapi/v3/apis/apps/v1": 1}
		if diff := cmp.Diff(want, added); diff != "" {
			t.Errorf("requests that --validate adds to a plan of %d releases (-want +got)\n%s", releases, diff)
		}
	}
}
