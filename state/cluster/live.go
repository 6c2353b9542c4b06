package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state"
)

// Live reads objects of one context as they are, managers of their fields
// included, with list alone: one LIST for each kind and namespace, or of one
// object by its name where only that is asked for. What is not in the cluster is
// not in the result, neither is what is of a kind that the server does not serve
// or of a namespace that does not exist. A kind that may not be listed is a
// *Forbidden; all are joined, and there is no partial result.
func (c *Clusters) Live(ctx context.Context, context string, refs []state.Ref) (map[state.Ref]map[string]any, error) {
	sight, err := c.Look(ctx, context, refs)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, u := range sight.Unseen {
		errs = append(errs, u.Err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return sight.Objects, nil
}

// Sight is what a look at live objects saw.
type Sight struct {
	Objects map[state.Ref]map[string]any
	// Unserved are, in order, objects of kinds that the server has in other
	// versions only, so that it does not tell whether they are there.
	Unserved []state.Ref
	Unseen   []Unseen // in order of kinds and namespaces
}

// Unseen are objects that could not be read, and why.
type Unseen struct {
	Refs []state.Ref
	Err  error // a *Forbidden, where the user may not list them
}

// Look is Live with what could be read where not all of it could. The error is
// one of the cluster itself.
func (c *Clusters) Look(ctx context.Context, context string, refs []state.Ref) (Sight, error) {
	cluster, err := c.Get(context)
	if err != nil {
		return Sight{}, err
	}
	wanted, unserved, err := cluster.looks(ctx, refs)
	if err != nil {
		return Sight{}, err
	}
	found := make([][]map[string]any, len(wanted))
	errs := make([]error, len(wanted))
	err = parallel(len(wanted), maxReaders, func(i int) error {
		select {
		case c.readers <- struct{}{}:
			defer func() { <-c.readers }()
		case <-ctx.Done():
			return ctx.Err()
		}
		found[i], errs[i] = cluster.look(ctx, wanted[i])
		return nil
	})
	if err != nil {
		return Sight{}, err
	}
	sight := Sight{Objects: map[state.Ref]map[string]any{}, Unserved: unserved}
	for i, l := range wanted {
		if errs[i] != nil {
			sight.Unseen = append(sight.Unseen, Unseen{Refs: l.refs(), Err: fmt.Errorf("reading live objects: %w", errs[i])})
		}
		for _, o := range found[i] {
			for _, ref := range l.names[nameOf(o)] {
				sight.Objects[ref] = o
			}
		}
	}
	return sight, nil
}

func (l look) refs() []state.Ref {
	var all []state.Ref
	for _, refs := range l.names {
		all = append(all, refs...)
	}
	slices.SortFunc(all, state.Ref.Compare)
	return all
}

// look is one LIST to make.
type look struct {
	resource  schema.GroupVersionResource
	namespace string                 // empty: cluster-scoped
	names     map[string][]state.Ref // wanted objects, by name
}

// looks sorts refs by kind and namespace. Kinds that the server does not serve
// are left out; unserved are those of which it serves other versions.
func (c *Cluster) looks(ctx context.Context, refs []state.Ref) (all []look, unserved []state.Ref, err error) {
	type key struct {
		kind      schema.GroupVersionKind
		namespace string
	}
	byKey := map[key]*look{}
	mappings := map[schema.GroupVersionKind]*meta.RESTMapping{}
	for _, ref := range refs {
		kind := schema.GroupVersionKind{Group: ref.Group, Version: ref.Version, Kind: ref.Kind}
		mapping, known := mappings[kind]
		if !known {
			var err error
			mapping, err = c.mapper.RESTMappingWithContext(ctx, kind.GroupKind(), kind.Version)
			if err != nil && !meta.IsNoMatchError(err) {
				return nil, nil, c.Explain(err, Access{Verb: "get", Resource: "/apis"})
			}
			mappings[kind] = mapping
		}
		if mapping == nil {
			if _, err := c.mapper.RESTMappingWithContext(ctx, kind.GroupKind()); err == nil {
				unserved = append(unserved, ref)
			}
			continue
		}
		k := key{kind: kind, namespace: ref.Namespace}
		if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
			k.namespace = ""
		}
		if byKey[k] == nil {
			byKey[k] = &look{resource: mapping.Resource, namespace: k.namespace, names: map[string][]state.Ref{}}
		}
		byKey[k].names[ref.Name] = append(byKey[k].names[ref.Name], ref)
	}
	for _, l := range byKey {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b look) int {
		return cmp.Or(cmp.Compare(a.resource.String(), b.resource.String()), cmp.Compare(a.namespace, b.namespace))
	})
	slices.SortFunc(unserved, state.Ref.Compare)
	return all, unserved, nil
}

// look makes one LIST and keeps what is wanted.
func (c *Cluster) look(ctx context.Context, l look) ([]map[string]any, error) {
	opts := metav1.ListOptions{Limit: pageSize, FieldSelector: l.selector()}
	var found []map[string]any
	for {
		list, err := c.dynamic.Resource(l.resource).Namespace(l.namespace).List(ctx, opts)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
			return nil, nil // the kind went meanwhile, or nothing of it is kept
		case apierrors.IsResourceExpired(err) && opts.Continue != "":
			found, opts.Continue, opts.Limit = nil, "", 0 // see store.records
			continue
		case err != nil:
			return nil, c.Explain(err, Access{Verb: "list", Resource: l.resource.GroupResource().String(), Namespace: l.namespace})
		}
		for i := range list.Items {
			if o := list.Items[i].Object; l.names[nameOf(o)] != nil {
				found = append(found, o)
			}
		}
		if opts.Continue = list.GetContinue(); opts.Continue == "" {
			return found, nil
		}
	}
}

// selector asks for one object by its name where only that is wanted. Of Secrets
// it leaves out the records of Helm, which are large, and no object of a release.
func (l look) selector() string {
	if len(l.names) == 1 {
		for name := range l.names {
			return fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		}
	}
	if l.resource.GroupResource() == (schema.GroupResource{Resource: "secrets"}) {
		return fields.OneTermNotEqualSelector("type", "helm.sh/release.v1").String()
	}
	return ""
}

func nameOf(o map[string]any) string {
	m, _ := o["metadata"].(map[string]any)
	name, _ := m["name"].(string)
	return name
}
