package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/flotilla-sh/flotilla/spec"
)

// clusterScoped goes by the shared discovery. Groups that cannot be listed are
// left out.
func (c *Cluster) clusterScoped(ctx context.Context) (map[schema.GroupKind]bool, error) {
	_, resources, err := discovery.ToDiscoveryInterfaceWithContext(c.cached).ServerGroupsAndResourcesWithContext(ctx)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, c.Explain(err, Access{Verb: "get", Resource: "/apis"})
	}
	kinds := map[schema.GroupKind]bool{}
	for _, list := range resources {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			if !r.Namespaced {
				kinds[schema.GroupKind{Group: gv.Group, Kind: r.Kind}] = true
			}
		}
	}
	return kinds, nil
}

// ClusterScoped tells, for each context that the ids name, which kinds that its
// server serves have no namespace.
func (c *Clusters) ClusterScoped(ctx context.Context, ids []spec.ReleaseID) (map[string]map[schema.GroupKind]bool, error) {
	found := map[string]map[schema.GroupKind]bool{}
	for _, id := range ids {
		if found[id.Context] != nil {
			continue
		}
		cluster, err := c.Get(id.Context)
		if err != nil {
			return nil, err
		}
		if found[id.Context], err = cluster.clusterScoped(ctx); err != nil {
			return nil, err
		}
	}
	return found, nil
}
