package openapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestCustomResourcesAreCheckedAsTheServerDoes(t *testing.T) {
	d, err := FromCRD(object(t, widgets))
	if err != nil {
		t.Fatal(err)
	}
	v, ok, err := d.Validator(d.Kind.WithVersion("v1"))
	if err != nil || !ok {
		t.Fatalf("no validator: %v", err)
	}
	if !v.Custom() {
		t.Error("the kind is not taken for a custom one")
	}
	const head = "{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}, "
	tests := []struct {
		name   string
		object string
		want   []string
	}{
		{"what is right has no fault", "spec: {size: 3, color: red, code: abc, port: 80, options: {a: true}, tags: [x, z], parts: [{name: a}, {name: a, kind: round, weight: 1.5}]}}", nil},
		{"a port may be a name", "spec: {size: 3, port: http}}", nil},
		{"what is free may be anything", "spec: {size: 3, any: {deep: {er: [1, {a: b}]}}}}", nil},
		{"null goes where the schema says so", "spec: {size: 3, note: null}}", nil},
		{"null gives way to a default", "spec: {size: 3, mode: null}}", nil},
		{"null goes nowhere else", "spec: {size: 3, color: null, tags: [null]}}", []string{"spec.color: want a string, got null", "spec.tags[0]: want a string, got null"}},
		{"null is nothing where something must be", "spec: {size: null}}", []string{"spec.size: required, and missing"}},
		{"an embedded object may have fields of its own", "spec: {size: 3, template: {apiVersion: v1, kind: Pod, metadata: {labels: {a: b}}, spec: {a: 1}}}}", nil},
		{"a required object is missing", "}", []string{"spec: required, and missing"}},
		{"an unknown field with a name that is nearly right", "spec: {size: 3, colour: red}}", []string{"spec.colour: unknown field, did you mean color?"}},
		{"an unknown field of the object", "spek: {}, spec: {size: 3}}", []string{"spek: unknown field, did you mean spec?"}},
		{"an unknown field of an element", "spec: {size: 3, parts: [{name: a}, {name: b, nane: c}]}}", []string{"spec.parts[1].nane: unknown field, did you mean name?"}},
		{"text where a number goes", "spec: {size: big}}", []string{"spec.size: want an integer, got a string"}},
		{"a fraction where a whole number goes", "spec: {size: 2.5}}", []string{"spec.size: want an integer, got a number"}},
		{"a list where an object goes", "spec: []}", []string{"spec: want an object, got a list"}},
		{"a number where a number or a name goes is whole", "spec: {size: 3, port: 1.5}}", []string{"spec.port: want an integer or a string, got a number"}},
		{"numbers out of range", "spec: {size: 12}}", []string{"spec.size: want at most 9, got 12"}},
		{"none of the values of an enum", "spec: {size: 3, color: green}}", []string{`spec.color: "green" is none of "red", "blue"`}},
		{"a pattern and a length, both told", "spec: {size: 3, code: ABCDE}}", []string{
			`spec.code: "ABCDE" does not match the pattern ^[a-z]+$`, "spec.code: want at most 4 characters, got 5"}},
		{"a value of a map", "spec: {size: 3, options: {a: 1}}}", []string{"spec.options.a: want true or false, got an integer"}},
		{"twice in a set", "spec: {size: 3, tags: [x, z, x]}}", []string{`spec.tags[2]: duplicate of spec.tags[0]: both have "x"`}},
		{"twice in a map list, by a key that is left out", "spec: {size: 3, parts: [{name: a}, {name: a, kind: plain}]}}",
			[]string{`spec.parts[1]: duplicate of spec.parts[0]: both have name "a", kind "plain"`}},
		{"an embedded object without its kind", "spec: {size: 3, template: {apiVersion: v1, metadata: {label: {}}}}}", []string{
			"spec.template.kind: required, and missing", "spec.template.metadata.label: unknown field, did you mean labels?"}},
		{"several faults, in order of fields", "spec: {zoom: 1, size: 0, parts: [{kind: a}]}}", []string{
			"spec.parts[0].name: required, and missing", "spec.size: want at least 1, got 0", "spec.zoom: unknown field"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(head+tt.object, ", }", "}", 1)
			if diff := cmp.Diff(tt.want, told(v.Validate(object(t, text)))); diff != "" {
				t.Errorf("faults (-want +got)\n%s", diff)
			}
		})
	}
}

func TestMetadataIsCheckedOfEveryObject(t *testing.T) {
	d, err := FromCRD(object(t, widgets))
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := d.Validator(d.Kind.WithVersion("v1"))
	if err != nil {
		t.Fatal(err)
	}
	got := told(v.Validate(object(t, `{apiVersion: example.com/v1, kind: Widget, spec: {size: 3},
		metadata: {labels: {version: 1.5}, annotations: [], finalizers: [a, a], owner: me, creationTimestamp: null}}`)))
	want := []string{
		"metadata.annotations: want an object, got a list",
		`metadata.finalizers[1]: duplicate of metadata.finalizers[0]: both have "a"`,
		"metadata.labels.version: want a string, got a number",
		"metadata.name: required, and missing",
		"metadata.owner: unknown field",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got)\n%s", diff)
	}
	if got := told(v.Validate(object(t, "{metadata: {generateName: a-}, spec: {size: 3}}"))); got != nil {
		t.Errorf("a name that the server makes: %v", got)
	}
}

func TestWhatIsValidAsAWholeIsToldWithTheReasons(t *testing.T) {
	v := validatorOf(t, `{type: object, properties: {spec: {type: object,
		properties: {file: {type: string}, url: {type: string}, port: {anyOf: [{type: integer, minimum: 1}, {type: string, pattern: '^a'}], x-kubernetes-int-or-string: true}},
		oneOf: [{required: [file]}, {required: [url]}], not: {required: [file, port]}}}}`)
	tests := []struct {
		name, spec string
		want       []string
	}{
		{"one of two", "{file: a}", nil},
		{"the other one, with a number", "{url: a, port: 5}", nil},
		{"neither", "{}", []string{"spec: fits 0 of 2 alternatives (oneOf) and must fit exactly one: spec.file: required, and missing; or spec.url: required, and missing"}},
		{"both", "{url: a, file: b}", []string{"spec: fits 2 of 2 alternatives (oneOf) and must fit exactly one"}},
		{"what must not be together", "{file: a, port: 5}", []string{"spec: has what it must not have (not)"}},
		{"no alternative", "{url: a, port: b}", []string{`spec.port: fits none of 2 alternatives (anyOf): spec.port: want an integer, got a string; or spec.port: "b" does not match the pattern ^a`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, told(v.Validate(object(t, "{metadata: {name: a}, spec: "+tt.spec+"}")))); diff != "" {
				t.Errorf("faults (-want +got)\n%s", diff)
			}
		})
	}
}

// machines is a document as a server publishes it for Go types, shortened.
const machines = `{"components": {"schemas": {
"io.k8s.api.shop.v1.Machine": {"type": "object",
	"properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"},
		"metadata": {"default": {}, "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}]},
		"spec": {"default": {}, "allOf": [{"$ref": "#/components/schemas/io.k8s.api.shop.v1.MachineSpec"}]},
		"status": {"default": {}, "allOf": [{"$ref": "#/components/schemas/io.k8s.api.shop.v1.MachineStatus"}]}},
	"x-kubernetes-group-version-kind": [{"group": "shop", "version": "v1", "kind": "Machine"}]},
"io.k8s.api.shop.v1.MachineSpec": {"type": "object", "required": ["containers"],
	"properties": {
		"containers": {"type": "array", "items": {"default": {}, "allOf": [{"$ref": "#/components/schemas/io.k8s.api.shop.v1.Container"}]},
			"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
		"policy": {"type": "string", "enum": ["Always", "Never"]},
		"replicas": {"type": "integer", "format": "int32"},
		"raw": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.runtime.RawExtension"}}},
"io.k8s.api.shop.v1.MachineStatus": {"type": "object", "required": ["phase"], "properties": {"phase": {"type": "string", "default": ""}}},
"io.k8s.api.shop.v1.Container": {"type": "object", "required": ["name"],
	"properties": {"name": {"type": "string", "default": ""}, "data": {"type": "string", "format": "byte"}, "since": {"type": "string", "format": "date-time"},
		"next": {"$ref": "#/components/schemas/io.k8s.api.shop.v1.Container"},
		"port": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString"},
		"limits": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}}}},
"io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
"io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
"io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "object"},
"io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "properties": {"name": {"type": "string"}, "labels": {"type": "object", "additionalProperties": {"type": "string", "default": ""}}}}
}}}`

func TestGoTypesAreCheckedAsTheyAreDecoded(t *testing.T) {
	doc, err := Parse([]byte(machines))
	if err != nil {
		t.Fatal(err)
	}
	v, ok, err := doc.Validator(schema.GroupVersionKind{Group: "shop", Version: "v1", Kind: "Machine"})
	if err != nil || !ok || v.Custom() {
		t.Fatalf("validator %v %v", ok, err)
	}
	tests := []struct {
		name, spec string
		want       []string
	}{
		{"what is right", "{containers: [{name: a, port: 80, limits: {cpu: 500m, memory: 1}, data: YQ==}], policy: Never, raw: {any: thing}}", nil},
		{"null is nothing", "{containers: [{name: a, port: null, limits: {cpu: null}}], policy: null, replicas: null}", nil},
		{"the empty value of an enum is nothing", "{containers: [{name: a}], policy: ''}", nil},
		{"a struct that is left out lacks what it must have", "null", []string{"spec.containers: required, and missing"}},
		{"an empty list is no list", "{containers: []}", []string{"spec.containers: required, and empty"}},
		{"an empty name is no name", "{containers: [{name: ''}]}", []string{"spec.containers[0].name: required, and empty"}},
		{"a null element is an empty one", "{containers: [null]}", []string{"spec.containers[0].name: required, and missing"}},
		{"a type that has itself as a field", "{containers: [{name: a, next: {name: b, next: {nome: c}}}]}", []string{
			"spec.containers[0].next.next.name: required, and missing", "spec.containers[0].next.next.nome: unknown field, did you mean name?"}},
		{"an amount", "{containers: [{name: a, limits: {cpu: lots, memory: [], disk: 1Gi}}]}", []string{
			`spec.containers[0].limits.cpu: "lots" is no amount such as 500m or 1Gi`,
			"spec.containers[0].limits.memory: want an amount such as 500m or 1Gi, got a list"}},
		{"formats that decoding minds", "{containers: [{name: a, data: '%%', since: today}]}", []string{
			"spec.containers[0].data: want a string of the format byte", "spec.containers[0].since: want a string of the format date-time"}},
		{"more than 32 bits", "{containers: [{name: a}], replicas: 5000000000}", []string{"spec.replicas: 5000000000 does not fit into 32 bits"}},
		{"none of an enum", "{containers: [{name: a}], policy: never}", []string{`spec.policy: "never" is none of "Always", "Never"`}},
		{"the same key twice", "{containers: [{name: a}, {name: b}, {name: a}]}", []string{
			`spec.containers[2]: duplicate of spec.containers[0]: both have name "a"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, told(v.Validate(object(t, "{metadata: {name: a}, status: {}, spec: "+tt.spec+"}")))); diff != "" {
				t.Errorf("faults (-want +got)\n%s", diff)
			}
		})
	}
}

func TestASchemaThatCannotBeReadIsAnError(t *testing.T) {
	doc, err := Parse([]byte(strings.Replace(machines, `"io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "object"},`, "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	kind := schema.GroupVersionKind{Group: "shop", Version: "v1", Kind: "Machine"}
	if _, _, err := doc.Validator(kind); err == nil || !strings.Contains(err.Error(), "refers to io.k8s.apimachinery.pkg.runtime.RawExtension") {
		t.Errorf("validator of a document with a hole: %v", err)
	}
	if _, _, err := doc.Type(kind); err == nil {
		t.Error("type of a document with a hole: no error")
	}
	if _, err := Parse([]byte("<html>")); err == nil {
		t.Error("a page is read as a document")
	}
}

func TestACatalogPutsPlanAndServerTogether(t *testing.T) {
	definition := func(group, version, kind, field string) *Definition {
		d, err := FromCRD(object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x.`+group+`}, spec: {group: `+group+`,
			scope: Namespaced, names: {kind: `+kind+`, plural: x}, versions: [{name: `+version+`, served: true, storage: true,
			schema: {openAPIV3Schema: {type: object, properties: {`+field+`: {type: string}}}}}]}}`))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	c := NewCatalog(Sources{
		Published: map[schema.GroupVersion][]byte{{Group: "shop", Version: "v1"}: []byte(machines)},
		Applied:   []*Definition{definition("new", "v1", "Machine", "a"), definition("new", "v2", "Machine", "b")},
		Added:     []*Definition{definition("shop", "v1", "Machine", "c"), definition("added", "v1", "Machine", "d")},
	})
	tests := []struct {
		name, group, version, object string
		want                         []string
		err                          string
	}{
		{"what the server publishes", "shop", "v1", "{metadata: {name: a}, spec: {containers: [{name: a}]}}", nil, ""},
		{"the last of two definitions", "new", "v2", "{metadata: {name: a}, b: x, a: y}", []string{"a: unknown field"}, ""},
		{"a definition that is added", "added", "v1", "{metadata: {name: a}, d: x, c: y}", []string{"c: unknown field"}, ""},
		{"a version that the definition does not serve", "new", "v1", "", nil, "the definition x.new in this plan serves v2 and not v1"},
		{"a kind that nobody knows", "nobody", "v1", "", nil, "kind is not defined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := c.Validator(schema.GroupVersionKind{Group: tt.group, Version: tt.version, Kind: "Machine"})
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, told(v.Validate(object(t, tt.object)))); diff != "" {
				t.Errorf("faults (-want +got)\n%s", diff)
			}
		})
	}
	if typ, err := c.Type(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}); err != nil || typ.Field("spec").Field("template").Field("spec").Field("containers").List() != ListMap {
		t.Errorf("a kind that was not asked for is not looked up among the built-in ones: %v", err)
	}
}

// validatorOf makes a validator of a definition's schema.
func validatorOf(t *testing.T, schema string) *Validator {
	t.Helper()
	d, err := FromCRD(object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x.x}, spec: {group: x,
		names: {kind: X, plural: x}, versions: [{name: v1, served: true, schema: {openAPIV3Schema: `+schema+`}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := d.Validator(d.Kind.WithVersion("v1"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func told(faults []Fault) []string {
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.String())
	}
	return texts
}
