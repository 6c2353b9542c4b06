package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// published is a server that knows one kind, ConfigMap.
var published = openapi.Sources{Published: map[schema.GroupVersion][]byte{
	{Version: "v1"}: []byte(`{"components": {"schemas": {"io.k8s.api.core.v1.ConfigMap": {"type": "object", "properties": {
		"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
		"data": {"type": "object", "additionalProperties": {"type": "string"}},
		"ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object", "properties": {"name": {"type": "string"}}}}},
		"x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "ConfigMap"}]}}}}`),
	{Group: "apiextensions.k8s.io", Version: "v1"}: []byte(`{"components": {"schemas": {"io.k8s.api.x.v1.CustomResourceDefinition": {"type": "object",
		"x-kubernetes-group-version-kind": [{"group": "apiextensions.k8s.io", "version": "v1", "kind": "CustomResourceDefinition"}]}}}}`),
}}

func definition(field string) string {
	return fmt.Sprintf(`---
# Source: boats/templates/crd.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Boat, plural: boats}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, required: [%s], properties: {%s: {type: integer}}}}}]
`, field, field)
}

const boat = "---\n# Source: fleet/templates/boat.yaml\napiVersion: example.org/v1\nkind: Boat\nmetadata: {name: b}\nlength: 3\n"

const wrong = "---\n# Source: app/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\ndata: {k: 5}\n"

func in(name, stream string) Input {
	return Input{ID: spec.ReleaseID{Context: "c", Namespace: "n", Name: name}, Want: &state.Revision{Stream: []byte(stream)}}
}

func (i Input) with(change func(*Input)) Input {
	change(&i)
	return i
}

func TestCheck(t *testing.T) {
	crds := func(field string) func(*Input) {
		return func(i *Input) {
			i.Want.CRDs = []state.CRDFile{{Path: "crds/boat.yaml", Data: []byte(definition(field))}}
		}
	}
	installs := func(i *Input) { i.Installs = true }
	hook := func(text string) func(*Input) {
		return func(i *Input) { i.Want.Hooks = []state.Hook{{Path: "app/templates/hook.yaml", Manifest: text}} }
	}
	inCluster := openapi.Sources{Published: published.Published, Served: []*openapi.Definition{defined(objectOf(t, definition("width")))}}
	tests := []struct {
		name     string
		releases []Input
		sources  openapi.Sources
		want     []string
	}{
		{"what is right has no fault", []Input{in("a", strings.Replace(wrong, "k: 5", "k: five", 1))}, published, nil},
		{"a fault names release, object, namespace, template and field", []Input{in("a", wrong)}, published,
			[]string{"validating c/n/a: other/ConfigMap/a (app/templates/cm.yaml): data.k: want a string, got an integer"}},
		{"hooks are checked, by the template they came from", []Input{in("a", "").with(hook(strings.Replace(wrong, "# Source: app/templates/cm.yaml\n", "", 1)))}, published,
			[]string{"validating c/n/a: other/ConfigMap/a (app/templates/hook.yaml): data.k: want a string, got an integer"}},
		{"items of a list are checked one by one", []Input{in("a", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, date: {}}]\n")}, published,
			[]string{"validating c/n/a: ConfigMap/b: date: unknown field, did you mean data?"}},
		{"a definition of another release counts", []Input{in("fleet", boat), in("crds", definition("length"))}, published, nil},
		{"its schema is what objects must fit", []Input{in("fleet", boat), in("crds", definition("width"))}, published,
			[]string{"validating c/n/fleet: Boat/b (fleet/templates/boat.yaml):\n    length: unknown field\n    width: required, and missing"}},
		{"a definition of the plan wins over the one in the cluster", []Input{in("fleet", boat), in("crds", definition("length"))}, inCluster, nil},
		{"a definition in crds/ of a new release counts", []Input{in("fleet", boat).with(crds("length")).with(installs)}, published, nil},
		{"but not where the cluster has the kind", []Input{in("fleet", boat).with(crds("length")).with(installs)}, inCluster,
			[]string{"validating c/n/fleet: Boat/b (fleet/templates/boat.yaml):\n    length: unknown field\n    width: required, and missing"}},
		{"a definition in crds/ of a release that is there is left alone by Helm", []Input{in("fleet", boat).with(crds("length"))}, published,
			[]string{"validating c/n/fleet: there is no kind Boat in example.org/v1: neither the cluster nor this plan has a definition of it; boats.example.org is in crds/ of the chart, which Helm installs only together with a new release, and this one is there already; used by Boat/b (fleet/templates/boat.yaml)"}},
		{"a definition among the same objects comes too late", []Input{in("fleet", definition("length")+boat)}, published,
			[]string{"validating c/n/fleet: there is no kind Boat in example.org/v1: its definition boats.example.org is part of this release, and Helm looks up the kinds of a release before it applies the first object: move it to crds/ of the chart or to another release; used by Boat/b (fleet/templates/boat.yaml)"}},
		{"unless the cluster has it", []Input{in("fleet", definition("length")+boat)}, inCluster, nil},
		{"a kind that nothing defines is told once, with all who use it", []Input{in("fleet", strings.Replace(boat, "name: b", "name: z", 1)+boat)}, published,
			[]string{"validating c/n/fleet: there is no kind Boat in example.org/v1: neither the cluster nor this plan has a definition of it; used by Boat/b (fleet/templates/boat.yaml), Boat/z (fleet/templates/boat.yaml)"}},
		{"a version that the plan's definition does not serve", []Input{in("fleet", strings.Replace(boat, "org/v1", "org/v2", 1)), in("crds", definition("length"))}, published,
			[]string{"validating c/n/fleet: there is no kind Boat in example.org/v2: the definition boats.example.org in this plan serves v1 and not v2; used by Boat/b (fleet/templates/boat.yaml)"}},
		{"a key that is there twice matters to server-side apply", []Input{in("a", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\nports: [{name: x}, {name: x}]\n")}, published,
			[]string{`validating c/n/a: ConfigMap/b: ports[1]: duplicate of ports[0]: both have name "x"`}},
		{"and not to client-side apply", []Input{in("a", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\nports: [{name: x}, {name: x}]\n").with(func(i *Input) { i.ClientSide = true })}, published, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, err := range faults(t, tt.releases, tt.sources) {
				if !errors.Is(err, ErrInvalid) {
					t.Errorf("%v is no ErrInvalid", err)
				}
				got = append(got, err.Error())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestContextsAreCheckedApart(t *testing.T) {
	east := in("fleet", boat)
	east.ID.Context = "east"
	got := faults(t, []Input{in("crds", definition("length")), east}, published)
	if len(got) != 1 || !strings.HasPrefix(got[0].Error(), "validating east/n/fleet: there is no kind Boat") {
		t.Errorf("a definition in another cluster: %v", got)
	}
}

func TestWhatIsServedWithoutASchemaIsLeftAlone(t *testing.T) {
	r, err := Read(in("fleet", boat))
	if err != nil {
		t.Fatal(err)
	}
	c := Contexts([]*Release{nil, r})[0]
	kinds := c.Catalog(published)
	unknown := c.Unknown(kinds)
	if d := cmp.Diff([]schema.GroupVersionKind{{Group: "example.org", Version: "v1", Kind: "Boat"}}, unknown); d != "" {
		t.Errorf("unknown kinds (-want +got)\n%s", d)
	}
	definitions, left := c.Served(map[schema.GroupVersionKind]map[string]any{unknown[0]: nil})
	if len(definitions) != 0 || !slices.Equal(left, []string{"Boat of example.org/v1"}) {
		t.Errorf("got %v, left %q", definitions, left)
	}
	if err := r.Check(kinds); err != nil {
		t.Error(err)
	}
}

func TestYAMLThatCannotBeReadIsAnErrorOfTheRelease(t *testing.T) {
	_, err := Read(in("a", "---\n# Source: app/templates/x.yaml\na: [\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "checking c/n/a: parsing YAML of app/templates/x.yaml: ") {
		t.Errorf("error %v", err)
	}
}

// faults checks releases as a command does.
func faults(t *testing.T, inputs []Input, from openapi.Sources) []error {
	t.Helper()
	var releases []*Release
	for _, input := range inputs {
		r, err := Read(input)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, r)
	}
	var all []error
	for _, c := range Contexts(releases) {
		kinds := c.Catalog(from)
		for _, r := range c.Releases {
			if err := r.Check(kinds); err != nil {
				all = append(all, err.(interface{ Unwrap() []error }).Unwrap()...)
			}
		}
	}
	return all
}

func objectOf(t *testing.T, text string) map[string]any {
	t.Helper()
	r, err := Read(in("x", text))
	if err != nil {
		t.Fatal(err)
	}
	return r.objects[0].Object
}
