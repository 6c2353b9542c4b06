package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		if len(texts[i]) > 0 { // as of a definition that has just gone
			all[gv] = texts[i]
		}
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
		one.data, one.err = from.SchemaWithContext(ctx, "application/json")
		switch {
		case apierrors.IsNotFound(one.err): // it went after the index was read
			one.data, one.err = nil, nil
		case one.err != nil:
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

// definitions is where a server keeps custom resource definitions.
func definitions() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
}

// Definitions gives the custom resource definitions behind kinds, for those that
// no document describes yet: a server takes a moment to publish a new kind. A
// kind that the server does not serve is not in the answer; one that it serves
// and whose definition it does not give, as of an aggregated API, is there with
// nil.
func (c *Clusters) Definitions(ctx context.Context, context string, kinds []schema.GroupVersionKind) (map[schema.GroupVersionKind]map[string]any, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	cluster, err := c.Get(context)
	if err != nil {
		return nil, err
	}
	found := map[schema.GroupVersionKind]map[string]any{}
	for _, kind := range kinds {
		mapping, err := cluster.mapper.RESTMappingWithContext(ctx, kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, cluster.Explain(err, Access{Verb: "get", Resource: "/apis"})
		}
		o, err := cluster.dynamic.Resource(definitions()).Get(ctx, mapping.Resource.GroupResource().String(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			found[kind] = nil
		case err != nil:
			return nil, cluster.Explain(err, Access{Verb: "get", Resource: "customresourcedefinitions"})
		default:
			found[kind] = o.Object
		}
	}
	return found, nil
}
