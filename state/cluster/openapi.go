package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi"
)

// documents are what a server publishes of its kinds, asked for once a run.
type documents struct {
	mu    sync.Mutex
	index map[string]openapi.GroupVersionWithContext // by path, such as apis/apps/v1; nil: not asked yet
	found map[schema.GroupVersion]*document
}

type document struct {
	once sync.Once
	data []byte
	err  error
}

// OpenAPI gives the OpenAPI v3 documents of group versions, in JSON as the
// server of a context publishes them. A group version that it does not serve is
// not in the answer. The index and each document are asked for once a run, and
// by the URL with the content's hash that the index gives, so that a cache
// between here and the server may answer. Errors, explained, name the group
// version; what was given back must not be changed.
func (c *Clusters) OpenAPI(ctx context.Context, context string, gvs []schema.GroupVersion) (map[schema.GroupVersion][]byte, error) {
	cluster, err := c.Get(context)
	if err != nil {
		return nil, err
	}
	return cluster.OpenAPI(ctx, gvs)
}

// OpenAPI is Clusters.OpenAPI for one cluster.
func (c *Cluster) OpenAPI(ctx context.Context, gvs []schema.GroupVersion) (map[schema.GroupVersion][]byte, error) {
	gvs = slices.Clone(gvs)
	slices.SortFunc(gvs, func(a, b schema.GroupVersion) int { return strings.Compare(a.String(), b.String()) })
	gvs = slices.Compact(gvs)
	if len(gvs) == 0 {
		return nil, nil
	}
	served, err := c.published(ctx)
	if err != nil {
		return nil, err
	}
	gvs = slices.DeleteFunc(gvs, func(gv schema.GroupVersion) bool { return served[documentPath(gv)] == nil })
	texts := make([][]byte, len(gvs))
	err = parallel(len(gvs), maxReaders, func(i int) error {
		var err error
		texts[i], err = c.documentOf(ctx, gvs[i], served[documentPath(gvs[i])])
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make(map[schema.GroupVersion][]byte, len(gvs))
	for i, gv := range gvs {
		all[gv] = texts[i]
	}
	return all, nil
}

// published is the server's index of documents.
func (c *Cluster) published(ctx context.Context) (map[string]openapi.GroupVersionWithContext, error) {
	c.documents.mu.Lock()
	defer c.documents.mu.Unlock()
	if c.documents.index == nil {
		index, err := c.discovery.OpenAPIV3WithContext(ctx).PathsWithContext(ctx)
		if err != nil {
			return nil, c.Explain(err, Access{Verb: "get", Resource: "/openapi/v3"})
		}
		c.documents.index = index
	}
	return c.documents.index, nil
}

func (c *Cluster) documentOf(ctx context.Context, gv schema.GroupVersion, from openapi.GroupVersionWithContext) ([]byte, error) {
	c.documents.mu.Lock()
	if c.documents.found == nil {
		c.documents.found = map[schema.GroupVersion]*document{}
	}
	one := c.documents.found[gv]
	if one == nil {
		one = &document{}
		c.documents.found[gv] = one
	}
	c.documents.mu.Unlock()
	one.once.Do(func() {
		if one.data, one.err = from.SchemaWithContext(ctx, "application/json"); one.err != nil {
			one.err = fmt.Errorf("reading the schemas of %s: %w", gv, c.Explain(one.err, Access{Verb: "get", Resource: "/openapi/v3/" + documentPath(gv)}))
		}
	})
	return one.data, one.err
}

// documentPath is where a document is in the index of the server.
func documentPath(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "api/" + gv.Version
	}
	return "apis/" + gv.String()
}
