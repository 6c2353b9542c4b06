package cluster_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

func refTo(group, version, kind, namespace, name string) state.Ref {
	return state.Ref{ObjectID: state.ObjectID{Group: group, Kind: kind, Namespace: namespace, Name: name}, Version: version}
}

func (f fixture) configMaps(names ...string) {
	f.Helper()
	for _, name := range names {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"k": name}}
		if _, err := f.admin.CoreV1().ConfigMaps(f.namespace).Create(f.Context(), m, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
			f.Fatal(err)
		}
	}
}

func TestLiveObjectsAreListedOnceForEachKindAndNamespace(t *testing.T) {
	f := newFixture(t)
	f.configMaps("a", "b", "other")
	count := newCounter()
	clusters := f.clusters(cluster.Options{WrapTransport: count.wrap})
	a, b := refTo("", "v1", "ConfigMap", f.namespace, "a"), refTo("", "v1", "ConfigMap", f.namespace, "b")
	namespace := refTo("", "v1", "Namespace", "", f.namespace)
	refs := []state.Ref{
		a, b, namespace,
		refTo("", "v1", "ConfigMap", f.namespace, "not-there"),
		refTo("", "v1", "Secret", f.namespace+"-not-there", "s"),
		refTo("example.org", "v1", "Boat", f.namespace, "no-such-kind"),
	}
	if _, err := clusters.Live(t.Context(), f.server.Context, refs); err != nil {
		t.Fatal(err)
	}
	count.take()
	found, err := clusters.Live(t.Context(), f.server.Context, refs)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.SortedFunc(maps.Keys(found), state.Ref.Compare)
	if diff := cmp.Diff([]state.Ref{namespace, a, b}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	meta, _ := found[a]["metadata"].(map[string]any)
	if managers, _ := meta["managedFields"].([]any); len(managers) != 1 || found[a]["kind"] != "ConfigMap" {
		t.Errorf("an object without its kind or the managers of its fields: %v", found[a])
	}
	want := []string{
		"GET /api/v1/namespaces", "GET /api/v1/namespaces/" + f.namespace + "-not-there/secrets", "GET /api/v1/namespaces/" + f.namespace + "/configmaps",
	}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(count.take()))); diff != "" {
		t.Errorf("requests (-want +got)\n%s", diff)
	}
}

func TestAKindThatMayNotBeListedIsNamed(t *testing.T) {
	f := newFixture(t)
	kubeconfig := f.server.ServiceAccountKubeconfig(t, f.namespace,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}})
	_, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig}).Live(t.Context(), "", []state.Ref{
		refTo("", "v1", "ConfigMap", f.namespace, "a"), refTo("apps", "v1", "Deployment", f.namespace, "a")})
	if !errors.Is(err, cluster.ErrForbidden) || !strings.Contains(err.Error(), "not allowed to list deployments.apps in namespace "+f.namespace) {
		t.Errorf("error %v", err)
	}
}

func TestADryRunAnswersAndWritesNothing(t *testing.T) {
	f := newFixture(t)
	f.configMaps("a")
	object := func(kind, name string, more map[string]any) map[string]any {
		o := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": f.namespace}}
		maps.Copy(o, more)
		return o
	}
	hand := []byte(`{"data":{"k":"by hand"}}`)
	if _, err := f.admin.CoreV1().ConfigMaps(f.namespace).Patch(t.Context(), "a", "application/merge-patch+json", hand, metav1.PatchOptions{FieldManager: "hand"}); err != nil {
		t.Fatal(err)
	}
	wanted := object("ConfigMap", "a", map[string]any{"data": map[string]any{"k": "wanted"}})
	ref := refTo("", "v1", "ConfigMap", f.namespace, "a")
	live, err := f.clusters(cluster.Options{}).Live(t.Context(), f.server.Context, []state.Ref{ref})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		ask  state.Proposal
		want string
	}{
		{"a conflict names the other manager", state.Proposal{Ref: ref, Object: wanted, Method: state.ApplyServerSide}, `conflict .data.k: conflict with "hand" using v1`},
		{"force takes the field over", state.Proposal{Ref: ref, Object: wanted, Method: state.ApplyServerSide, Force: true}, "k=wanted"},
		{"Helm's client patches what is live", state.Proposal{Ref: ref, Object: wanted, Live: live[ref], Stored: object("ConfigMap", "a", nil), Method: state.ApplyClientSide}, "k=wanted"},
		{"or replaces it", state.Proposal{Ref: ref, Object: wanted, Live: live[ref], Method: state.ApplyReplace}, "k=wanted"},
		{"an object that is new", state.Proposal{Ref: refTo("", "v1", "ConfigMap", f.namespace, "new"),
			Object: object("ConfigMap", "new", map[string]any{"data": map[string]any{"k": "v"}}), Method: state.ApplyClientSide}, "k=v"},
		{"a field that is not in the schema", state.Proposal{Ref: ref, Object: object("ConfigMap", "a", map[string]any{"dta": map[string]any{}}), Method: state.ApplyServerSide}, "invalid or refused"},
		{"a value that is invalid", state.Proposal{Ref: refTo("", "v1", "Service", f.namespace, "s"),
			Object: object("Service", "s", map[string]any{"spec": map[string]any{"ports": []any{map[string]any{"port": 99999}}}}), Method: state.ApplyServerSide}, "invalid .spec.ports[0].port"},
		{"a namespace that is not there", state.Proposal{Ref: refTo("", "v1", "ConfigMap", f.namespace+"-not-there", "a"),
			Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}}, Method: state.ApplyServerSide}, "no namespace"},
		{"a kind that is not served", state.Proposal{Ref: refTo("example.org", "v1", "Boat", f.namespace, "a"), Method: state.ApplyServerSide}, "unserved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := f.clusters(cluster.Options{}).DryRun(t.Context(), f.server.Context, []state.Proposal{tt.ask})
			if err != nil {
				t.Fatal(err)
			}
			if text := told(got[0]); !strings.HasPrefix(text, tt.want) {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
	list, err := f.admin.CoreV1().ConfigMaps(f.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name!=kube-root-ca.crt"})
	if err != nil || len(list.Items) != 1 || list.Items[0].Data["k"] != "by hand" {
		t.Errorf("something was written: %v, %v", list, err)
	}
}

// told is an answer in one line.
func told(a state.Answer) string {
	switch {
	case a.Unserved:
		return "unserved"
	case a.NoNamespace:
		return "no namespace"
	case len(a.Conflicts) > 0:
		return "conflict " + a.Conflicts[0].Field + ": " + a.Conflicts[0].Message
	case len(a.Invalid) > 0 && a.Invalid[0].Field != "":
		return "invalid " + a.Invalid[0].Field
	case len(a.Invalid) > 0, a.Refused != "":
		return "invalid or refused"
	}
	data, _ := a.Object["data"].(map[string]any)
	k, _ := data["k"].(string)
	return "k=" + k
}
