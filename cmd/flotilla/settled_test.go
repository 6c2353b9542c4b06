package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	kube "github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// TestAfterAnApplyThereIsNothingToPlan applies generated charts of many kinds,
// written in ways in which the API server keeps them otherwise, and wants no
// changes at any level of looking.
func TestAfterAnApplyThereIsNothingToPlan(t *testing.T) {
	c := clustertest.Start(t)
	namespace := c.Namespace(t)
	dir := t.TempDir()
	var state strings.Builder
	state.WriteString("releases:\n")
	const charts = 8
	for seed := range uint64(charts) {
		g := generator{r: rand.New(rand.NewPCG(seed, 5)), group: namespace + ".example.org"}
		name := fmt.Sprintf("g%d", seed)
		write(t, filepath.Join(dir, name), g.chart(name))
		fmt.Fprintf(&state, "- {name: %s, namespace: %s, chart: ./%s}\n", name, namespace, name)
	}
	write(t, dir, map[string]string{"helmfile.yaml": state.String()})
	t.Cleanup(func() { dropCRDs(t, c, namespace+".example.org") })
	m := machine{c.Kubeconfig, t.TempDir(), nil, time.Now()}
	at := filepath.Join(dir, "helmfile.yaml")
	m.run(t, 0, "apply", "-f", at, "-q", "--suppress-diff")
	for _, level := range []string{"release", "live", "server"} {
		said := m.run(t, 0, "plan", "-f", at, "--against", level, "--detailed-exitcode")
		if !strings.Contains(said, fmt.Sprintf("No changes: %d releases are as declared.", charts)) {
			t.Errorf("against %s:\n%s", level, said)
		}
	}
	saved := filepath.Join(dir, "none.plan")
	m.run(t, 0, "plan", "-f", at, "-o", saved, "-q")
	if said := m.run(t, 0, "apply", saved); !strings.Contains(said, "No changes") {
		t.Errorf("a saved plan without changes:\n%s", said)
	}
}

// dropCRDs deletes what Helm leaves behind of the charts.
func dropCRDs(t *testing.T, c *clustertest.Cluster, group string) {
	t.Helper()
	admin, err := kube.New(kube.Options{Kubeconfig: c.Kubeconfig}).Get("")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	crds := admin.Dynamic().Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	all, err := crds.List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	deleted := 0
	for _, crd := range all.Items {
		if strings.HasSuffix(crd.GetName(), "."+group) {
			if err := crds.Delete(ctx, crd.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
			deleted++
		}
	}
	if deleted == 0 {
		t.Error("no definition was installed")
	}
}

// generator writes charts. Nothing of them depends on time or chance.
type generator struct {
	r     *rand.Rand
	group string // of its own CRD
}

func (g generator) of(words ...string) string { return words[g.r.IntN(len(words))] }

func (g generator) chart(name string) map[string]string {
	files := map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: " + name + "\nversion: 0.1.0\n",
		"values.yaml": fmt.Sprintf("replicas: %d\ncpu: %s\nnote: %q\n", g.r.IntN(3), g.of("100m", "0.1", `"1"`, "1000m"), g.of("", "a: b", "- x", "# no comment", "true")),
	}
	objects := []func(string) string{g.configMap, g.secret, g.service, g.deployment, g.statefulSet, g.cronJob, g.rbac, g.policies, g.list, g.hook, g.custom}
	g.r.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
	for i, write := range objects[:5+g.r.IntN(len(objects)-5)] {
		files[fmt.Sprintf("templates/%d.yaml", i)] = write("{{ .Release.Name }}")
	}
	files["crds/boats.yaml"] = g.crd(name)
	return files
}

func (g generator) meta(name, suffix string) string {
	return fmt.Sprintf("metadata:\n  name: %s%s\n%s", name, suffix, g.of(
		"", "  labels: {app: {{ .Chart.Name }}}\n", "  annotations:\n    note: {{ .Values.note | quote }}\n    empty: \"\"\n", "  labels: {}\n", "  namespace: {{ .Release.Namespace }}\n"))
}

func (g generator) configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\n" + g.meta(name, "-cm") + g.of(
		"data:\n  text: |\n    one\n    two\n  flag: \"true\"\n", "data: {}\n", "", "immutable: false\ndata: {n: \"1e3\"}\nbinaryData: {b: AAEC}\n")
}

func (g generator) secret(name string) string {
	return "apiVersion: v1\nkind: Secret\n" + g.meta(name, "-s") + g.of(
		"stringData: {token: swordfish}\n", "type: Opaque\ndata: {a: Yg==}\n", "data: {a: Yg==}\nstringData: {a: c, other: \"\"}\n")
}

func (g generator) service(name string) string {
	return "apiVersion: v1\nkind: Service\n" + g.meta(name, "-svc") + "spec:\n  selector: {app: x}\n" + g.of(
		"  ports: [{port: 80}]\n", "  ports: [{port: 80, name: http, targetPort: \"8080\"}, {port: 443, name: https, targetPort: web}]\n",
		"  clusterIP: None\n  ports: [{port: 53, protocol: UDP}]\n", "  type: ClusterIP\n  sessionAffinity: None\n  ports: [{port: 1, protocol: TCP, targetPort: 1}]\n")
}

func (g generator) pod(indent string) string {
	text := `metadata: {labels: {app: x}}
spec:
  containers:
  - name: main
    image: registry.example.org/app` + g.of("", ":1", "@sha256:"+strings.Repeat("0", 64)) + `
    resources: {limits: {cpu: {{ .Values.cpu }}, memory: ` + g.of("1Gi", "1024Mi", "1073741824", "1.5G") + `}}
    ` + g.of("env: []", "env: [{name: A, value: \"1\"}, {name: B, value: \"\"}]", "ports: [{containerPort: 80}]", "args: [\"--x\", \"y\"]", "securityContext: {}") + "\n" + g.of(
		"", "  initContainers: []\n", "  securityContext: {}\n", "  serviceAccountName: default\n", "  nodeSelector: {}\n  tolerations: []\n")
	return indent + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+indent) + "\n"
}

func (g generator) deployment(name string) string {
	return "apiVersion: apps/v1\nkind: Deployment\n" + g.meta(name, "-d") + "spec:\n" + g.of("  replicas: {{ .Values.replicas }}\n", "", "  replicas: null\n") +
		g.of("", "  strategy: {type: Recreate}\n", "  strategy: {rollingUpdate: {maxSurge: 1}}\n", "  revisionHistoryLimit: 3\n") +
		"  selector: {matchLabels: {app: x}}\n  template:\n" + g.pod("    ")
}

func (g generator) statefulSet(name string) string {
	return "apiVersion: apps/v1\nkind: StatefulSet\n" + g.meta(name, "-sts") + "spec:\n  replicas: 0\n  serviceName: x\n  selector: {matchLabels: {app: x}}\n  template:\n" + g.pod("    ") +
		g.of("", "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}\n")
}

func (g generator) cronJob(name string) string {
	return "apiVersion: batch/v1\nkind: CronJob\n" + g.meta(name, "-cron") + "spec:\n  schedule: \"0 0 1 1 *\"\n" + g.of("", "  suspend: false\n", "  concurrencyPolicy: Forbid\n") +
		"  jobTemplate:\n    spec:\n      template:\n" + strings.Replace(g.pod("        "), "spec:\n", "spec:\n          restartPolicy: Never\n", 1)
}

func (g generator) rbac(name string) string {
	return "apiVersion: v1\nkind: ServiceAccount\n" + g.meta(name, "-sa") + g.of("", "automountServiceAccountToken: false\n") +
		"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n" + g.meta(name, "-role") + "rules:\n- apiGroups: [\"\"]\n  resources: [pods, configmaps]\n  verbs: [list, get]\n" +
		"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n" + g.meta(name, "-rb") +
		"roleRef: {kind: Role, name: x" + g.of("", ", apiGroup: rbac.authorization.k8s.io") + "}\nsubjects:\n- {kind: ServiceAccount, name: default, namespace: {{ .Release.Namespace }}}\n- {kind: User, name: me}\n"
}

func (g generator) policies(name string) string {
	return "apiVersion: policy/v1\nkind: PodDisruptionBudget\n" + g.meta(name, "-pdb") + "spec:\n  " + g.of("minAvailable: 50%", "maxUnavailable: 1") + "\n  selector: {matchLabels: {app: x}}\n" +
		"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" + g.meta(name, "-np") + "spec:\n  podSelector: {}\n" + g.of("  policyTypes: [Ingress]\n", "  ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]\n", "  egress: [{}]\n  policyTypes: [Egress]\n") +
		"---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n" + g.meta(name, "-hpa") + "spec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nobody}\n  maxReplicas: 3\n" +
		g.of("", "  minReplicas: 1\n", "  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]\n") +
		"---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n" + g.meta(name, "-in") + "spec:\n  rules: [{host: " + name + ".example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: x, port: {number: 80}}}}]}}]\n"
}

func (g generator) list(name string) string {
	item := func(suffix string) string {
		return "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: " + name + suffix + "}\n  data: {a: b}\n"
	}
	return "apiVersion: v1\nkind: " + g.of("List", "ConfigMapList") + "\nitems:\n" + item("-l1") + item("-l2")
}

func (g generator) hook(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "-hook\n  annotations:\n    helm.sh/hook: " + g.of("pre-install", "post-upgrade", "\"pre-install,pre-upgrade\"", "test") +
		"\n    helm.sh/hook-weight: \"" + g.of("0", "-5", "7") + "\"\n" + g.of("", "    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded\n") + "data: {a: b}\n"
}

func (g generator) crd(name string) string {
	kind := strings.ToUpper(name[:1]) + name[1:] + "Boat"
	plural := strings.ToLower(kind) + "s"
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.%[2]s}
spec:
  group: %[2]s
  scope: Namespaced
  names: {kind: %[3]s, plural: %[1]s}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer, default: 3}
              sails: {type: array, items: {type: object, required: [name], properties: {name: {type: string}, color: {type: string, default: red}}}, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name]}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
`, plural, g.group, kind)
}

func (g generator) custom(name string) string {
	return "apiVersion: " + g.group + "/v1\nkind: {{ .Release.Name | title }}Boat\n" + g.meta(name, "-boat") + g.of(
		"spec: {}\n", "spec: {size: 3}\n", "spec: {sails: [{name: main}, {name: jib, color: blue}]}\n", "spec: {free: {a: [1, 2.5, \"x\", null], b: {}}}\n", "spec: {size: 5, sails: []}\n")
}
