package openapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func TestBuiltinTypesTellHowFieldsMerge(t *testing.T) {
	root, ok := Builtin().Type(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"})
	if !ok {
		t.Fatal("a Deployment is not built in")
	}
	pod := root.Field("spec").Field("template").Field("spec")
	container := pod.Field("containers").Elem()
	tests := []struct {
		name string
		at   Type
		want merging
	}{
		{"containers are told apart by name", pod.Field("containers"), merging{Known: true, List: ListMap, Keys: []string{"name"}}},
		{"ports are told apart by two keys", container.Field("ports"), merging{Known: true, List: ListMap, Keys: []string{"containerPort", "protocol"}}},
		{"arguments keep their order", container.Field("args"), merging{Known: true, List: ListAtomic, Atomic: true}},
		{"finalizers are a set", root.Field("metadata").Field("finalizers"), merging{Known: true, List: ListSet}},
		{"a selector is replaced as a whole", root.Field("spec").Field("selector"), merging{Known: true, Atomic: true}},
		{"limits are amounts", container.Field("resources").Field("limits").Field("cpu"), merging{Known: true, Quantity: true}},
		{"a probe's port is a number or a name", container.Field("livenessProbe").Field("httpGet").Field("port"), merging{Known: true, IntOrString: true}},
		{"labels are separate", root.Field("metadata").Field("labels"), merging{Known: true}},
		{"a label is known by the map it is in", root.Field("metadata").Field("labels").Field("any"), merging{Known: true}},
		{"below what is unknown, all is unknown", root.Field("nothing").Field("spec").Elem(), merging{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, mergingOf(tt.at)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	if got := container.Field("ports").Elem().Default("protocol"); got != "TCP" {
		t.Errorf("a port's protocol is %v when it is left out, want TCP", got)
	}
	for name, at := range map[string]Type{"of a Deployment": root, "that is deduced": {}} {
		if _, err := at.Typed().FromUnstructured(object(t, "spec: {replicas: 1}")); err != nil {
			t.Errorf("the type %s refuses a value: %v", name, err)
		}
	}
}

func TestBuiltinTypesAreThoseOfKubernetesOnly(t *testing.T) {
	for _, gvk := range []schema.GroupVersionKind{
		{Group: "example.com", Version: "v1", Kind: "Widget"},
		{Group: "apps", Version: "v9", Kind: "Deployment"},
		{Version: "v1", Kind: "Deployment"},
	} {
		if _, ok := Builtin().Type(gvk); ok {
			t.Errorf("%s is built in", gvk)
		}
	}
}

type merging struct {
	Known, Atomic, Quantity, IntOrString bool
	List                                 ListKind
	Keys                                 []string
}

func mergingOf(t Type) merging {
	return merging{
		Known: t.Known(), Atomic: t.Atomic(), Quantity: t.Quantity(), IntOrString: t.IntOrString(),
		List: t.List(), Keys: t.Keys(),
	}
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}
