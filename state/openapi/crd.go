package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ErrDefinition: an object is no custom resource definition that a server would
// take.
var ErrDefinition = errors.New("not a usable CustomResourceDefinition")

// Definition is a custom resource definition: the kind it brings, with the
// schema of each version that it serves.
type Definition struct {
	Name       string // of the CustomResourceDefinition object
	Kind       schema.GroupKind
	Resource   string // plural, as in URLs
	Namespaced bool
	Versions   []string // served ones, in the order of the definition

	*Document // schemas of the served versions
}

// FromCRD reads a CustomResourceDefinition of apiextensions.k8s.io/v1 from the
// object as it was decoded from YAML or JSON. Errors wrap ErrDefinition.
func FromCRD(object map[string]any) (*Definition, error) {
	var crd definition
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, &crd)
	}
	name := crd.Metadata.Name
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDefinition, err)
	case crd.APIVersion != "apiextensions.k8s.io/v1" || crd.Kind != "CustomResourceDefinition":
		return nil, fmt.Errorf("%w: %s %q of %s", ErrDefinition, crd.Kind, name, crd.APIVersion)
	case crd.Spec.Group == "" || crd.Spec.Names.Kind == "":
		return nil, fmt.Errorf("%w: %s names no group or no kind", ErrDefinition, name)
	}
	d := &Definition{
		Name:       name,
		Kind:       schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind},
		Resource:   crd.Spec.Names.Plural,
		Namespaced: crd.Spec.Scope != "Cluster",
	}
	schemas := map[string]json.RawMessage{objectMetaName: json.RawMessage(objectMeta)}
	for _, v := range crd.Spec.Versions {
		if !v.Served {
			continue
		}
		d.Versions = append(d.Versions, v.Name)
		root := asPublished(v.Schema.Root, d.Kind.WithVersion(v.Name), crd.Spec.PreserveUnknownFields)
		if schemas[d.Kind.WithVersion(v.Name).String()], err = json.Marshal(root); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDefinition, name, err)
		}
	}
	if d.Document, err = newDocument(schemas); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDefinition, name, err)
	}
	return d, nil
}

type definition struct {
	APIVersion string
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct {
		Group                 string
		Scope                 string
		PreserveUnknownFields bool
		Names                 struct{ Kind, Plural string }
		Versions              []struct {
			Name   string
			Served bool
			Schema struct {
				Root map[string]any `json:"openAPIV3Schema"`
			}
		}
	}
}

// asPublished adds to the schema of a definition what a server adds before it
// publishes it, in apiextensions-apiserver/pkg/controller/openapi/builder: the
// fields that every object has, and those of objects inside of it.
func asPublished(root map[string]any, gvk schema.GroupVersionKind, preserve bool) map[string]any {
	published := map[string]any{}
	if root != nil {
		published, _ = embed(root).(map[string]any)
	}
	published["type"] = "object"
	published["properties"] = withObjectFields(published["properties"])
	if preserve || root == nil {
		published["x-kubernetes-preserve-unknown-fields"] = true
	}
	published[kindExtension] = []any{map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}}
	return published
}

// embed copies a schema and completes every embedded resource in it.
func embed(node any) any {
	switch node := node.(type) {
	case []any:
		list := make([]any, len(node))
		for i := range node {
			list[i] = embed(node[i])
		}
		return list
	case map[string]any:
		out := make(map[string]any, len(node))
		for k, v := range node {
			out[k] = embed(v)
		}
		if out["x-kubernetes-embedded-resource"] == true {
			out["properties"] = withObjectFields(out["properties"])
			required, _ := out["required"].([]any)
			out["required"] = append(required, "apiVersion", "kind")
		}
		return out
	default:
		return node
	}
}

func withObjectFields(properties any) map[string]any {
	all := map[string]any{}
	if given, ok := properties.(map[string]any); ok {
		maps.Copy(all, given)
	}
	text := map[string]any{"type": "string"}
	all["apiVersion"], all["kind"] = text, text
	all["metadata"] = map[string]any{"allOf": []any{map[string]any{"$ref": refPrefix + objectMetaName}}}
	return all
}

const objectMetaName = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// objectMeta is the schema of metadata, which a definition does not hold: the
// server checks it by its own type, metav1.ObjectMeta.
const objectMeta = `{"type": "object", "properties": {
	"name": {"type": "string"},
	"generateName": {"type": "string"},
	"namespace": {"type": "string"},
	"selfLink": {"type": "string"},
	"uid": {"type": "string"},
	"resourceVersion": {"type": "string"},
	"generation": {"type": "integer", "format": "int64"},
	"creationTimestamp": {"type": "string", "format": "date-time"},
	"deletionTimestamp": {"type": "string", "format": "date-time"},
	"deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
	"labels": {"type": "object", "additionalProperties": {"type": "string"}},
	"annotations": {"type": "object", "additionalProperties": {"type": "string"}},
	"finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
	"ownerReferences": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
		"items": {"type": "object", "x-kubernetes-map-type": "atomic", "required": ["apiVersion", "kind", "name", "uid"], "properties": {
			"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "name": {"type": "string"}, "uid": {"type": "string"},
			"controller": {"type": "boolean"}, "blockOwnerDeletion": {"type": "boolean"}}}},
	"managedFields": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "object", "properties": {
		"manager": {"type": "string"}, "operation": {"type": "string"}, "apiVersion": {"type": "string"},
		"time": {"type": "string", "format": "date-time"}, "fieldsType": {"type": "string"},
		"fieldsV1": {"type": "object"}, "subresource": {"type": "string"}}}}
}}`
