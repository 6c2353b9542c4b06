package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Owned reads the releases of one context whose newest record carries the mark
// of an owner (state.OwnerLabel), ordered by id, without superseded revisions
// and without those of which only history is left. It looks into all namespaces
// with one LIST where this user may, and then everywhere is true, else into those
// that are given.
func (c *Clusters) Owned(ctx context.Context, context, owner string, namespaces []string) (releases []state.Release, everywhere bool, err error) {
	cluster, err := c.Get(context)
	if err != nil {
		return nil, false, err
	}
	from, err := cluster.store(c.opts.Driver)
	if err != nil {
		return nil, false, err
	}
	marked := current + "," + state.OwnerLabel + "=" + state.OwnerValue(owner)
	found, err := c.list(ctx, from, "", marked)
	everywhere = err == nil
	if errors.Is(err, ErrForbidden) {
		found, err = c.ownedIn(ctx, from, marked, namespaces)
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the releases of %s: %w", owner, err)
	}
	releases, err = decodeAll(locate(from, context, found, nil))
	releases = slices.DeleteFunc(releases, func(r state.Release) bool { return r.Phase == state.PhaseUninstalled })
	return releases, everywhere, err
}

func (c *Clusters) ownedIn(ctx context.Context, from store, marked string, namespaces []string) ([]record, error) {
	found := make([][]record, len(namespaces))
	err := parallel(len(namespaces), maxReaders, func(i int) error {
		var err error
		found[i], err = c.list(ctx, from, namespaces[i], marked)
		return err
	})
	return slices.Concat(found...), err
}

// Writers tells which programs have ever written a record of releases, superseded
// ones included, as far as records are kept; sorted. It reads no content: one
// LIST of metadata for each namespace.
func (c *Clusters) Writers(ctx context.Context, ids []spec.ReleaseID) (map[spec.ReleaseID][]string, error) {
	wanted, err := c.group(ids)
	if err != nil {
		return nil, err
	}
	all := map[spec.ReleaseID][]string{}
	var mu sync.Mutex
	for _, w := range wanted {
		client, err := metadata.NewForConfig(w.store.cluster.config)
		if err != nil {
			return nil, err
		}
		resource := schema.GroupVersionResource{Version: "v1", Resource: w.store.resource}
		namespaces := namespacesOf(w)
		err = parallel(len(namespaces), maxReaders, func(i int) error {
			found, err := c.writers(ctx, w, client.Resource(resource).Namespace(namespaces[i]), namespaces[i])
			mu.Lock()
			defer mu.Unlock()
			for id, managers := range found {
				all[id] = managers
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func namespacesOf(w wanted) []string {
	var all []string
	for namespace := range w.names {
		all = append(all, namespace)
	}
	slices.Sort(all)
	return all
}

func (c *Clusters) writers(ctx context.Context, w wanted, from metadata.ResourceInterface, namespace string) (map[spec.ReleaseID][]string, error) {
	names := labelValues(w.names[namespace])
	if len(names) == 0 {
		return nil, nil
	}
	found := map[spec.ReleaseID][]string{}
	opts := metav1.ListOptions{LabelSelector: selector(ownedByHelm, names), Limit: pageSize}
	for {
		list, err := from.List(ctx, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			found, opts.Continue, opts.Limit = map[spec.ReleaseID][]string{}, "", 0 // see store.records
			continue
		}
		if err != nil {
			return nil, w.store.cluster.Explain(err, Access{Verb: "list", Resource: w.store.resource, Namespace: namespace})
		}
		for _, o := range list.Items {
			id := spec.ReleaseID{Context: w.context, Namespace: namespace, Name: o.Labels["name"]}
			if !slices.Contains(names, id.Name) {
				continue
			}
			for _, f := range o.ManagedFields {
				found[id] = append(found[id], f.Manager)
			}
		}
		if opts.Continue = list.Continue; opts.Continue == "" {
			break
		}
	}
	for id, managers := range found {
		slices.Sort(managers)
		found[id] = slices.Compact(managers)
	}
	return found, nil
}
