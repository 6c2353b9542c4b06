package diff

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func TestScopesAreThoseOfDefinitionsInAnyReleaseOfThePlan(t *testing.T) {
	define := func(kind, scope string) string {
		return "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {group: example.org, scope: " + scope + ", names: {kind: " + kind + "}}\n"
	}
	of := func(context, name string) spec.ReleaseID {
		return spec.ReleaseID{Context: context, Namespace: "n", Name: name}
	}
	kind := func(name string) schema.GroupKind { return schema.GroupKind{Group: "example.org", Kind: name} }
	known := map[string]map[schema.GroupKind]bool{"a": {kind("Old"): true, kind("Moved"): true}}
	got := Scopes(known, map[spec.ReleaseID]*state.Revision{
		of("a", "templates"): {Stream: []byte(define("Boat", "Cluster") + define("Moved", "Namespaced"))},
		of("a", "folder"):    {CRDs: []state.CRDFile{{Data: []byte(define("Raft", "Cluster"))}}},
		of("b", "hooks"):     {Hooks: []state.Hook{{Manifest: define("Ship", "Cluster")}}},
		of("c", "none"):      {Stream: []byte("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: CustomResourceDefinition}\n")},
	})
	want := map[string]map[schema.GroupKind]bool{
		"a": {kind("Old"): true, kind("Moved"): false, kind("Boat"): true, kind("Raft"): true},
		"b": {kind("Ship"): true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if len(known["a"]) != 2 || !known["a"][kind("Moved")] {
		t.Errorf("what was known has changed: %v", known)
	}
}

func TestSourcesNamesTheTemplateOfEachObject(t *testing.T) {
	got, err := Sources([]byte(`---
# Source: app/templates/a.yaml
# a comment of the template
kind: A
---
# Source: app/templates/empty.yaml
# nothing
---
kind: B
---
# Source: app/templates/list.yaml
kind: CList
apiVersion: v1
items: [{metadata: {name: one}}, {metadata: {name: two}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	item := func(name string) map[string]any {
		return map[string]any{"kind": "C", "apiVersion": "v1", "metadata": map[string]any{"name": name}}
	}
	want := []Sourced{
		{Object: map[string]any{"kind": "A"}, Source: "app/templates/a.yaml"},
		{Object: map[string]any{"kind": "B"}},
		{Object: item("one"), Source: "app/templates/list.yaml"},
		{Object: item("two"), Source: "app/templates/list.yaml"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
