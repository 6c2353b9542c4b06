package cluster

import (
	"context"
	"sync"

	"github.com/flotilla-sh/flotilla/spec"
)

// Foresee asks each cluster of the ids for its version and for what it serves,
// all at once, so that ServerVersion, APIVersions and ClusterScoped need not
// ask. It tells no errors: who needs an answer that did not come asks again.
func (c *Clusters) Foresee(ctx context.Context, ids []spec.ReleaseID) {
	seen := map[string]bool{}
	var asking sync.WaitGroup
	for _, id := range ids {
		if seen[id.Context] {
			continue
		}
		seen[id.Context] = true
		cluster, err := c.Get(id.Context)
		if err != nil {
			continue
		}
		asking.Go(func() { _, _ = cluster.ServerVersion(ctx) })
		asking.Go(func() { _, _ = cluster.clusterScoped(ctx) })
	}
	asking.Wait()
}
