package openapi

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, maximum: 9}
              color: {type: string, enum: [red, blue]}
              code: {type: string, pattern: '^[a-z]+$', minLength: 2, maxLength: 4}
              port: {x-kubernetes-int-or-string: true}
              note: {type: string, nullable: true}
              mode: {type: string, default: fast}
              any: {type: object, x-kubernetes-preserve-unknown-fields: true}
              options: {type: object, additionalProperties: {type: boolean}}
              tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name, kind]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, kind: {type: string, default: plain}, weight: {type: number}}
              order: {type: array, items: {type: string}}
              template:
                type: object
                x-kubernetes-embedded-resource: true
                x-kubernetes-preserve-unknown-fields: true
  - name: v0
    served: false
    storage: false
    schema: {openAPIV3Schema: {type: object}}
`

func TestACustomResourceDefinitionTellsHowFieldsMerge(t *testing.T) {
	d, err := FromCRD(object(t, widgets))
	if err != nil {
		t.Fatal(err)
	}
	if d.Kind != (schema.GroupKind{Group: "example.com", Kind: "Widget"}) || d.Namespaced || d.Resource != "widgets" {
		t.Errorf("got %v %s, namespaced %v", d.Kind, d.Resource, d.Namespaced)
	}
	if diff := cmp.Diff([]string{"v1"}, d.Versions); diff != "" {
		t.Errorf("served versions (-want +got)\n%s", diff)
	}
	root, ok, err := d.Type(d.Kind.WithVersion("v1"))
	if err != nil || !ok {
		t.Fatalf("no type: %v", err)
	}
	field := root.Field("spec")
	tests := []struct {
		name string
		at   Type
		want merging
	}{
		{"a list of type map has its keys", field.Field("parts"), merging{Known: true, List: ListMap, Keys: []string{"name", "kind"}}},
		{"a list of type set", field.Field("tags"), merging{Known: true, List: ListSet}},
		{"a list without a type is atomic", field.Field("order"), merging{Known: true, List: ListAtomic, Atomic: true}},
		{"what is free in an object is no list", field.Field("any").Field("thing"), merging{Known: true}},
		{"metadata is that of all objects", root.Field("metadata").Field("finalizers"), merging{Known: true, List: ListSet}},
		{"an object inside has metadata, too", field.Field("template").Field("metadata").Field("labels"), merging{Known: true}},
		{"a field that is not in the schema", field.Field("nothing"), merging{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, mergingOf(tt.at)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if got := field.Field("parts").Elem().Default("kind"); got != "plain" {
		t.Errorf("a part's kind is %v when it is left out, want plain", got)
	}
	if _, ok, err := d.Type(d.Kind.WithVersion("v0")); ok || err != nil {
		t.Errorf("a version that is not served has a type (%v)", err)
	}
}

func TestWhatIsNoDefinitionIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"another kind":           "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
		"the version before v1":  "{apiVersion: apiextensions.k8s.io/v1beta1, kind: CustomResourceDefinition, metadata: {name: a}}",
		"no group":               "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}, spec: {names: {kind: A}}}",
		"a list where text goes": "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}, spec: {group: []}}",
	} {
		if _, err := FromCRD(object(t, text)); !errors.Is(err, ErrDefinition) {
			t.Errorf("%s: got %v, want ErrDefinition", name, err)
		}
	}
}
