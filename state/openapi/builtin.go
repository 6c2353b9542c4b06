package openapi

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

// Builtins are the kinds of Kubernetes itself, as this program was built with
// them.
type Builtins struct{}

// Builtin gives the kinds that need no server. They are parsed when the first
// Type is asked for, and once in a process.
func Builtin() Builtins { return Builtins{} }

// Type gives the schema of a kind, and false for one that is not built in.
func (Builtins) Type(gvk schema.GroupVersionKind) (Type, bool) {
	if !scheme.Scheme.Recognizes(gvk) {
		return Type{}, false
	}
	var empty unstructured.Unstructured
	empty.SetGroupVersionKind(gvk)
	value, err := applyconfigurations.NewTypeConverter(scheme.Scheme).ObjectToTyped(&empty)
	if err != nil { // a kind that can only be read, such as a list
		return Type{}, false
	}
	return Type{schema: value.Schema(), ref: value.TypeRef()}, true
}
