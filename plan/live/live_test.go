package live

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

func builtin(kind schema.GroupVersionKind) openapi.Type {
	typ, _ := openapi.Builtin().Type(kind)
	return typ
}

// compare looks at one release in namespace ns. Each text is a stream of YAML
// documents; an empty one of stored or wanted stands for no revision.
func compare(t *testing.T, stored, wanted, live string) Result {
	t.Helper()
	in := input(t, stored, wanted, live)
	r, err := Compare(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func input(t *testing.T, stored, wanted, live string) Input {
	t.Helper()
	revision := func(text string) *state.Revision {
		if text == "" {
			return nil
		}
		return &state.Revision{Stream: []byte(text)}
	}
	options := diff.Options{Namespace: "ns"}
	declared, err := Declare(revision(stored), revision(wanted), options)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Declared: declared, Objects: map[state.Ref]map[string]any{}, Types: builtin, Settled: true, Diff: options}
	for _, doc := range diff.Documents([]byte(live)) {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		in.Objects[refOf(diff.Identify(o, "ns"), o)] = o
	}
	return in
}

// lines are the differing lines of changes, with the operation and the object.
func lines(r Result) string {
	var b strings.Builder
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "%s %s", c.Op, c.Object.Kind)
		for _, l := range c.Unified(0) {
			if l.Kind == diff.LineAdd || l.Kind == diff.LineRemove {
				fmt.Fprintf(&b, " %c%s", l.Kind, strings.TrimSpace(l.Text))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func fieldsOf(r Result) string {
	var b strings.Builder
	for _, d := range r.Drift {
		if len(d.Fields) == 0 {
			fmt.Fprintf(&b, "%s %s\n", d.Op, d.Object.Kind)
		}
		for _, f := range d.Fields {
			fmt.Fprintf(&b, "%s: %s -> %s", f.Path, f.Was, f.Is)
			if f.By != "" {
				fmt.Fprintf(&b, " by %s", f.By)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// pod is a Pod whose spec is given, in flow style.
func pod(spec string) string {
	return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + spec + "\n"
}

func TestWhatMeansTheSameIsNoDifference(t *testing.T) {
	service := func(spec string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: " + spec + "\n"
	}
	tests := []struct{ name, declared, live string }{
		{"an amount in other units", pod("{containers: [{name: c, resources: {limits: {cpu: 1000m, memory: 1024Mi}}}]}"),
			pod(`{containers: [{name: c, resources: {limits: {cpu: "1", memory: 1Gi}}}]}`)},
		{"an amount that is declared as a number", pod("{containers: [{name: c, resources: {limits: {cpu: 2}}}]}"),
			pod(`{containers: [{name: c, resources: {limits: {cpu: "2"}}}]}`)},
		{"fields that only the server has", pod("{containers: [{name: c, image: a}]}"),
			pod("{containers: [{name: c, image: a, imagePullPolicy: Always}], restartPolicy: Always, dnsPolicy: ClusterFirst}")},
		{"secrets of an account in another order", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nsecrets: [{name: a}, {name: b}]\n", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nsecrets: [{name: b}, {name: a}]\n"},
		{"a container that was added", pod("{containers: [{name: a}]}"), pod("{containers: [{name: sidecar}, {name: a}]}")},
		{"ports with a protocol that is the default", pod("{containers: [{name: c, ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]}]}"),
			pod("{containers: [{name: c, ports: [{containerPort: 80, protocol: TCP}, {containerPort: 53, protocol: UDP}]}]}")},
		{"a set with more elements", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, finalizers: [a/x, a/y]}\n",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, finalizers: [a/z, a/y, a/x]}\n"},
		{"null and empty values", pod("{nodeSelector: {}, affinity: null, tolerations: [], hostNetwork: false, containers: [{name: c, env: [], securityContext: {}}]}"),
			pod("{containers: [{name: c}]}")},
		{"null where the server has a default", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: null, paused: false}\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n"},
		{"defaults inside of a list that is applied as a whole",
			"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}\n",
			"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80, protocol: TCP}]}]}\n"},
		{"a claim template that the server completes",
			"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}}]}\n",
			"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {volumeClaimTemplates: [{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: d, creationTimestamp: null}, spec: {accessModes: [ReadWriteOnce], volumeMode: Filesystem, resources: {requests: {storage: 1Gi}}}, status: {phase: Pending}}]}\n"},
		{"a field of a struct that is applied as a whole", pod("{containers: [{name: c, env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}]}"),
			pod("{containers: [{name: c, env: [{name: A, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.podIP}}}]}]}")},
		{"a port that is a number and a text of it", service("{ports: [{port: 80, targetPort: 8080}]}"), service(`{ports: [{port: 80, protocol: TCP, targetPort: "8080"}]}`)},
		{"the namespace of the release", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\n"},
		{"the status and what the server writes into metadata",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, creationTimestamp: null, uid: x}\nstatus: {phase: Other}\n",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, creationTimestamp: \"2026-01-01T00:00:00Z\", uid: z, resourceVersion: \"7\"}\nstatus: {phase: Active}\n"},
		{"stringData that is data in the cluster", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: hunter2}\n",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: Opaque\ndata: {k: aHVudGVyMg==}\n"},
		{"base64 with line ends", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  k: |\n    aHVudGVy\n    Mg==\n",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: aHVudGVyMg==}\n"},
		{"numbers of a kind without schema", "apiVersion: e.org/v1\nkind: Boat\nmetadata: {name: a}\nspec: {size: 3, parts: [{a: 1}]}\n",
			"apiVersion: e.org/v1\nkind: Boat\nmetadata: {name: a}\nspec: {size: 3.0, parts: [{a: 1, added: x}], mode: fast}\n"},
		{"an object for which the server makes the name", "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-}\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := compare(t, tt.declared, tt.declared, tt.live)
			if len(r.Changes) > 0 || len(r.Drift) > 0 {
				t.Errorf("changes:\n%s\ndrift:\n%s", lines(r), fieldsOf(r))
			}
		})
	}
}

// comparison is one object as it was deployed, as it is wanted and as it is live,
// with the changes and the drift that are told of it.
type comparison struct{ name, stored, wanted, live, want, drift string }

func (c comparison) run(t *testing.T) {
	r := compare(t, c.stored, c.wanted, c.live)
	if d := cmp.Diff(c.want, lines(r)); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	if d := cmp.Diff(c.drift, fieldsOf(r)); d != "" {
		t.Errorf("drift (-want +got):\n%s", d)
	}
}

func TestChangesLeadFromTheLiveObject(t *testing.T) {
	scaled := func(n int) string {
		return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: %d, minReadySeconds: 5}\n", n)
	}
	env := func(names ...string) string {
		var list []string
		for _, n := range names {
			list = append(list, "{name: "+n+", value: x}")
		}
		return pod("{containers: [{name: c, env: [" + strings.Join(list, ", ") + "]}]}")
	}
	tests := []comparison{
		{"a scaled Deployment", scaled(2), scaled(2), scaled(5), "change Deployment -replicas: 5 +replicas: 2\n", ".spec.replicas: 2 -> 5\n"},
		{"a change over a drift", scaled(2), scaled(3), scaled(5), "change Deployment -replicas: 5 +replicas: 3\n", ".spec.replicas: 2 -> 5\n"},
		{"what is live as it is wanted already", scaled(2), scaled(5), scaled(5), "", ".spec.replicas: 2 -> 5\n"},
		{"an object that is gone", scaled(2), scaled(2), "", "add Deployment +apiVersion: apps/v1 +kind: Deployment +metadata: +name: d +spec: +minReadySeconds: 5 +replicas: 2\n", "remove Deployment\n"},
		{"an object that goes and is not there", scaled(2), "", "", "", "remove Deployment\n"},
		{"an object that goes", scaled(2), "", scaled(2), "remove Deployment -apiVersion: apps/v1 -kind: Deployment -metadata: -name: d -spec: -minReadySeconds: 5 -replicas: 2\n", ""},
		{"a new object", "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "", "add ConfigMap +apiVersion: v1 +kind: ConfigMap +metadata: +name: a\n", ""},
		{"a new object that somebody has made already", "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: new}\n",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: old, more: x}\n", "change ConfigMap -k: old +k: new\n", ""},
		{"a variable that was removed by hand", env("A", "B"), env("A", "B"), env("A"), "change Pod +- name: B +value: x\n", ".spec.containers[name=c].env[name=B]: {\"name\":\"B\",\"value\":\"x\"} -> \n"},
		{"a variable that is removed from the chart stands where it stood", env("A", "B", "C"), env("A", "C"), env("A", "B", "C"), "change Pod -- name: B -value: x\n", ""},
		{"a variable that is removed from the chart and by hand", env("A", "B"), env("A"), env("A"), "", ".spec.containers[name=c].env[name=B]: {\"name\":\"B\",\"value\":\"x\"} -> \n"},
		{"an amount that changes its spelling only", pod("{containers: [{name: c, resources: {limits: {cpu: 1000m}}}]}"), pod(`{containers: [{name: c, resources: {limits: {cpu: "1"}}}]}`),
			pod("{containers: [{name: c, resources: {limits: {cpu: 1000m}}}]}"), "", ""},
		{"arguments in another order", pod("{containers: [{name: c, args: [a, b]}]}"), pod("{containers: [{name: c, args: [a, b]}]}"), pod("{containers: [{name: c, args: [b, a]}]}"),
			"change Pod -- b +- b\n", ".spec.containers[name=c].args[0]: \"a\" -> \"b\"\n.spec.containers[name=c].args[1]: \"b\" -> \"a\"\n"},
		{"an argument more", pod("{containers: [{name: c, args: [a]}]}"), pod("{containers: [{name: c, args: [a]}]}"), pod("{containers: [{name: c, args: [a, b]}]}"),
			"change Pod -- b\n", ".spec.containers[name=c].args: [\"a\"] -> [\"a\",\"b\"]\n"},
		{"a key that was added to a map that is applied as a whole", pod("{nodeSelector: {a: b}}"), pod("{nodeSelector: {a: b}}"), pod("{nodeSelector: {a: b, c: d}}"),
			"change Pod -c: d\n", ".spec.nodeSelector.c:  -> \"d\"\n"},
		{"a key of a ConfigMap that is declared empty", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k.yaml: \"\"}\n", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k.yaml: \"\"}\n",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k.yaml: x}\n", "change ConfigMap -k.yaml: x +k.yaml: \"\"\n", ".data[\"k.yaml\"]: \"\" -> \"x\"\n"},
		{"a Secret shows no value", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: hunter2}\n", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: aHVudGVyMg==}\n",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: b3RoZXI=}\n", "change Secret -k: (masked, 5 bytes, old) +k: (masked, 7 bytes, new)\n", ".stringData.k: (masked) -> (masked)\n"},
	}
	for _, c := range tests {
		t.Run(c.name, c.run)
	}
}

// deployed is a Deployment with volumes, as it is live when there are managers.
func deployed(volumes string, managers ...string) string {
	var entries []string
	for _, m := range managers {
		entries = append(entries, "{manager: "+m+`, operation: Apply, apiVersion: apps/v1, time: "2026-03-01T12:03:00Z", fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:template": {"f:spec": {"f:volumes": {"k:{\"name\":\"a\"}": {}}}}}}}`)
	}
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\n  managedFields: [" + strings.Join(entries, ", ") + "]\nspec: {template: {spec: {containers: [{name: c}], volumes: [" + volumes + "]}}}\n"
}

func TestTheOrderOfListsInPodsCounts(t *testing.T) {
	declared := func(volumes string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [{name: c}], volumes: [" + volumes + "]}}}\n"
	}
	ab, ba := "{name: a}, {name: b}", "{name: b}, {name: a}"
	const path = ".spec.template.spec.volumes: "
	tests := []comparison{
		{"another order is wanted", declared(ab), declared(ba), deployed(ab), "change Deployment -- name: a +- name: a\n", ""},
		{"somebody gave them another order", declared(ab), declared(ab), deployed(ba, "helm", "edit"), "change Deployment -- name: b +- name: b\n", path + `["name=a","name=b"] -> ["name=b","name=a"] by edit` + "\n"},
		{"somebody gave them the order that is wanted now", declared(ab), declared(ba), deployed(ba, "helm", "edit"), "", path + `["name=a","name=b"] -> ["name=b","name=a"] by edit` + "\n"},
		{"the server gave them another order", declared(ab), declared(ab), deployed(ba, "helm"), "", ""},
		{"the server added one between them", declared(ab), declared(ab), deployed("{name: a}, {name: x}, {name: b}"), "", ""},
		{"one comes before them", declared(ab), declared("{name: x}, " + ab), deployed(ab), "change Deployment +- name: x\n", ""},
		{"one goes and the others stay", declared("{name: x}, " + ab), declared(ab), deployed("{name: x}, " + ab), "change Deployment -- name: x\n", ""},
		{"a release adopts what has another order", "", declared(ab), deployed(ba), "change Deployment -- name: b +- name: b\n", ""},
	}
	for _, c := range tests {
		t.Run(c.name, c.run)
	}
}

func TestObjectsWithoutANameAreNotAskedAbout(t *testing.T) {
	job := func(v string) string {
		return "---\napiVersion: batch/v1\nkind: Job\nmetadata: {generateName: x-}\nv: " + v + "\n"
	}
	in := input(t, job("a")+job("b"), job("b")+job("c")+job("a"), "")
	if refs := in.Refs(); len(refs) > 0 {
		t.Errorf("asks for %v", refs)
	}
	if proposals := in.Proposals(Applied{}); len(proposals) > 0 {
		t.Errorf("proposes %v", proposals)
	}
	r, err := Compare(in)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("add Job +apiVersion: batch/v1 +kind: Job +metadata: +generateName: x- +v: c\n", lines(r)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestANamespaceOfWhatHasNoneIsNoDrift(t *testing.T) {
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a, namespace: ns}\n"
	in := input(t, role, role, "")
	want := state.Ref{ObjectID: state.ObjectID{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "a"}, Version: "v1"}
	if d := cmp.Diff([]state.Ref{want}, in.Refs()); d != "" {
		t.Errorf("refs (-want +got):\n%s", d)
	}
	in.Objects[want] = map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": "a"}}
	r, err := Compare(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := lines(r) + fieldsOf(r); got != "" {
		t.Errorf("differences:\n%s", got)
	}
}

func TestWholeNumbersOf64BitsAreExact(t *testing.T) {
	boat := func(n string) string {
		return "apiVersion: e.org/v1\nkind: Boat\nmetadata: {name: a}\nspec: {size: " + n + "}\n"
	}
	in := input(t, boat("9007199254740993"), boat("9007199254740992"), "")
	for _, ref := range in.Refs() {
		in.Objects[ref] = map[string]any{"apiVersion": "e.org/v1", "kind": "Boat", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{"size": int64(9007199254740993)}}
	}
	r, err := Compare(in)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("change Boat -size: 9007199254740993 +size: 9007199254740992\n", lines(r)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff("", fieldsOf(r)); d != "" {
		t.Errorf("drift (-want +got):\n%s", d)
	}
}

// managed is a Service as it is live, with the managers of its fields.
func managed(spec string, entries ...string) string {
	return "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  managedFields: [" + strings.Join(entries, ", ") + "]\nspec: " + spec + "\n"
}

func entry(manager, operation, fields string) string {
	return fmt.Sprintf("{manager: %s, operation: %s, apiVersion: v1, time: \"2026-03-01T12:03:00Z\", fieldsType: FieldsV1, fieldsV1: {\"f:spec\": {%s}}}", manager, operation, fields)
}

func TestManagersOfFieldsDecideOnWhatTheServerMadeOfAValue(t *testing.T) {
	declared := "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: \"\", externalName: A.example.org, sessionAffinity: None}\n"
	helm := entry("helm", "Apply", `"f:clusterIP": {}, "f:externalName": {}, "f:sessionAffinity": {}`)
	tests := []struct {
		name, live string
		unsettled  bool
		want       string
	}{
		{"a value that the server gave is none of anybody else", managed("{clusterIP: 10.0.0.1, externalName: a.example.org, sessionAffinity: None}", helm), false, ""},
		{"a value that somebody set", managed("{clusterIP: 10.0.0.1, externalName: b.example.org, sessionAffinity: None}", helm, entry("kubectl-edit", "Update", `"f:externalName": {}`)), false,
			".spec.externalName: \"A.example.org\" -> \"b.example.org\" by kubectl-edit\n"},
		{"a value that the server does not keep", managed("{clusterIP: 10.0.0.1, externalName: a.example.org}", helm), false, ""},
		{"a value that somebody removed", managed("{clusterIP: 10.0.0.1, externalName: a.example.org}", entry("helm", "Apply", `"f:clusterIP": {}, "f:externalName": {}`)), false,
			".spec.sessionAffinity: \"None\" -> \n"},
		{"managers say nothing where something else was applied since", managed("{externalName: b.example.org, sessionAffinity: None}", helm), true,
			".spec.externalName: \"A.example.org\" -> \"b.example.org\" by helm\n"},
		{"managers of another version say nothing", managed("{externalName: b.example.org, sessionAffinity: None}",
			strings.Replace(helm, "apiVersion: v1", "apiVersion: v2", 1)), false, ".spec.externalName: \"A.example.org\" -> \"b.example.org\"\n"},
		{"writers of the status have no say", managed("{externalName: a.example.org, sessionAffinity: None}", helm,
			`{manager: x, operation: Update, apiVersion: v9, subresource: status, fieldsV1: {"f:spec": {"f:externalName": {}}}}`), false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(t, declared, declared, tt.live)
			in.Settled = !tt.unsettled
			r, err := Compare(in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, fieldsOf(r)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if (tt.want == "") != (len(r.Changes) == 0) {
				t.Errorf("changes:\n%s", lines(r))
			}
		})
	}
}

func TestMovedNamesObjectFieldAndWho(t *testing.T) {
	declared := "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {externalName: a, ports: [{port: 80, targetPort: 1}]}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: k}\nstringData: {p: hunter2}\n"
	secret := func(data string) string {
		return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: k}\ndata: {p: " + data + "}\n"
	}
	was := managed("{externalName: a, ports: [{port: 80, targetPort: 1}], type: ClusterIP}") + secret("aHVudGVyMg==")
	tests := []struct {
		name, now string
		want      []string
	}{
		{"nothing", was, nil},
		{"a field that is not declared", strings.Replace(was, "ClusterIP", "NodePort", 1), nil},
		{"a field", managed("{externalName: b, ports: [{port: 80, targetPort: 1}]}", entry("kubectl-edit", "Update", `"f:externalName": {}`)) + secret("aHVudGVyMg=="),
			[]string{`object ns/Service/s field spec.externalName: "a" when planned, now "b" (by kubectl-edit at 2026-03-01T12:03:00Z)`}},
		{"a field of an element", strings.Replace(was, "targetPort: 1", "targetPort: 2", 1),
			[]string{`object ns/Service/s field spec.ports[port=80,protocol=TCP].targetPort: 1 when planned, now 2`}},
		{"an element", strings.Replace(was, "{port: 80, targetPort: 1}", "", 1), []string{
			`object ns/Service/s field spec.ports[port=80,protocol=TCP].port: 80 when planned, now not set`,
			`object ns/Service/s field spec.ports[port=80,protocol=TCP].targetPort: 1 when planned, now not set`}},
		{"a value of a Secret, which is not shown", managed("{externalName: a, ports: [{port: 80, targetPort: 1}]}") + secret("b3RoZXI="),
			[]string{"object ns/Secret/k field stringData.p: it has another value than when planned"}},
		{"an object that is gone", managed("{externalName: a, ports: [{port: 80, targetPort: 1}]}"), []string{"object ns/Secret/k: it was there when planned, and is gone"}},
	}
	seen := compare(t, declared, declared, was).Seen
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, compare(t, declared, declared, tt.now).Moved(seen)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	for _, s := range seen {
		if text := fmt.Sprint(s); strings.Contains(text, "hunter") || strings.Contains(text, "aHVud") {
			t.Errorf("a secret is kept: %s", text)
		}
	}
	gone := compare(t, declared, declared, secret("aHVudGVyMg==")).Seen
	if got := compare(t, declared, declared, was).Moved(gone); len(got) != 1 || !strings.Contains(got[0], "it was not there when planned, and is there now") {
		t.Errorf("of an object that came: %q", got)
	}
}

func TestRefsAreEveryObjectOnceInTheVersionsThatAreDeclared(t *testing.T) {
	hpa := func(version string) string {
		return "apiVersion: autoscaling/" + version + "\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\n"
	}
	in := input(t, hpa("v1")+"---\n"+pod("{}"), hpa("v2")+"---\n"+pod("{}"), "")
	var got []string
	for _, r := range in.Refs() {
		got = append(got, r.ObjectID.String()+" "+r.Version)
	}
	want := []string{"ns/HorizontalPodAutoscaler/h v1", "ns/HorizontalPodAutoscaler/h v2", "ns/Pod/p v1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAnswersOfTheServerBecomeChanges(t *testing.T) {
	service := func(spec string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns, uid: u, managedFields: []}\nspec: " + spec + "\nstatus: {x: z}\n"
	}
	object := func(text string) map[string]any {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	wanted := "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"
	id := state.ObjectID{Kind: "Service", Namespace: "ns", Name: "s"}
	tests := []struct {
		name, live string
		answer     state.Answer
		want       string
	}{
		{"a new object has its defaults, and nothing that is allotted anew each time", "", state.Answer{Object: object(service("{clusterIP: 10.1.1.1, clusterIPs: [10.1.1.1], type: ClusterIP, ports: [{port: 80, protocol: TCP, nodePort: 30001}]}"))},
			"add Service +apiVersion: v1 +kind: Service +metadata: +name: s +namespace: ns +spec: +ports: +- port: 80 +protocol: TCP +type: ClusterIP\n"},
		{"an object of which nothing changes", service("{type: ClusterIP}"), state.Answer{Object: object(strings.Replace(service("{type: ClusterIP}"), "uid: u", "uid: v", 1))}, ""},
		{"fields that are defaulted differ", service("{type: ClusterIP}"), state.Answer{Object: object(service("{type: NodePort}"))}, "change Service -type: ClusterIP +type: NodePort\n"},
		{"an object that was refused has the change of the comparison", service("{ports: [{port: 80, protocol: TCP, name: x}]}"), state.Answer{Refused: "no"}, ""},
		{"one that is not there, too", "", state.Answer{Unserved: true}, "add Service +apiVersion: v1 +kind: Service +metadata: +name: s +spec: +ports: +- port: 80\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes, err := Answered(input(t, "", wanted, tt.live), map[state.ObjectID]state.Answer{id: tt.answer})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, lines(Result{Changes: changes})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestProposalsAreWhatHelmApplies(t *testing.T) {
	wanted := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: z}}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {generateName: j-}\n"
	in := input(t, "", wanted, "")
	got := in.Proposals(Applied{Release: spec.ReleaseID{Namespace: "rel", Name: "web"}, Method: state.ApplyServerSide, Force: true})
	want := []state.Proposal{{
		Ref: state.Ref{ObjectID: state.ObjectID{Kind: "ConfigMap", Namespace: "ns", Name: "a"}, Version: "v1"}, Method: state.ApplyServerSide, Force: true,
		Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
			"name": "a", "namespace": "ns", "labels": map[string]any{"x": "z", "app.kubernetes.io/managed-by": "Helm"},
			"annotations": map[string]any{"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "rel"},
		}},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if labels := in.Wanted[want[0].ObjectID]["metadata"].(map[string]any)["labels"]; len(labels.(map[string]any)) != 1 {
		t.Errorf("what is declared was changed: %v", labels)
	}
}
