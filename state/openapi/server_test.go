package openapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

// TestTheServerSaysTheSame holds what is found in objects against what a real
// API server answers when they are applied, strictly and without being written.
func TestTheServerSaysTheSame(t *testing.T) {
	c := clustertest.Start(t)
	ns := c.Namespace(t)
	client, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	const meta = "metadata: {name: a, namespace: NS}"
	pod := func(container string) string {
		return "{apiVersion: v1, kind: Pod, " + meta + ", spec: {serviceAccountName: default, containers: [{" + container + "}]}}"
	}
	tests := []struct {
		name, resource, object string
		faults                 []string // the fields; none: the server accepts the object
		told                   string   // what the server says, if anything
	}{
		{"a pod that is right", "pods", pod("name: a, image: b, ports: [{containerPort: 80}], resources: {limits: {cpu: 1, memory: 1Gi}}, livenessProbe: {httpGet: {port: http}}"), nil, ""},
		{"null where Go forgives it", "pods", pod("name: a, image: b, args: null, resources: null, securityContext: null"), nil, ""},
		{"an empty value of an enum", "pods", pod("name: a, image: b, imagePullPolicy: ''"), nil, ""},
		{"a header without a value", "pods", pod("name: a, image: b, livenessProbe: {httpGet: {port: 80, httpHeaders: [{name: A}]}}"), nil, ""},
		{"an unknown field", "pods", pod("name: a, image: b, imagePullPolice: Never"), []string{"spec.containers[0].imagePullPolice"}, ".imagePullPolice: field not declared"},
		{"an unknown field of metadata", "pods", strings.Replace(pod("name: a, image: b"), "name: a,", "name: a, owner: me,", 1), []string{"metadata.owner"}, ".metadata.owner: field not declared"},
		{"text for a number", "pods", pod("name: a, image: b, ports: [{containerPort: http}]"), []string{"spec.containers[0].ports[0].containerPort"}, "expected numeric"},
		{"a number for text", "pods", pod("name: a, image: b, env: [{name: A, value: 5}]"), []string{"spec.containers[0].env[0].value"}, "expected string, got"},
		{"a label that is a number", "pods", strings.Replace(pod("name: a, image: b"), "name: a,", "name: a, labels: {v: 1.5},", 1), []string{"metadata.labels.v"}, ".metadata.labels.v: expected string"},
		{"an amount that is none", "pods", pod("name: a, image: b, resources: {limits: {cpu: lots}}"), []string{"spec.containers[0].resources.limits.cpu"}, "quantities must match"},
		{"nothing that is required", "pods", pod("image: b"), []string{"spec.containers[0].name"}, "spec.containers[0].name: Required value"},
		{"none of an enum", "pods", pod("name: a, image: b, imagePullPolicy: Allways"), []string{"spec.containers[0].imagePullPolicy"}, "spec.containers[0].imagePullPolicy: Unsupported value"},
		{"the same key twice", "pods", pod("name: a, image: b, env: [{name: A}, {name: A}]"), []string{"spec.containers[0].env[1]"}, "duplicate entries for key"},
		{"data that is no base64", "secrets", "{apiVersion: v1, kind: Secret, " + meta + ", data: {a: '%%'}}", []string{"data.a"}, "illegal base64"},
		{"a deployment without anything", "deployments.apps", "{apiVersion: apps/v1, kind: Deployment, " + meta + "}",
			[]string{"spec.selector", "spec.template"}, "spec.selector: Required value"},
		{"a role without rules", "roles.rbac.authorization.k8s.io", "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, " + meta + "}", nil, ""},
		{"a class of priority without a value", "priorityclasses.scheduling.k8s.io", "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a-NS}}", nil, ""},
		{"limits that limit nothing", "limitranges", "{apiVersion: v1, kind: LimitRange, " + meta + ", spec: {}}", nil, ""},
		{"a driver without a specification", "csidrivers.storage.k8s.io", "{apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {name: a-NS}}", nil, ""},
		{"a definition", "customresourcedefinitions.apiextensions.k8s.io", definition("a-NS"), nil, ""},
		{"a definition with a word misspelt", "customresourcedefinitions.apiextensions.k8s.io", strings.Replace(definition("a-NS"), "served:", "serve:", 1),
			[]string{"spec.versions[0].serve"}, ".serve: field not declared"},
	}
	clusters := cluster.New(cluster.Options{Kubeconfig: c.Kubeconfig})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := parsed(t, strings.ReplaceAll(tt.object, "NS", ns))
			gvk := o.GroupVersionKind()
			documents, err := clusters.OpenAPI(t.Context(), "", []schema.GroupVersion{gvk.GroupVersion()})
			if err != nil {
				t.Fatal(err)
			}
			v, err := openapi.NewCatalog(openapi.Sources{Published: documents}).Validator(gvk)
			if err != nil {
				t.Fatal(err)
			}
			same(t, v, o, judge{client: client, resource: schema.ParseGroupResource(tt.resource), faults: tt.faults, told: tt.told})
		})
	}
}

// TestTheServerSaysTheSameOfCustomResources does so for a definition that the
// plan brings.
func TestTheServerSaysTheSameOfCustomResources(t *testing.T) {
	c := clustertest.Start(t)
	ns := c.Namespace(t)
	client, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	crd := parsed(t, strings.ReplaceAll(definition("checks-NS"), "NS", ns))
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if _, err := definitions.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).Delete(t.Context(), crd.GetName(), metav1.DeleteOptions{})
	})
	d, err := openapi.FromCRD(crd.Object)
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := d.Validator(d.Kind.WithVersion("v1"))
	if err != nil {
		t.Fatal(err)
	}
	established(t, definitions, crd.GetName())
	tests := []struct {
		name, spec string
		faults     []string
		told       string
	}{
		{"what is right", "{size: 3, port: http, when: '2026-01-02T03:04:05Z', any: {a: [1]}, parts: [{name: a}, {name: b}]}", nil, ""},
		{"null in place of a default", "{size: 3, mode: null}", nil, ""},
		{"null where nothing may be", "{size: 3, color: null, parts: null}", []string{"spec.color", "spec.parts"}, "spec.parts in body must be of type array"},
		{"a number for a name or a number", "{size: 3, port: 80}", nil, ""},
		{"nothing that is required", "{color: red}", []string{"spec.size"}, "spec.size: Required value"},
		{"an unknown field", "{size: 3, colour: red}", []string{"spec.colour"}, "colour: field not declared"},
		{"text for a number", "{size: big}", []string{"spec.size"}, "spec.size"},
		{"out of range", "{size: 0}", []string{"spec.size"}, "spec.size in body should be greater than or equal to 1"},
		{"none of an enum", "{size: 3, color: green}", []string{"spec.color"}, `Unsupported value: "green"`},
		{"no match", "{size: 3, code: ABC}", []string{"spec.code"}, "spec.code in body should match"},
		{"no time", "{size: 3, when: today}", []string{"spec.when"}, "spec.when in body must be of type date-time"},
		{"the same key twice", "{size: 3, parts: [{name: a}, {name: a, kind: plain}]}", []string{"spec.parts[1]"}, "duplicate entries for key"},
		{"both of what must not be together", "{size: 3, file: a, url: b}", []string{"spec"}, "must not validate the schema (not)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := fmt.Sprintf("{apiVersion: %s/v1, kind: Check, metadata: {name: a, namespace: %s}, spec: %s}", d.Kind.Group, ns, tt.spec)
			same(t, v, parsed(t, text), judge{client: client, resource: schema.GroupResource{Group: d.Kind.Group, Resource: d.Resource}, faults: tt.faults, told: tt.told})
		})
	}
}

// definition is one of a group below example.org.
func definition(group string) string {
	return strings.ReplaceAll(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: checks.GROUP.example.org}, spec: {group: GROUP.example.org,
scope: Namespaced, names: {kind: Check, plural: checks, singular: check, listKind: CheckList}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema:
{type: object, properties: {spec: {type: object, required: [size], properties: {
size: {type: integer, minimum: 1}, color: {type: string, enum: [red, blue]}, code: {type: string, pattern: '^[a-z]+$'}, port: {x-kubernetes-int-or-string: true},
mode: {type: string, default: fast}, when: {type: string, format: date-time}, any: {type: object, x-kubernetes-preserve-unknown-fields: true},
file: {type: string}, url: {type: string},
parts: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name, kind], items: {type: object, required: [name],
  properties: {name: {type: string}, kind: {type: string, default: plain}}}}},
not: {required: [file, url]}}}}}}]}}`, "GROUP", group)
}

// judge is a server and what it is to say.
type judge struct {
	client   dynamic.Interface
	resource schema.GroupResource
	faults   []string
	told     string
}

func same(t *testing.T, v *openapi.Validator, o *unstructured.Unstructured, want judge) {
	t.Helper()
	var fields []string
	for _, f := range v.Validate(o.Object) {
		fields = append(fields, f.Field)
	}
	if d := cmp.Diff(want.faults, fields); d != "" {
		t.Errorf("fields at fault (-want +got)\n%s", d)
	}
	data, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	_, err = want.client.Resource(want.resource.WithVersion(o.GroupVersionKind().Version)).Namespace(o.GetNamespace()).Patch(t.Context(), o.GetName(),
		types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll}})
	if len(want.faults) == 0 && err != nil {
		t.Errorf("the server refuses it: %v", err)
	}
	if len(want.faults) > 0 && (err == nil || !strings.Contains(err.Error(), want.told)) {
		t.Errorf("the server says %v, want %q", err, want.told)
	}
}

// established waits until a definition is served.
func established(t *testing.T, definitions dynamic.ResourceInterface, name string) {
	t.Helper()
	watch, err := definitions.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		o, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		if slices.ContainsFunc(conditions, func(c any) bool {
			condition, _ := c.(map[string]any)
			return condition["type"] == "Established" && condition["status"] == "True"
		}) {
			return
		}
	}
	t.Fatal("the watch ended before the definition was established")
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return o
}
