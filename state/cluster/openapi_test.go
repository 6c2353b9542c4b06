package cluster_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state/cluster"
)

func TestOpenAPIAsksForEachGroupVersionOnce(t *testing.T) {
	f := newFixture(t)
	seen := newCounter()
	clusters := f.clusters(cluster.Options{WrapTransport: seen.wrap})
	core, apps := schema.GroupVersion{Version: "v1"}, schema.GroupVersion{Group: "apps", Version: "v1"}
	gone := schema.GroupVersion{Group: "nowhere.example.com", Version: "v1"}

	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			found, err := clusters.OpenAPI(t.Context(), "", []schema.GroupVersion{apps, core, gone, apps})
			if err != nil {
				t.Error(err)
				return
			}
			if got := slices.Collect(maps.Keys(found)); len(got) != 2 || !strings.Contains(string(found[apps]), "io.k8s.api.apps.v1.Deployment") || !strings.Contains(string(found[core]), "io.k8s.api.core.v1.ConfigMap") {
				t.Errorf("got documents of %v, want those of %v and %v", got, core, apps)
			}
		})
	}
	callers.Wait()

	got := seen.take()
	slices.Sort(got)
	if diff := cmp.Diff([]string{"GET /openapi/v3", "GET /openapi/v3/api/v1", "GET /openapi/v3/apis/apps/v1"}, got); diff != "" {
		t.Errorf("requests of 20 callers (-want +got)\n%s", diff)
	}
}

func TestOpenAPIOfNothingAsksNothing(t *testing.T) {
	f := newFixture(t)
	seen := newCounter()
	found, err := f.clusters(cluster.Options{WrapTransport: seen.wrap}).OpenAPI(t.Context(), "", nil)
	if err != nil || len(found) != 0 {
		t.Errorf("got %d documents, %v", len(found), err)
	}
	if got := seen.take(); len(got) != 0 {
		t.Errorf("requests: %v", got)
	}
}
