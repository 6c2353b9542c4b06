package cluster_test

import (
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

func TestIdentifyTellsWhichClusterAContextLeadsTo(t *testing.T) {
	f := newFixture(t)
	ids := []spec.ReleaseID{{Context: f.server.Context, Name: "a"}, {Context: f.server.Context, Name: "b"}}
	seen, err := f.clusters(cluster.Options{}).Identify(t.Context(), ids)
	if err != nil || len(seen) != 1 {
		t.Fatalf("found %v, %v, want one", seen, err)
	}
	if c := seen[0]; c.Context != f.server.Context || c.UID == "" || c.Server == "" || c.CA == "" || c.Records != "secrets" {
		t.Errorf("the identity is incomplete: %+v", c)
	}
	kubeconfig := f.server.ServiceAccountKubeconfig(t, f.namespace)
	elsewhere, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig, Driver: "configmap"}).Identify(t.Context(), []spec.ReleaseID{{Name: "a"}})
	if err != nil || len(elsewhere) != 1 {
		t.Fatalf("without rights: found %v, %v, want one", elsewhere, err)
	}
	if c := elsewhere[0]; c.UID != "" || c.Server != seen[0].Server || c.CA != seen[0].CA || c.Records != "configmaps" {
		t.Errorf("without rights: %+v, want the same server and authority as %+v", c, seen[0])
	}
	if _, err := f.clusters(cluster.Options{}).Identify(t.Context(), []spec.ReleaseID{{Context: "nowhere", Name: "a"}}); err == nil {
		t.Error("a context that is not there has an identity")
	}
}
