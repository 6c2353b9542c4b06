package diff

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state/openapi"
)

func builtin(gvk schema.GroupVersionKind) openapi.Type {
	typ, _ := openapi.Builtin().Type(gvk)
	return typ
}

// boats has one list of each kind.
const boats = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "boats.example.org"},
"spec": {"group": "example.org", "scope": "Namespaced", "names": {"kind": "Boat", "plural": "boats"}, "versions": [{"name": "v1", "served": true, "storage": true,
"schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
"crew": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["role"], "items": {"type": "object", "properties": {"role": {"type": "string"}, "who": {"type": "string"}}}},
"flags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
"route": {"type": "array", "items": {"type": "string"}}}}}}}}]}}`

func TestOrderThatIsNoiseIsNoChange(t *testing.T) {
	pod := func(spec string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" + spec
	}
	deployment := func(spec string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {" + spec + "}}}\n"
	}
	account := func(secrets string) string {
		return "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nsecrets:\n" + secrets
	}
	service := func(ports string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [" + ports + "]}\n"
	}
	boat := func(spec string) string {
		return "apiVersion: example.org/v1\nkind: Boat\nmetadata: {name: b}\nspec: {" + spec + "}\n"
	}
	tests := []struct {
		name          string
		before, after string
		want          string
	}{
		{"secrets of an account have names", account("- {name: a}\n- {name: b}\n"), account("- {name: b}\n- {name: a}\n"), ""},
		{"finalizers are a set", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: [a/x, b/x]}\n", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: [b/x, a/x]}\n", ""},
		{"what else differs is a small difference, and an element that comes as well", account("- {name: a}\n- {name: b}\n- {name: c}\n"), account("- {name: c, uid: u}\n- {name: x}\n- {name: b}\n- {name: a}\n"),
			"change ServiceAccount/a\n@secrets.c\n+  uid: u\n+- name: x\n@\n"},
		{"an element that goes stays where it was", account("- {name: a}\n- {name: gone}\n- {name: b}\n"), account("- {name: b}\n- {name: a}\n"),
			"change ServiceAccount/a\n@secrets\n-- name: gone\n"},
		{"volumes in another order replace the pods of a Deployment", deployment("containers: [{name: c}], volumes: [{name: a}, {name: b}]"), deployment("containers: [{name: c}], volumes: [{name: b}, {name: a}]"),
			"change Deployment/d\n@spec.template.spec.volumes\n-      - name: a\n@spec.template.spec.volumes\n+      - name: a\n"},
		{"and so do mounts", deployment("containers: [{name: c, volumeMounts: [{mountPath: /x}, {mountPath: /y}]}]"), deployment("containers: [{name: c, volumeMounts: [{mountPath: /y}, {mountPath: /x}]}]"),
			"change Deployment/d\n@spec.template.spec.containers.c.volumeMounts\n-        - mountPath: /x\n@spec.template.spec.containers.c.volumeMounts\n+        - mountPath: /x\n"},
		{"and ports of containers", deployment("containers: [{name: c, ports: [{containerPort: 1}, {containerPort: 2}]}]"), deployment("containers: [{name: c, ports: [{containerPort: 2}, {containerPort: 1}]}]"),
			"change Deployment/d\n@spec.template.spec.containers.c.ports\n-        - containerPort: 1\n@spec.template.spec.containers.c.ports\n+        - containerPort: 1\n"},
		{"and secrets for images", deployment("containers: [{name: c}], imagePullSecrets: [{name: a}, {name: b}]"), deployment("containers: [{name: c}], imagePullSecrets: [{name: b}, {name: a}]"),
			"change Deployment/d\n@spec.template.spec.imagePullSecrets\n-      - name: a\n@spec.template.spec.imagePullSecrets\n+      - name: a\n"},
		{"and constraints of the spread", deployment("containers: [{name: c}], topologySpreadConstraints: [{topologyKey: a, whenUnsatisfiable: x}, {topologyKey: b, whenUnsatisfiable: x}]"),
			deployment("containers: [{name: c}], topologySpreadConstraints: [{topologyKey: b, whenUnsatisfiable: x}, {topologyKey: a, whenUnsatisfiable: x}]"),
			"change Deployment/d\n@spec.template.spec.topologySpreadConstraints\n-      - topologyKey: a\n-        whenUnsatisfiable: x\n@spec.template.spec.topologySpreadConstraints\n+      - topologyKey: a\n+        whenUnsatisfiable: x\n"},
		{"the template of a CronJob's Jobs is one, too", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c}], volumes: [{name: a}, {name: b}]}}}}}\n",
			"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c}], volumes: [{name: b}, {name: a}]}}}}}\n",
			"change CronJob/c\n@spec.jobTemplate.spec.template.spec.volumes\n-          - name: a\n@spec.jobTemplate.spec.template.spec.volumes\n+          - name: a\n"},
		{"and what a Pod holds", pod("  containers: [{name: c}]\n  volumes: [{name: a}, {name: b}]\n"), pod("  containers: [{name: c}]\n  volumes: [{name: b}, {name: a}]\n"),
			"change Pod/p\n@spec.volumes\n-  - name: a\n@spec.volumes\n+  - name: a\n"},
		{"around a template of pods order is noise as everywhere", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, finalizers: [a/x, b/x]}\nspec: {template: {spec: {containers: [{name: c}]}}}\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, finalizers: [b/x, a/x]}\nspec: {template: {spec: {containers: [{name: c}]}}}\n", ""},
		{"variables may refer to those before them", pod("  containers: [{name: c, env: [{name: A}, {name: B}]}]\n"), pod("  containers: [{name: c, env: [{name: B}, {name: A}]}]\n"),
			"change Pod/p\n@spec.containers.c.env\n-    - name: A\n@spec.containers.c.env\n+    - name: A\n@\n"},
		{"containers for preparation run in their order", pod("  initContainers: [{name: a}, {name: b}]\n"), pod("  initContainers: [{name: b}, {name: a}]\n"),
			"change Pod/p\n@spec.initContainers\n-  - name: a\n@spec.initContainers\n+  - name: a\n"},
		{"containers start in their order", pod("  containers: [{name: a}, {name: b}]\n"), pod("  containers: [{name: b}, {name: a}]\n"),
			"change Pod/p\n@spec.containers\n-  - name: a\n@spec.containers\n+  - name: a\n"},
		{"arguments are no set", pod("  containers: [{name: c, args: [a, b]}]\n"), pod("  containers: [{name: c, args: [b, a]}]\n"),
			"change Pod/p\n@spec.containers.c.args\n-    - a\n@spec.containers.c.args\n+    - a\n@\n"},
		{"the first port of a Service is the one in variables", service("{port: 1}, {port: 2}"), service("{port: 2}, {port: 1}"),
			"change Service/s\n@spec.ports\n-  - port: 1\n@spec.ports\n+  - port: 1\n"},
		{"two elements with one key are left alone", account("- {name: a}\n- {name: a}\n- {name: b}\n"), account("- {name: b}\n- {name: a}\n- {name: a}\n"),
			"change ServiceAccount/a\n@secrets\n+- name: b\n@secrets\n-- name: b\n"},
		{"a definition says that a list is a set or has keys", boat("crew: [{role: a, who: x}, {role: b}], flags: [x, z]"), boat("crew: [{role: b}, {role: a, who: x}], flags: [z, x]"), ""},
		{"and that the order of another counts", boat("route: [a, b]"), boat("route: [b, a]"),
			"change Boat/b\n@spec.route\n-  - a\n@spec.route\n+  - a\n"},
		{"of a kind that nobody knows every order counts", "apiVersion: x/v1\nkind: K\nmetadata: {name: k}\nvolumes: [a, b]\n", "apiVersion: x/v1\nkind: K\nmetadata: {name: k}\nvolumes: [b, a]\n",
			"change K/k\n@volumes\n-- a\n@volumes\n+- a\n"},
	}
	definition := definitionOf(t, boats)
	types := func(gvk schema.GroupVersionKind) openapi.Type {
		if typ, ok, err := definition.Type(gvk); ok && err == nil {
			return typ
		}
		return builtin(gvk)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := shown(Show(changesOf(t, tt.before, tt.after, Options{Types: types}), Selection{}), 0)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func definitionOf(t *testing.T, text string) *openapi.Definition {
	t.Helper()
	objects, err := index([]string{text}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects.named {
		d, err := openapi.FromCRD(o)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Fatal("no object")
	return nil
}

// TestSchemasAreAskedForOnlyWhereOrderDiffers keeps a plan from paying for the
// schemas of all kinds because an image has changed.
func TestSchemasAreAskedForOnlyWhereOrderDiffers(t *testing.T) {
	pod := func(containers string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: p, finalizers: [a, b]}\nspec: {containers: [" + containers + "]}\n"
	}
	tests := []struct {
		name          string
		before, after string
		want          int
	}{
		{"nothing differs", pod("{name: a}"), pod("{name: a}"), 0},
		{"a field of an element", pod("{name: a, image: x}, {name: b}"), pod("{name: a, image: y}, {name: b}"), 0},
		{"an element that comes in the middle", pod("{name: a}, {name: b}"), pod("{name: a}, {name: x}, {name: b}"), 0},
		{"an element that goes", pod("{name: a}, {name: b}"), pod("{name: b}"), 0},
		{"an object that comes", "", pod("{name: a}"), 0},
		{"the order of two in a pod, where it counts", pod("{name: a}, {name: b}"), pod("{name: b}, {name: a}"), 0},
		{"the order of two elsewhere", pod("{name: a}"), strings.Replace(pod("{name: a}"), "[a, b]", "[b, a]", 1), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			changesOf(t, tt.before, tt.after, Options{Types: func(gvk schema.GroupVersionKind) openapi.Type { asked++; return builtin(gvk) }})
			if asked != tt.want {
				t.Errorf("asked %d times, want %d", asked, tt.want)
			}
		})
	}
}

// FuzzOrder: an object with lists in another order is the same, or is told with
// all that both have.
func FuzzOrder(f *testing.F) {
	f.Add("apiVersion: v1\nkind: Pod\nspec: {volumes: [{name: a}, {name: b}]}\n", "apiVersion: v1\nkind: Pod\nspec: {volumes: [{name: b}, {name: a}, {name: c}]}\n")
	f.Add("apiVersion: v1\nkind: Pod\nmetadata: {finalizers: [a, b, a]}\n", "apiVersion: v1\nkind: Pod\nmetadata: {finalizers: [b, 1, a]}\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		old, wanted, err := indexBoth([]string{before}, []string{after}, Options{})
		if err != nil {
			return
		}
		for id, o := range old {
			a := inOrderOf(o, wanted[id], Options{Types: builtin})
			if len(a) != len(o) {
				t.Fatalf("%d fields of %d are left", len(a), len(o))
			}
			again := inOrderOf(a, wanted[id], Options{Types: builtin})
			if d := cmp.Diff(a, again); d != "" {
				t.Errorf("the order changes again (-once +twice):\n%s", d)
			}
			if d := cmp.Diff(o, inOrderOf(o, o, Options{Types: builtin})); d != "" {
				t.Errorf("an object changes in its own order:\n%s", d)
			}
		}
	})
}
