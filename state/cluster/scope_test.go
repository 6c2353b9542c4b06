package cluster_test

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

func TestKindsWithoutNamespaceAreKnownByContext(t *testing.T) {
	clusters := cluster.New(cluster.Options{Kubeconfig: clustertest.Start(t).Kubeconfig})
	name, _, err := clusters.Resolve("")
	if err != nil {
		t.Fatal(err)
	}
	found, err := clusters.ClusterScoped(context.Background(), []spec.ReleaseID{{Context: name, Name: "a"}, {Context: name, Name: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	kinds := found[name]
	if !kinds[schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}] || !kinds[schema.GroupKind{Kind: "Namespace"}] {
		t.Errorf("ClusterRole or Namespace is missing in %v", kinds)
	}
	if kinds[schema.GroupKind{Kind: "ConfigMap"}] {
		t.Error("a ConfigMap has a namespace")
	}
}
