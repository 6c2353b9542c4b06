package cluster

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/flotilla-sh/flotilla/state"
)

// Occupants lists what a namespace holds beside what Kubernetes itself puts into
// it, ordered by object. What an object of the namespace owns is not listed: it
// goes with its owner. Every kind that can be deleted is looked at; when one
// cannot be listed nobody knows, which is an error.
func (c *Cluster) Occupants(ctx context.Context, namespace string) ([]state.ObjectID, error) {
	c.Invalidate() // kinds may have come since
	lists, err := discovery.ToDiscoveryInterfaceWithContext(c.cached).ServerPreferredNamespacedResourcesWithContext(ctx)
	if err != nil {
		return nil, c.Explain(err, Access{Verb: "get", Resource: "/apis"})
	}
	kinds := deletable(lists)
	found := make([][]state.ObjectID, len(kinds))
	err = parallel(len(kinds), maxReaders, func(i int) error {
		var err error
		found[i], err = c.occupantsOf(ctx, kinds[i], namespace)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	slices.SortFunc(all, state.ObjectID.Compare)
	return all, nil
}

// deletable leaves out what is only computed, such as metrics, and events, which
// tell of objects and keep nobody.
func deletable(lists []*metav1.APIResourceList) []schema.GroupVersionResource {
	var kinds []schema.GroupVersionResource
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") && r.Kind != "Event" {
				kinds = append(kinds, gv.WithResource(r.Name))
			}
		}
	}
	return kinds
}

func (c *Cluster) occupantsOf(ctx context.Context, kind schema.GroupVersionResource, namespace string) ([]state.ObjectID, error) {
	var found []state.ObjectID
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := c.dynamic.Resource(kind).Namespace(namespace).List(ctx, opts)
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			return found, nil
		}
		if err != nil {
			return nil, c.Explain(err, Access{Verb: "list", Resource: kind.GroupResource().String(), Namespace: namespace})
		}
		for i := range list.Items {
			o := &list.Items[i]
			if !furniture(o) && !c.owned(ctx, o) {
				found = append(found, state.ObjectID{Group: kind.Group, Kind: o.GetKind(), Namespace: namespace, Name: o.GetName()})
			}
		}
		if opts.Continue = list.GetContinue(); opts.Continue == "" {
			return found, nil
		}
	}
}

// furniture is what Kubernetes itself puts into every namespace, or makes of
// objects that users put there.
func furniture(o *unstructured.Unstructured) bool {
	switch o.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Kind: "ServiceAccount"}:
		return o.GetName() == "default"
	case schema.GroupKind{Kind: "ConfigMap"}:
		return o.GetName() == "kube-root-ca.crt"
	case schema.GroupKind{Kind: "Secret"}: // servers before 1.24
		kind, _, _ := unstructured.NestedString(o.Object, "type")
		return kind == "kubernetes.io/service-account-token" && o.GetAnnotations()["kubernetes.io/service-account.name"] == "default"
	case schema.GroupKind{Kind: "Endpoints"}: // of a Service, without an owner
		_, made := o.GetAnnotations()["endpoints.kubernetes.io/last-change-trigger-time"]
		_, managed := o.GetLabels()["endpoints.kubernetes.io/managed-by"]
		return made || managed
	default:
		return false
	}
}

// owned says whether an object goes away with another one of its namespace: what
// something cluster-scoped owns counts for itself.
func (c *Cluster) owned(ctx context.Context, o *unstructured.Unstructured) bool {
	owners := o.GetOwnerReferences()
	return len(owners) > 0 && !slices.ContainsFunc(owners, func(owner metav1.OwnerReference) bool {
		kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
		mapping, err := c.mapper.RESTMappingWithContext(ctx, kind)
		return err != nil || mapping.Scope.Name() != meta.RESTScopeNameNamespace
	})
}

// Marked gives the UID of a namespace that has an annotation with that value.
// Empty: it has not, or is not there.
func (c *Cluster) Marked(ctx context.Context, namespace, annotation, value string) (string, error) {
	found, err := c.kubernetes.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", c.Explain(err, Access{Verb: "get", Resource: "namespaces"})
	case found.Annotations[annotation] != value || found.DeletionTimestamp != nil:
		return "", nil
	default:
		return string(found.UID), nil
	}
}
