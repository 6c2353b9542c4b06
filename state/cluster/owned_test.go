package cluster_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

func namesOf(releases []state.Release) string {
	var names []string
	for _, r := range releases {
		names = append(names, r.ID.Name)
	}
	return strings.Join(names, " ")
}

func TestReleasesOfAnOwner(t *testing.T) {
	f := newFixture(t)
	owner := f.namespace + ", environment prod"
	mark := func(owner string) map[string]string {
		return map[string]string{state.OwnerLabel: state.OwnerValue(owner)}
	}
	other := f.server.Namespace(t)
	f.store(f.namespace,
		stored{release: "ours", revision: 1, status: "superseded", labels: mark(owner)}, stored{release: "ours", revision: 2, status: "deployed", labels: mark(owner)},
		stored{release: "left", revision: 1, status: "uninstalled", labels: mark(owner)},
		stored{release: "theirs", revision: 1, status: "deployed", labels: mark("somebody else")}, stored{release: "nobodys", revision: 1, status: "deployed"})
	f.store(other, stored{release: "elsewhere", revision: 1, status: "failed", labels: mark(owner)})
	found, everywhere, err := f.clusters(cluster.Options{}).Owned(t.Context(), f.server.Context, owner, []string{f.namespace})
	if err != nil || !everywhere || namesOf(found) != "elsewhere ours" && namesOf(found) != "ours elsewhere" {
		t.Errorf("found %q, everywhere %v, %v", namesOf(found), everywhere, err)
	}
	records := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}}
	narrow := cluster.New(cluster.Options{Kubeconfig: f.server.ServiceAccountKubeconfig(t, f.namespace, records)})
	found, everywhere, err = narrow.Owned(t.Context(), "", owner, []string{f.namespace})
	if err != nil || everywhere || namesOf(found) != "ours" || found[0].Last().Number != 2 {
		t.Errorf("of those who may list one namespace: found %q, everywhere %v, %v", namesOf(found), everywhere, err)
	}
	if _, _, err := narrow.Owned(t.Context(), "", owner, []string{f.namespace, other}); err == nil || !strings.Contains(err.Error(), "in namespace "+other) {
		t.Errorf("a namespace that may not be listed: %v", err)
	}
}

func TestWritersAreAllWhoEverWroteARecord(t *testing.T) {
	f := newFixture(t)
	for manager, s := range map[string]stored{"flotilla": {release: "web", revision: 1, status: "superseded"}, "Helm": {release: "web", revision: 2, status: "deployed"}, "helm": {release: "api", revision: 1, status: "deployed"}} {
		if _, err := f.admin.CoreV1().Secrets(f.namespace).Create(t.Context(), s.secret([]byte("x")), metav1.CreateOptions{FieldManager: manager}); err != nil {
			t.Fatal(err)
		}
	}
	count := newCounter()
	clusters := f.clusters(cluster.Options{WrapTransport: count.wrap})
	id := func(name string) spec.ReleaseID {
		return spec.ReleaseID{Context: f.server.Context, Namespace: f.namespace, Name: name}
	}
	got, err := clusters.Writers(t.Context(), []spec.ReleaseID{id("web"), id("api"), id("none")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[spec.ReleaseID][]string{id("web"): {"Helm", "flotilla"}, id("api"): {"helm"}}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if asked := count.take(); len(asked) != 1 {
		t.Errorf("asked %q", asked)
	}
}

func TestALookSaysWhatItCouldNotSee(t *testing.T) {
	f := newFixture(t)
	f.configMaps("a")
	kubeconfig := f.server.ServiceAccountKubeconfig(t, f.namespace,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}})
	a, deployment := refTo("", "v1", "ConfigMap", f.namespace, "a"), refTo("apps", "v1", "Deployment", f.namespace, "d")
	old, unknown := refTo("policy", "v1beta1", "PodDisruptionBudget", f.namespace, "p"), refTo("example.org", "v1", "Boat", f.namespace, "b")
	sight, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig}).Look(t.Context(), "", []state.Ref{a, deployment, old, unknown})
	if err != nil {
		t.Fatal(err)
	}
	if sight.Objects[a] == nil || len(sight.Objects) != 1 {
		t.Errorf("saw %v", sight.Objects)
	}
	if d := cmp.Diff([]state.Ref{old}, sight.Unserved); d != "" {
		t.Errorf("kinds of other versions (-want +got)\n%s", d)
	}
	if len(sight.Unseen) != 1 || len(sight.Unseen[0].Refs) != 1 || sight.Unseen[0].Refs[0] != deployment || !strings.Contains(sight.Unseen[0].Err.Error(), "not allowed to list deployments.apps") {
		t.Errorf("not seen: %v", sight.Unseen)
	}
}
