package diff

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

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
		if r == nil {
			continue
		}
		docs := Documents(r.Stream)
		for _, f := range r.CRDs {
			docs = append(docs, Documents(f.Data)...)
		}
		for _, doc := range docs {
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
	if err := yaml.Unmarshal([]byte(doc), &crd); err != nil {
		return schema.GroupKind{}, false // whoever compares tells
	}
	return schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}, crd.Kind == "CustomResourceDefinition" && crd.Spec.Scope == "Cluster"
}
