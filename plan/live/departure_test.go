package live

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

const webStored = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template:
    spec:
      nodeSelector: {zone: a}
      containers:
      - name: web
        image: web:1
        args: [a, b]
        env: [{name: A, value: "1"}]
`

// webFields are what Helm has of webStored, with what it adds, but for the fields
// that are taken out.
func webFields(without ...string) string {
	fields := `{"f:metadata": {"f:annotations": {"f:meta.helm.sh/release-name": {}, "f:meta.helm.sh/release-namespace": {}}, "f:labels": {"f:app.kubernetes.io/managed-by": {}}},
 "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:nodeSelector": {}, "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {}, "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}}}`
	for _, w := range without {
		if !strings.Contains(fields, `"`+w+`": {}`) {
			panic("no field " + w)
		}
		fields = strings.Replace(fields, `"`+w+`": {}`, `"f:none": {}`, 1)
	}
	return fields
}

// webLive is webStored as it may be in a cluster: with its spec, and the managers
// of its fields.
func webLive(spec string, managers ...string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app.kubernetes.io/managed-by: Helm}
  annotations: {meta.helm.sh/release-name: r, meta.helm.sh/release-namespace: ns}
  managedFields: [` + strings.Join(managers, ", ") + `]
spec: ` + spec + "\n"
}

func manager(name, sub, fields string) string {
	return fmt.Sprintf(`{manager: %s, operation: Update, subresource: %q, apiVersion: apps/v1, time: "2026-03-01T12:03:00Z", fieldsType: FieldsV1, fieldsV1: %s}`, name, sub, fields)
}

const webSpec = `{replicas: 1, template: {spec: {nodeSelector: {zone: a}, containers: [{name: web, image: "web:1", args: [a, b], env: [{name: A, value: "1"}], terminationMessagePath: /dev/x}]}}}`

func described(all []Deviation) string {
	var b strings.Builder
	for _, d := range all {
		if d.Gone {
			fmt.Fprintf(&b, "%s is gone\n", d.Object)
		}
		for _, f := range d.Fields {
			fmt.Fprintf(&b, "%s: %s -> %s by %s %s%s at %s\n", f.Path, f.Was, f.Is, f.By, f.Operation, f.Subresource, f.Owned)
		}
	}
	return b.String()
}

var relID = spec.ReleaseID{Namespace: "ns", Name: "r"}

func TestDeviations(t *testing.T) {
	spec := func(from, to string) string {
		if !strings.Contains(webSpec, from) {
			panic("no " + from)
		}
		return strings.Replace(webSpec, from, to, 1)
	}
	tests := []struct{ name, live, want string }{
		{"Helm has every field", webLive(webSpec, manager("helm", "", webFields())), ""},
		{"somebody else has what nobody declared", webLive(spec("terminationMessagePath: /dev/x", "tty: true"), manager("helm", "", webFields()),
			manager("edit", "", `{"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:tty": {}}}}}}}`)), ""},
		{"Helm has every field, so what the server made of it is not looked at", webLive(spec("replicas: 1", "replicas: 2"), manager("helm", "", webFields())), ""},
		{"somebody took a field and left the value", webLive(webSpec, manager("helm", "", webFields("f:replicas")), manager("edit", "", `{"f:spec": {"f:replicas": {}}}`)), ""},
		{"somebody took a field", webLive(spec("replicas: 1", "replicas: 2"), manager("helm", "", webFields("f:replicas")), manager("edit", "scale", `{"f:spec": {"f:replicas": {}}}`)),
			".spec.replicas: 1 -> 2 by edit Updatescale at .spec.replicas\n"},
		{"somebody took a value that is one whole", webLive(spec("args: [a, b]", "args: [a, c]"), manager("helm", "", webFields("f:args")),
			manager("edit", "", `{"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:args": {}}}}}}}`)),
			".spec.template.spec.containers[name=web].args[1]: \"b\" -> \"c\" by edit Update at .spec.template.spec.containers[name=\"web\"].args\n"},
		{"somebody removed an element", webLive(spec(`env: [{name: A, value: "1"}], `, ""), manager("helm", "", strings.Replace(webFields(), `, "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}`, "", 1))),
			".spec.template.spec.containers[name=web].env: [{\"name\":\"A\",\"value\":\"1\"}] ->  by   at .spec.template.spec.containers[name=\"web\"].env\n"},
		{"somebody removed what Helm adds", strings.Replace(webLive(webSpec, manager("helm", "", webFields("f:app.kubernetes.io/managed-by"))), "  labels: {app.kubernetes.io/managed-by: Helm}\n", "", 1),
			".metadata.labels[\"app.kubernetes.io/managed-by\"]: \"Helm\" ->  by   at .metadata.labels.app.kubernetes.io/managed-by\n"},
		{"nobody tells managers", webLive(spec("replicas: 1", "replicas: 2")), ".spec.replicas: 1 -> 2 by   at .spec.replicas\n"},
		{"the object is gone", "", "ns/Deployment/web is gone\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, described(Deviations(input(t, webStored, "", tt.live), relID))); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// TestOwnershipIsAskedFirst: what Helm has is not compared, and what the quick
// look lets through the slow one lets through, too.
func TestOwnershipIsAskedFirst(t *testing.T) {
	held := func(live string) bool {
		in := input(t, webStored, "", live)
		o := in.object(in.ids()[0])
		o.stored = marked(o.stored, relID)
		return o.held()
	}
	if !held(webLive(webSpec, manager("helm", "", webFields()))) {
		t.Error("Helm has every field")
	}
	for _, taken := range []string{"f:replicas", "f:nodeSelector", "f:image", "f:args", "f:value", "f:app.kubernetes.io/managed-by"} {
		if held(webLive(webSpec, manager("helm", "", webFields(taken)))) {
			t.Errorf("Helm does not have %s", taken)
		}
	}
	if held(webLive(webSpec)) {
		t.Error("nobody has anything")
	}
	if held(webLive(webSpec, strings.Replace(manager("helm", "", webFields()), "apiVersion: apps/v1", "apiVersion: apps/v1beta1", 1))) {
		t.Error("what Helm has is told of another version")
	}
}

func TestObjectsThatWereNotReadAreNotGone(t *testing.T) {
	in := input(t, webStored, "", "")
	in.Unseen = map[state.Ref]bool{in.Refs()[0]: true}
	if got := Deviations(in, relID); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestAdditions(t *testing.T) {
	edit := manager("edit", "", `{"f:metadata": {"f:annotations": {"f:note": {}}, "f:resourceVersion": {}}, "f:spec": {"f:replicas": {}, "f:paused": {}, "f:template": {"f:spec": {"f:containers": {
 "k:{\"name\":\"spy\"}": {".": {}, "f:name": {}, "f:image": {}}, "k:{\"name\":\"web\"}": {"f:env": {"k:{\"name\":\"B\"}": {".": {}, "f:name": {}}}}}}}}}`)
	live := webLive(`{replicas: 2, paused: true, template: {spec: {containers: [{name: spy, image: x}, {name: web, image: "web:1", env: [{name: B}]}]}}}`, manager("helm", "", webFields()), edit)
	live = strings.Replace(live, "annotations: {", "annotations: {note: hello, ", 1)
	want := `.metadata.annotations.note:  -> "hello" by edit Update at .metadata.annotations.note
.spec.paused:  -> true by edit Update at .spec.paused
.spec.template.spec.containers[name=spy]:  -> {"image":"x","name":"spy"} by edit Update at .spec.template.spec.containers[name="spy"]
.spec.template.spec.containers[name=web].env[name=B]:  -> {"name":"B"} by edit Update at .spec.template.spec.containers[name="web"].env[name="B"]
`
	if d := cmp.Diff(want, described(Additions(input(t, webStored, "", live), relID))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestAdditionsToASecretAreMasked(t *testing.T) {
	stored := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2}\n"
	live := "apiVersion: v1\nkind: Secret\nmetadata: {name: s, managedFields: [{manager: edit, operation: Update, apiVersion: v1, fieldsV1: {\"f:data\": {\"f:a\": {}, \"f:b\": {}}}}]}\ndata: {a: aHVudGVyMg==, b: aHVudGVyMw==}\n"
	want := ".data.b:  -> (masked) by edit Update at .data.b\n"
	if d := cmp.Diff(want, described(Additions(input(t, stored, "", live), relID))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestTheServerConfirms: what it would make of the stored object anyway is none
// of anybody else.
func TestTheServerConfirms(t *testing.T) {
	live := webLive(strings.Replace(webSpec, "replicas: 1", "replicas: 2", 1), "")
	in := input(t, webStored, "", live)
	all := Deviations(in, relID)
	if len(all) != 1 {
		t.Fatalf("got %v", all)
	}
	p := in.Restoring(all[0], relID)
	if !p.Force || p.Method != "ssa" || p.Live == nil || p.Object["metadata"].(map[string]any)["labels"] == nil {
		t.Errorf("asked %+v", p)
	}
	if d, drifted := in.Confirmed(all[0], relID, in.Objects[in.Refs()[0]]); drifted {
		t.Errorf("the server makes the same of it: %v", d)
	}
	if d, drifted := in.Confirmed(all[0], relID, p.Object); !drifted || len(d.Fields) != 1 {
		t.Errorf("the server makes what is stored: %v", d)
	}
}

func TestPutBackSparesFields(t *testing.T) {
	live := webLive(strings.NewReplacer("replicas: 1", "replicas: 2", "web:1", "web:2").Replace(webSpec), "")
	in := input(t, webStored, "", live)
	d := Deviations(in, relID)[0]
	change, err := in.PutBack(d, map[string]bool{".spec.replicas": true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range change.Unified(0) {
		if l.Kind == '-' || l.Kind == '+' {
			got = append(got, string(l.Kind)+strings.TrimSpace(l.Text))
		}
	}
	if d := cmp.Diff([]string{"-image: web:2", "+image: web:1"}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
