package diff

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// builtIn lists the kinds of Kubernetes without a namespace that charts hold, as
// kubectl api-resources --namespaced=false prints them.
func builtIn() map[string][]string {
	return map[string][]string{
		"": {"Namespace", "Node", "PersistentVolume"},
		"admissionregistration.k8s.io": {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
			"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"},
		"apiextensions.k8s.io":         {"CustomResourceDefinition"},
		"apiregistration.k8s.io":       {"APIService"},
		"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
		"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
		"networking.k8s.io":            {"IngressClass", "IPAddress", "ServiceCIDR"},
		"node.k8s.io":                  {"RuntimeClass"},
		"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
		"resource.k8s.io":              {"DeviceClass", "ResourceSlice"},
		"scheduling.k8s.io":            {"PriorityClass"},
		"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	}
}

// Scopes adds to what is known of each context, which kinds have no namespace,
// what the definitions among the wanted revisions say: a custom resource may be
// in another release than its definition, which is not in the cluster yet.
func Scopes(known map[string]map[schema.GroupKind]bool, want map[spec.ReleaseID]*state.Revision) map[string]map[schema.GroupKind]bool {
	all := maps.Clone(known)
	if all == nil {
		all = map[string]map[schema.GroupKind]bool{}
	}
	own := map[string]bool{} // contexts whose map is a copy
	for _, id := range slices.SortedFunc(maps.Keys(want), spec.ReleaseID.Compare) {
		for _, doc := range definitions(want[id]) {
			kind, cluster := defined(doc)
			if kind.Kind == "" {
				continue
			}
			if !own[id.Context] {
				own[id.Context] = true
				all[id.Context] = maps.Clone(all[id.Context])
			}
			if all[id.Context] == nil {
				all[id.Context] = map[schema.GroupKind]bool{}
			}
			all[id.Context][kind] = cluster
		}
	}
	return all
}

// definitions are the documents of a revision that hold custom resource
// definitions, of hooks and crds/, too. What holds none is not split.
func definitions(r *state.Revision) []string {
	if r == nil {
		return nil
	}
	texts := [][]byte{r.Stream}
	for _, f := range r.CRDs {
		texts = append(texts, f.Data)
	}
	for _, h := range r.Hooks {
		texts = append(texts, []byte(h.Manifest))
	}
	var docs []string
	for _, text := range texts {
		if bytes.Contains(text, []byte("CustomResourceDefinition")) {
			docs = append(docs, Documents(text)...)
		}
	}
	return docs
}

// clusterScoped adds to what is known of a cluster the built-in kinds and those
// that the revisions define themselves.
func clusterScoped(known map[schema.GroupKind]bool, revisions ...*state.Revision) map[schema.GroupKind]bool {
	all := maps.Clone(known)
	if all == nil {
		all = map[schema.GroupKind]bool{}
	}
	for group, kinds := range builtIn() {
		for _, kind := range kinds {
			all[schema.GroupKind{Group: group, Kind: kind}] = true
		}
	}
	for _, r := range revisions {
		for _, doc := range definitions(r) {
			if kind, cluster := defined(doc); cluster {
				all[kind] = true
			}
		}
	}
	return all
}

// defined reads the kind that a custom resource definition brings, and whether
// that has no namespace.
func defined(doc string) (kind schema.GroupKind, cluster bool) {
	if !strings.Contains(doc, "CustomResourceDefinition") {
		return schema.GroupKind{}, false
	}
	var crd struct {
		Kind string `json:"kind"`
		Spec struct {
			Group string `json:"group"`
			Scope string `json:"scope"`
			Names struct {
				Kind string `json:"kind"`
			} `json:"names"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(doc), &crd); err != nil || crd.Kind != "CustomResourceDefinition" {
		return schema.GroupKind{}, false // whoever compares tells
	}
	return schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}, crd.Spec.Scope == "Cluster"
}
