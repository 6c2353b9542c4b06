package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	kube "github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// driftChart has objects of the kinds that people change by hand.
const driftChart = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}, tier: front}
  annotations: {contact: team-a}
spec:
  replicas: 0
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      nodeSelector: {zone: a}
      tolerations: [{key: spot, operator: Exists}]
      containers:
      - name: web
        image: example.org/web:1
        env: [{name: COLOR, value: red}, {name: SIZE, value: "3"}]
        resources: {requests: {cpu: 1000m, memory: 1024Mi}}
        ports: [{containerPort: 8080, name: http}]
        {{- if .Values.broken }}
        imagePullPolicy: Perhaps
        {{- end }}
      - {name: side, image: "example.org/side:1"}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {one: "1", two: "2"}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: canary-as-deployed}
data: {token: Y2FuYXJ5LXRva2Vu}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {{ .Release.Name }}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: {{ .Release.Name }}}
spec: {maxUnavailable: 50%, selector: {matchLabels: {app: {{ .Release.Name }}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}-brief}
spec:
  suspend: true
  ttlSecondsAfterFinished: 60
  template: {spec: {restartPolicy: Never, containers: [{name: job, image: "example.org/job:1"}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}-long}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: job, image: "example.org/job:1"}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-hook, annotations: {helm.sh/hook: "post-install,post-upgrade"}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: {{ .Release.Namespace }}-{{ .Release.Name }}}
webhooks:
- name: boats.{{ .Release.Namespace }}.example.org
  clientConfig: {url: "https://127.0.0.1:1/"}
  rules: [{apiGroups: [{{ .Release.Namespace }}.example.org], apiVersions: [v1], operations: [CREATE], resources: [boats]}]
  sideEffects: None
  admissionReviewVersions: [v1]
  failurePolicy: Ignore
{{- if .Values.scaled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: {{ .Release.Name }}}
spec: {minReplicas: 1, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}}}
{{- end }}
`

// someone is a person or program that works on objects behind a release's back.
type someone struct {
	t       *testing.T
	cluster *kube.Cluster
	ns      string
	release string
}

func resourceOf(name string) schema.GroupVersionResource {
	r := schema.GroupVersionResource{Version: "v1", Resource: name}
	switch name {
	case "deployments":
		r.Group = "apps"
	case "roles":
		r.Group = "rbac.authorization.k8s.io"
	case "poddisruptionbudgets":
		r.Group = "policy"
	case "jobs":
		r.Group = "batch"
	case "validatingwebhookconfigurations":
		r.Group = "admissionregistration.k8s.io"
	}
	return r
}

func (s someone) ctx() context.Context { return s.t.Context() }

// patch merges into the object of that kind that has the release's name. manager
// may name a subresource: kubectl/scale.
func (s someone) patch(resource, manager, body string) {
	s.patchAs(types.StrategicMergePatchType, resource, manager, body)
}

// edit changes places of it, as a JSON patch.
func (s someone) edit(resource, manager, body string) {
	s.patchAs(types.JSONPatchType, resource, manager, body)
}

func (s someone) apply(resource, manager, body string) {
	s.patchAs(types.ApplyPatchType, resource, manager, body)
}

func (s someone) patchAs(how types.PatchType, resource, manager, body string) {
	s.t.Helper()
	manager, sub, hasSub := strings.Cut(manager, "/")
	opts := metav1.PatchOptions{FieldManager: manager}
	if how == types.ApplyPatchType {
		force := true
		opts.Force = &force
	}
	var subs []string
	if hasSub {
		subs = []string{sub}
		how = types.MergePatchType
	}
	name := s.release
	objects := s.cluster.Dynamic().Resource(resourceOf(resource))
	var err error
	if resource == "validatingwebhookconfigurations" {
		_, err = objects.Patch(s.ctx(), s.ns+"-"+name, how, []byte(body), opts, subs...)
	} else {
		_, err = objects.Namespace(s.ns).Patch(s.ctx(), name, how, []byte(body), opts, subs...)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
}

func (s someone) delete(resource, suffix string) {
	s.t.Helper()
	policy := metav1.DeletePropagationBackground
	err := s.cluster.Dynamic().Resource(resourceOf(resource)).Namespace(s.ns).Delete(s.ctx(), s.release+suffix, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil {
		s.t.Fatal(err)
	}
}

// recreate deletes a Service and makes it anew, without what Helm adds.
func (s someone) recreate() {
	s.t.Helper()
	services := s.cluster.Dynamic().Resource(resourceOf("services")).Namespace(s.ns)
	o, err := services.Get(s.ctx(), s.release, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.delete("services", "")
	anew := o.DeepCopy()
	ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
	anew.Object = map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": s.release},
		"spec": map[string]any{"selector": map[string]any{"app": s.release}, "ports": ports},
	}
	if _, err := services.Create(s.ctx(), anew, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		s.t.Fatal(err)
	}
}

const container = "spec.template.spec.containers[name=web]"

// handwork is something that somebody does to a release.
type handwork struct {
	name   string
	change func(someone)
	want   []string
	strict []string // more of it with --strict
}

// handmade are changes that somebody makes, and what drift says of them: kind,
// object, field and manager.
func handmade() []handwork {
	field := func(kind, object, field, by string) string {
		return strings.TrimSpace(fmt.Sprintf("%s %s .%s %s", kind, object, field, by))
	}
	pod := func(spec string) string { return `{"spec": {"template": {"spec": ` + spec + `}}}` }
	type lines = []string
	return []handwork{
		{"nothing", func(someone) {}, nil, nil},
		{"another image", func(s someone) {
			s.patch("deployments", "kubectl-set", pod(`{"containers": [{"name": "web", "image": "x"}]}`))
		},
			lines{field("changed", "Deployment", container+".image", "kubectl-set Update")}, nil},
		{"kubectl scale", func(s someone) { s.patch("deployments", "kubectl/scale", `{"spec": {"replicas": 2}}`) },
			lines{field("changed", "Deployment", "spec.replicas", "kubectl Update scale")}, nil},
		{"an autoscaler scales", func(s someone) { s.patch("deployments", "kube-controller-manager/scale", `{"spec": {"replicas": 2}}`) }, nil, nil},
		{"kubectl scale of what an autoscaler of the release has", func(s someone) { s.patch("deployments", "kubectl/scale", `{"spec": {"replicas": 2}}`) }, nil, nil},
		{"an annotation more", func(s someone) {
			s.patch("services", "kubectl-annotate", `{"metadata": {"annotations": {"note": "x"}}}`)
		},
			nil, lines{field("added", "Service", "metadata.annotations.note", "kubectl-annotate Update")}},
		{"another annotation", func(s someone) {
			s.patch("deployments", "kubectl-annotate", `{"metadata": {"annotations": {"contact": "x"}}}`)
		},
			lines{field("changed", "Deployment", "metadata.annotations.contact", "kubectl-annotate Update")}, nil},
		{"a label less", func(s someone) { s.patch("deployments", "kubectl-label", `{"metadata": {"labels": {"tier": null}}}`) },
			lines{field("removed", "Deployment", "metadata.labels.tier", "")}, nil},
		{"Helm's own label less", func(s someone) {
			s.patch("services", "kubectl-label", `{"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}`)
		},
			lines{field("removed", "Service", `metadata.labels["app.kubernetes.io/managed-by"]`, "")}, nil},
		{"another environment variable", func(s someone) {
			s.patch("deployments", "kubectl-edit", pod(`{"containers": [{"name": "web", "env": [{"name": "COLOR", "value": "blue"}]}]}`))
		},
			lines{field("changed", "Deployment", container+".env[name=COLOR].value", "kubectl-edit Update")}, nil},
		{"an environment variable less", func(s someone) {
			s.edit("deployments", "kubectl-edit", `[{"op": "remove", "path": "/spec/template/spec/containers/0/env/1"}]`)
		},
			lines{field("removed", "Deployment", container+".env[name=SIZE]", "")}, nil},
		{"an environment variable more", func(s someone) {
			s.patch("deployments", "kubectl-edit", pod(`{"containers": [{"name": "web", "env": [{"name": "NEW", "value": "x"}]}]}`))
		},
			nil, lines{field("added", "Deployment", container+".env[name=NEW]", "kubectl-edit Update")}},
		{"1000m written as 1", func(s someone) {
			s.patch("deployments", "kubectl-edit", pod(`{"containers": [{"name": "web", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}`))
		}, nil, nil},
		{"1000m made 2", func(s someone) {
			s.patch("deployments", "kubectl-edit", pod(`{"containers": [{"name": "web", "resources": {"requests": {"cpu": "2"}}}]}`))
		},
			lines{field("changed", "Deployment", container+".resources.requests.cpu", "kubectl-edit Update")}, nil},
		{"a port's name made a number", func(s someone) {
			s.edit("services", "kubectl-edit", `[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8080}]`)
		},
			lines{field("changed", "Service", "spec.ports[port=80,protocol=TCP].targetPort", "kubectl-edit Update")}, nil},
		{"another port", func(s someone) {
			s.edit("services", "kubectl-edit", `[{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]`)
		},
			lines{field("removed", "Service", "spec.ports[port=80,protocol=TCP]", "")},
			lines{field("added", "Service", "spec.ports[port=81,protocol=TCP]", "kubectl-edit Update")}},
		{"another text", func(s someone) { s.patch("configmaps", "kubectl-patch", `{"data": {"one": "x"}}`) },
			lines{field("changed", "ConfigMap", "data.one", "kubectl-patch Update")}, nil},
		{"a text less", func(s someone) { s.patch("configmaps", "kubectl-patch", `{"data": {"one": null}}`) },
			lines{field("removed", "ConfigMap", "data.one", "")}, nil},
		{"a text more", func(s someone) { s.patch("configmaps", "kubectl-patch", `{"data": {"three": "x"}}`) },
			nil, lines{field("added", "ConfigMap", "data.three", "kubectl-patch Update")}},
		{"a deleted ConfigMap", func(s someone) { s.delete("configmaps", "") }, lines{"missing ConfigMap"}, nil},
		{"another secret text", func(s someone) { s.patch("secrets", "kubectl-patch", `{"data": {"password": "Y2FuYXJ5LWJ5LWhhbmQ="}}`) },
			lines{field("changed", "Secret", "stringData.password", "kubectl-patch Update")}, nil},
		{"another secret in base64", func(s someone) { s.patch("secrets", "kubectl-patch", `{"data": {"token": "Y2FuYXJ5LWJ5LWhhbmQ="}}`) },
			lines{field("changed", "Secret", "data.token", "kubectl-patch Update")}, nil},
		{"a secret text more", func(s someone) { s.patch("secrets", "kubectl-patch", `{"data": {"more": "Y2FuYXJ5LWJ5LWhhbmQ="}}`) },
			nil, lines{field("added", "Secret", "data.more", "kubectl-patch Update")}},
		{"a secret text less", func(s someone) { s.patch("secrets", "kubectl-patch", `{"data": {"token": null}}`) },
			lines{field("removed", "Secret", "data.token", "")}, nil},
		{"a deleted Deployment", func(s someone) { s.delete("deployments", "") }, lines{"missing Deployment"}, nil},
		{"a Service that is made anew by hand", func(s someone) { s.recreate() }, lines{
			field("removed", "Service", `metadata.annotations["meta.helm.sh/release-name"]`, ""),
			field("removed", "Service", `metadata.annotations["meta.helm.sh/release-namespace"]`, ""),
			field("removed", "Service", `metadata.labels["app.kubernetes.io/managed-by"]`, ""),
		}, lines{
			field("added", "Service", "spec.internalTrafficPolicy", "kubectl-create Update"),
			field("added", "Service", "spec.ports[port=80,protocol=TCP].protocol", "kubectl-create Update"),
			field("added", "Service", "spec.sessionAffinity", "kubectl-create Update"),
			field("added", "Service", "spec.type", "kubectl-create Update"),
		}},
		{"kubectl rollout restart", func(s someone) {
			s.patch("deployments", "kubectl-rollout", `{"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}}}`)
		}, nil, nil},
		{"certificates of a webhook are injected", func(s someone) {
			s.edit("validatingwebhookconfigurations", "cert-manager-cainjector", `[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"}]`)
		}, nil, nil},
		{"a webhook that may fail", func(s someone) {
			s.edit("validatingwebhookconfigurations", "kubectl-edit", `[{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 3}, {"op": "replace", "path": "/webhooks/0/sideEffects", "value": "NoneOnDryRun"}]`)
		},
			lines{field("changed", "ValidatingWebhookConfiguration", "webhooks[name=boats.NS.example.org].sideEffects", "kubectl-edit Update")},
			lines{field("added", "ValidatingWebhookConfiguration", "webhooks[name=boats.NS.example.org].timeoutSeconds", "kubectl-edit Update")}},
		{"a Job that is gone after its time", func(s someone) { s.delete("jobs", "-brief") }, nil, nil},
		{"a Job that somebody deletes", func(s someone) { s.delete("jobs", "-long") }, lines{"missing Job"}, nil},
		{"a hook's object that somebody deletes", func(s someone) { s.delete("configmaps", "-hook") }, nil, nil},
		{"a container less", func(s someone) {
			s.edit("deployments", "kubectl-edit", `[{"op": "remove", "path": "/spec/template/spec/containers/1"}]`)
		},
			lines{field("removed", "Deployment", "spec.template.spec.containers[name=side]", "")}, nil},
		{"a container more", func(s someone) {
			s.patch("deployments", "kubectl-edit", pod(`{"containers": [{"name": "spy", "image": "x"}]}`))
		},
			nil, lines{field("added", "Deployment", "spec.template.spec.containers[name=spy]", "kubectl-edit Update")}},
		{"containers in another order", func(s someone) {
			s.edit("deployments", "kubectl-edit", `[{"op": "move", "from": "/spec/template/spec/containers/0", "path": "/spec/template/spec/containers/1"}]`)
		}, nil, nil},
		{"an entry more in a map that is one value", func(s someone) { s.patch("deployments", "kubectl-edit", pod(`{"nodeSelector": {"disk": "fast"}}`)) },
			lines{field("changed", "Deployment", "spec.template.spec.nodeSelector.disk", "kubectl-edit Update")}, nil},
		{"an element more in a list that is one value", func(s someone) {
			s.edit("deployments", "kubectl-edit", `[{"op": "add", "path": "/spec/template/spec/tolerations/-", "value": {"key": "x", "operator": "Exists"}}]`)
		},
			lines{field("changed", "Deployment", "spec.template.spec.tolerations", "kubectl-edit Update")}, nil},
		{"more rights", func(s someone) {
			s.edit("roles", "kubectl-edit", `[{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}]`)
		},
			lines{field("changed", "Role", "rules[0].verbs", "kubectl-edit Update")}, nil},
		{"a percentage made a number", func(s someone) { s.patch("poddisruptionbudgets", "kubectl-edit", `{"spec": {"maxUnavailable": 1}}`) },
			lines{field("changed", "PodDisruptionBudget", "spec.maxUnavailable", "kubectl-edit Update")}, nil},
		{"false made true", func(s someone) { s.patch("serviceaccounts", "kubectl-patch", `{"automountServiceAccountToken": true}`) },
			lines{field("changed", "ServiceAccount", "automountServiceAccountToken", "kubectl-patch Update")}, nil},
		{"another program applies the same", func(s someone) {
			s.apply("configmaps", "argo", `{"apiVersion": "v1", "kind": "ConfigMap", "data": {"one": "1"}}`)
		}, nil, nil},
		{"another program applies something else", func(s someone) {
			s.apply("configmaps", "argo", `{"apiVersion": "v1", "kind": "ConfigMap", "data": {"one": "x"}}`)
		},
			lines{field("changed", "ConfigMap", "data.one", "argo Apply")}, nil},
		{"a finalizer more", func(s someone) {
			s.edit("services", "operator", `[{"op": "add", "path": "/metadata/finalizers", "value": ["example.org/keep"]}]`)
		},
			nil, lines{field("added", "Service", "metadata.finalizers[=example.org/keep]", "operator Update")}},
		{"a paused rollout", func(s someone) { s.patch("deployments", "kubectl-rollout", `{"spec": {"paused": true}}`) },
			nil, lines{field("added", "Deployment", "spec.paused", "kubectl-rollout Update")}},
		{"a status", func(s someone) {
			s.patch("poddisruptionbudgets", "somebody/status", `{"status": {"currentHealthy": 7}}`)
		}, nil, nil},
	}
}

// finding is a line of drift -o json.
type finding struct {
	Type, Kind                             string
	Release                                struct{ Namespace, Name string }
	Object                                 struct{ Kind, Name string }
	Field, Manager, Operation, Subresource string
	Time                                   *time.Time
	Message                                string
	Drifted, Complete                      bool
	Releases, Objects, Findings, Ignored   any
}

func (f finding) line() string {
	words := []string{f.Kind, f.Object.Kind, f.Field, f.Manager, f.Operation, f.Subresource}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// findings are those of every release.
func findings(t *testing.T, out string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		var f finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if f.Type != "finding" {
			continue
		}
		if f.Manager != "" && f.Time == nil && f.Subresource == "" { // servers give no time of some subresources
			t.Errorf("%s %s: no time", f.Release.Name, f.line())
		}
		found[f.Release.Name] = append(found[f.Release.Name], f.line())
	}
	return found
}

// TestDriftTellsWhoChangedWhat makes changes by hand, each to a release of its
// own, and wants each found, or not, at every level that looks at objects; then
// what was deployed is put back.
func TestDriftTellsWhoChangedWhat(t *testing.T) {
	c := clustertest.Start(t)
	f, ns := newFleet(t, c.Kubeconfig), c.Namespace(t)
	write(t, filepath.Join(f.dir, "chart"), map[string]string{"Chart.yaml": "{apiVersion: v2, name: web, version: 1.0.0}", "templates/all.yaml": driftChart})
	cases := handmade()
	var file strings.Builder
	fmt.Fprintf(&file, "owner: %s\nreleases:\n", ns)
	for i, tt := range cases {
		fmt.Fprintf(&file, "- {name: r%d, namespace: %s, chart: ./chart, values: [{scaled: %v}]}\n", i, ns, strings.Contains(tt.name, "autoscaler of the release"))
	}
	f.declare("%s", file.String())
	defer f.flotilla(0, "destroy") // webhooks are in no namespace
	f.flotilla(0, "apply", "--suppress-diff")
	cluster, err := kube.New(kube.Options{Kubeconfig: c.Kubeconfig}).Get("")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.flotilla(0, "drift", "--strict", "--detailed-exitcode"); !strings.Contains(got, "No drift: ") {
		t.Fatalf("of what nobody touched:\n%s", got)
	}
	for i, tt := range cases {
		tt.change(someone{t, cluster, ns, fmt.Sprintf("r%d", i)})
	}
	for _, args := range [][]string{{"--against", "live"}, {"--against", "server"}, {"--strict"}} {
		out := f.flotilla(2, append([]string{"drift", "-o", "json", "--detailed-exitcode"}, args...)...)
		if strings.Contains(out, "canary") || strings.Contains(out, "Y2FuYXJ5") {
			t.Error("a secret is shown")
		}
		found := findings(t, out)
		for i, tt := range cases {
			want := slices.Clone(tt.want)
			if args[0] == "--strict" {
				want = append(want, tt.strict...)
			}
			for j := range want {
				want[j] = strings.ReplaceAll(want[j], "NS", ns)
			}
			got := found[fmt.Sprintf("r%d", i)]
			slices.Sort(want)
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("drift %s, %s (-want +got):\n%s", args, tt.name, d)
			}
		}
	}
	// A Service cannot have two ports of one name, and nobody takes the other one out.
	at := slices.IndexFunc(cases, func(tt handwork) bool { return tt.name == "another port" })
	if out := f.flotilla(1, "drift", "--fix", "--force-conflicts"); !strings.Contains(out, `Duplicate value: "http"`) {
		t.Errorf("of what cannot be put back:\n%s", out)
	}
	if out := f.flotilla(1, "drift", "--fix", "-l", "name=r1"); !strings.Contains(out, `conflict with "kubectl-set"`) {
		t.Errorf("without a word on conflicts:\n%s", out)
	}
	f.flotilla(0, "drift", "--fix", "--force-conflicts", "-l", fmt.Sprintf("name!=r%d", at))
	(someone{t, cluster, ns, fmt.Sprintf("r%d", at)}).edit("services", "kubectl-edit", `[{"op": "replace", "path": "/spec/ports/0/port", "value": 80}]`)
	if out := f.flotilla(0, "drift", "-o", "json", "--detailed-exitcode"); len(findings(t, out)) > 0 {
		t.Errorf("after a fix:\n%s", out)
	}
}

// TestDriftOfReleases finds what is to be told of whole releases.
func TestDriftOfReleases(t *testing.T) {
	c := clustertest.Start(t)
	f, ns := newFleet(t, c.Kubeconfig), c.Namespace(t)
	declare := func(names ...string) {
		text := "owner: " + ns + "\nreleases:\n"
		for _, name := range names {
			text += fmt.Sprintf("- {name: %s, namespace: %s, chart: CHARTS/app, values: [{replicas: 0}]}\n", name, ns)
		}
		f.declare("%s", text)
	}
	declare("byhand", "removed", "broken", "dropped", "fine")
	f.flotilla(0, "apply", "--suppress-diff")
	f.flotilla(0, "sync", "-l", "name=byhand")
	f.flotilla(1, "apply", "-l", "name=broken", "--rollback=none", "--set", "replicas=no")
	cluster, err := kube.New(kube.Options{Kubeconfig: c.Kubeconfig}).Get("")
	if err != nil {
		t.Fatal(err)
	}
	helm := engine.New(engine.Options{Clusters: kube.New(kube.Options{Kubeconfig: c.Kubeconfig, UserAgent: "Helm/4.3.1"}).Get})
	byHand := spec.Release{ID: spec.ReleaseID{Namespace: ns, Name: "byhand"}}
	if _, err := helm.Rollback(t.Context(), byHand, &state.Revision{Number: 1}, state.Trace{Revision: 2, Status: state.StatusDeployed}); err != nil {
		t.Fatal(err)
	}
	secrets := cluster.Kubernetes().CoreV1().Secrets(ns)
	if err := secrets.Delete(t.Context(), "sh.helm.release.v1.removed.v1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	marked := fmt.Sprintf(`{"metadata": {"labels": {%q: %q}}}`, state.OwnerLabel, state.OwnerValue(ns+", environment default"))
	if _, err := secrets.Patch(t.Context(), "sh.helm.release.v1.dropped.v1", types.MergePatchType, []byte(marked), metav1.PatchOptions{FieldManager: "flotilla"}); err != nil {
		t.Fatal(err)
	}
	declare("byhand", "removed", "broken", "fine")
	want := map[string][]string{
		"byhand": {"made outside flotilla Helm"}, "removed": {"not installed"}, "broken": {"failed flotilla"}, "dropped": {"not declared any more flotilla"},
	}
	for _, level := range []string{"release", "live", "server"} {
		out := f.flotilla(2, "drift", "--against", level, "-o", "json", "--detailed-exitcode")
		if d := cmp.Diff(want, findings(t, out)); d != "" {
			t.Errorf("against %s (-want +got):\n%s", level, d)
		}
	}
	if out := f.flotilla(0, "drift", "-l", "name=fine", "--detailed-exitcode"); !strings.Contains(out, "No drift: 1 release with ") {
		t.Errorf("of a release that nobody touched:\n%s", out)
	}
	if out := f.flotilla(2, "drift", "--fix"); strings.Contains(out, "Plan:") || !strings.Contains(out, "1 release failed") {
		t.Errorf("no object drifted, and the rest is left:\n%s", out)
	}
}

// TestDriftNeedsGetAndListOnly looks with an account that may read only, says
// what another one may not see, and asks once for each kind and namespace.
func TestDriftNeedsGetAndListOnly(t *testing.T) {
	c := clustertest.Start(t)
	ns := c.Namespace(t)
	admin, proxy := counting(t, c)
	declare := func(f fleet) {
		text := "releases:\n"
		for i := range 5 {
			text += fmt.Sprintf("- {name: r%d, namespace: %s, chart: CHARTS/app, values: [{replicas: 0}]}\n", i, ns)
		}
		f.declare("%s", text)
	}
	declare(admin)
	admin.flotilla(0, "apply", "--suppress-diff")
	proxy.Take()
	admin.flotilla(0, "drift", "--detailed-exitcode")
	got := proxy.Take()
	for _, kind := range []string{"LIST deployments", "LIST services", "LIST configmaps", "LIST serviceaccounts"} {
		if got.ByKind[kind] != 1 {
			t.Errorf("asked %d times for %s: %q", got.ByKind[kind], kind, got.Kinds())
		}
	}
	// Beside them the records, those with the mark of the owner, and discovery.
	if got.Requests > 4+2+constant {
		t.Errorf("asked %d times: %q", got.Requests, got.Kinds())
	}

	resources := []string{"secrets", "configmaps", "services", "serviceaccounts", "deployments"}
	reader := newFleet(t, c.ServiceAccountKubeconfig(t, ns, rbacv1.PolicyRule{APIGroups: []string{"", "apps"}, Resources: resources, Verbs: []string{"get", "list"}}))
	declare(reader)
	if out := reader.flotilla(0, "drift", "--detailed-exitcode"); !strings.Contains(out, "No drift: 5 releases with ") {
		t.Errorf("with rights to read:\n%s", out)
	}
	reader.flotilla(0, "drift", "--fix") // nothing to do

	blind := newFleet(t, c.ServiceAccountKubeconfig(t, ns, rbacv1.PolicyRule{APIGroups: []string{"", "apps"}, Resources: resources[:4], Verbs: []string{"get", "list"}}))
	declare(blind)
	(someone{t, mustGet(t, c), ns, "r2"}).delete("services", "-app")
	out := blind.flotilla(1, "drift", "-o", "json", "--detailed-exitcode")
	if !strings.Contains(out, `"type":"unseen"`) || !strings.Contains(out, `"complete":false`) || !strings.Contains(out, `"missing"`) {
		t.Errorf("without a right to see Deployments:\n%s", out)
	}
	if out := blind.flotilla(1, "drift", "-l", "name=r3"); strings.Contains(out, "No drift: ") || !strings.Contains(out, "What could be seen is as deployed.") {
		t.Errorf("of a release of which not all can be seen:\n%s", out)
	}
}

func mustGet(t *testing.T, c *clustertest.Cluster) *kube.Cluster {
	t.Helper()
	cluster, err := kube.New(kube.Options{Kubeconfig: c.Kubeconfig}).Get("")
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}
