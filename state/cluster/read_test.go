package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// summary is what most tests compare of a release.
type summary struct {
	Phase     state.Phase
	Revisions []string
}

func summarize(snapshot state.Snapshot) map[string]summary {
	all := map[string]summary{}
	for id, r := range snapshot {
		s := summary{Phase: r.Phase}
		if id != r.ID {
			s.Phase = "filed under another id"
		}
		for _, rev := range r.History {
			s.Revisions = append(s.Revisions, fmt.Sprintf("%d %s", rev.Number, rev.Status))
		}
		all[id.Name] = s
	}
	return all
}

func (f fixture) id(namespace, name string) spec.ReleaseID {
	return spec.ReleaseID{Context: f.server.Context, Namespace: namespace, Name: name}
}

func TestReadGivesPhasesWithoutSupersededRevisions(t *testing.T) {
	f := newFixture(t)
	other := f.server.Namespace(t)
	f.store(f.namespace,
		stored{release: "web", revision: 9, status: "superseded"},
		stored{release: "web", revision: 10, status: "deployed"},
		stored{release: "api", revision: 2, status: "failed"},
		stored{release: "api", revision: 1, status: "deployed"},
		stored{release: "db", revision: 1, status: "pending-install"},
		stored{release: "old", revision: 3, status: "uninstalled"},
		stored{release: "foreign", revision: 1, status: "deployed"},
	)
	f.store(other, stored{release: "web", revision: 1, status: "uninstalling"})
	count := newCounter()
	clusters := f.clusters(cluster.Options{WrapTransport: count.wrap})
	ids := []spec.ReleaseID{
		f.id(f.namespace, "web"), f.id(f.namespace, "api"), f.id(f.namespace, "db"), f.id(f.namespace, "old"),
		f.id(f.namespace, "absent"), f.id(f.namespace, "web"), f.id("no-such-namespace", "lost"), f.id(f.namespace, "Not a label!"),
	}
	snapshot, err := clusters.Read(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]summary{
		"web": {state.PhaseDeployed, []string{"10 deployed"}},
		"api": {state.PhaseFailed, []string{"1 deployed", "2 failed"}},
		"db":  {state.PhasePending, []string{"1 pending-install"}},
		"old": {state.PhaseUninstalled, []string{"3 uninstalled"}},
	}
	if diff := cmp.Diff(want, summarize(snapshot)); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
	sent := count.take()
	slices.Sort(sent)
	lists := []string{"GET /api/v1/namespaces/" + f.namespace + "/secrets", "GET /api/v1/namespaces/no-such-namespace/secrets"}
	slices.Sort(lists)
	if diff := cmp.Diff(lists, sent); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for accept := range count.accepts {
		if !strings.HasPrefix(accept, "application/vnd.kubernetes.protobuf") {
			t.Errorf("a LIST asked for %q", accept)
		}
	}
	both, err := clusters.Read(t.Context(), []spec.ReleaseID{f.id(f.namespace, "web"), f.id(other, "web")})
	if err != nil || len(both) != 2 || both[f.id(other, "web")].Phase != state.PhaseUninstalling {
		t.Errorf("equal names of two namespaces are read as %v, %v", summarize(both), err)
	}
}

func TestReadNeedsBoundIDs(t *testing.T) {
	clusters := cluster.New(cluster.Options{Kubeconfig: writeKubeconfig(t, "blue")})
	_, err := clusters.Read(t.Context(), []spec.ReleaseID{{Context: "blue", Name: "web"}, {Context: "red", Namespace: "a", Name: "b"}})
	if !errors.Is(err, cluster.ErrContext) || !strings.Contains(err.Error(), `"blue//web"`) {
		t.Errorf("error is %v, want both mistakes", err)
	}
}

func TestReadOfARecordThatHelmWrote(t *testing.T) {
	f := newFixture(t)
	for _, file := range []string{"testdata/web.v1.json", "testdata/web.v2.json"} {
		createSecret(t, f.admin, f.namespace, decodeSecret(t, mustRead(t, file)))
	}
	snapshot, err := f.clusters(cluster.Options{}).Read(t.Context(), []spec.ReleaseID{f.id(f.namespace, "web")})
	if err != nil {
		t.Fatal(err)
	}
	got := snapshot[f.id(f.namespace, "web")].Deployed()
	if got == nil || got.Number != 2 || got.Notes != "Say two.\n" || got.Labels["team"] != "edge" || len(got.Hooks) != 1 {
		t.Errorf("the deployed revision is %+v", got)
	}
}

func TestHistoryAndList(t *testing.T) {
	f := newFixture(t)
	f.store(f.namespace,
		stored{release: "web", revision: 10, status: "deployed"},
		stored{release: "web", revision: 9, status: "superseded", manifest: "nine"},
		stored{release: "api", revision: 1, status: "deployed"},
	)
	clusters := f.clusters(cluster.Options{})
	history, err := clusters.History(t.Context(), f.id(f.namespace, "web"))
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != 2 || history[0].Number != 9 || string(history[0].Stream) != "nine" || history[1].Number != 10 {
		t.Errorf("history is %+v", history)
	}
	for _, name := range []string{"absent", "Not a label!"} {
		if none, err := clusters.History(t.Context(), f.id(f.namespace, name)); err != nil || none != nil {
			t.Errorf("history of %q is %v, %v", name, none, err)
		}
	}
	list, err := clusters.List(t.Context(), "", f.namespace)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range list {
		names = append(names, fmt.Sprintf("%s %d", r.ID.Name, len(r.History)))
	}
	if diff := cmp.Diff([]string{"api 1", "web 1"}, names); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func TestCorruptRecordsAreAllNamed(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"web", "api"} {
		s := stored{release: name, revision: 1, status: "deployed"}
		createSecret(t, f.admin, f.namespace, s.secret([]byte("broken!")))
	}
	_, err := f.clusters(cluster.Options{}).Read(t.Context(), []spec.ReleaseID{f.id(f.namespace, "web"), f.id(f.namespace, "api")})
	for _, name := range []string{"web", "api"} {
		if want := "Secret " + f.namespace + "/sh.helm.release.v1." + name + ".v1"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	if _, err := f.clusters(cluster.Options{}).Read(t.Context(), []spec.ReleaseID{f.id(f.namespace, "sound")}); err != nil {
		t.Errorf("records that nobody asked for are an error: %v", err)
	}
}

func TestDrivers(t *testing.T) {
	f := newFixture(t)
	s := stored{release: "web", revision: 4, status: "deployed"}
	configMap := &corev1.ConfigMap{ObjectMeta: s.meta(), Data: map[string]string{"release": string(s.encode(t))}}
	if _, err := f.admin.CoreV1().ConfigMaps(f.namespace).Create(t.Context(), configMap, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		driver string
		found  int
		err    error
	}{{"", 0, nil}, {"secrets", 0, nil}, {"configmap", 1, nil}, {"configmaps", 1, nil}, {"sql", 0, cluster.ErrDriver}, {"memory", 0, cluster.ErrDriver}}
	for _, tt := range tests {
		t.Run("driver "+tt.driver, func(t *testing.T) {
			snapshot, err := f.clusters(cluster.Options{Driver: tt.driver}).Read(t.Context(), []spec.ReleaseID{f.id(f.namespace, "web")})
			if !errors.Is(err, tt.err) || len(snapshot) != tt.found {
				t.Errorf("read %d releases, %v; want %d, %v", len(snapshot), err, tt.found, tt.err)
			}
		})
	}
}

func TestAllPagesAreRead(t *testing.T) {
	f := newFixture(t)
	var ids []spec.ReleaseID
	for i := range 260 {
		name := fmt.Sprintf("r%d", i)
		f.store(f.namespace, stored{release: name, revision: 1, status: "deployed"})
		ids = append(ids, f.id(f.namespace, name))
	}
	count := newCounter()
	snapshot, err := f.clusters(cluster.Options{WrapTransport: count.wrap}).Read(t.Context(), ids)
	if err != nil || len(snapshot) != len(ids) {
		t.Errorf("read %d releases, %v; want %d", len(snapshot), err, len(ids))
	}
	if sent := count.take(); len(sent) != 2 {
		t.Errorf("sent %v, want two pages", sent)
	}
}

func TestManyNamespacesAreReadWithOneList(t *testing.T) {
	f := newFixture(t)
	f.store(f.namespace, stored{release: "web", revision: 1, status: "deployed"})
	ids := []spec.ReleaseID{f.id(f.namespace, "web")}
	for i := range 30 {
		ids = append(ids, f.id(fmt.Sprintf("nowhere-%d", i), "web"))
	}
	count := newCounter()
	snapshot, err := f.clusters(cluster.Options{WrapTransport: count.wrap}).Read(t.Context(), ids)
	if err != nil || len(snapshot) != 1 {
		t.Errorf("read %v, %v; want only %s", summarize(snapshot), err, ids[0])
	}
	if diff := cmp.Diff([]string{"GET /api/v1/secrets"}, count.take()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// limited gives a kubeconfig of a service account that may list the Secrets of
// the fixture's namespace, and nothing else.
func (f fixture) limited() string {
	f.Helper()
	meta := metav1.ObjectMeta{Name: "limited"}
	create := metav1.CreateOptions{}
	if _, err := f.admin.CoreV1().ServiceAccounts(f.namespace).Create(f.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, create); err != nil {
		f.Fatal(err)
	}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"secrets"}}}}
	if _, err := f.admin.RbacV1().Roles(f.namespace).Create(f.Context(), role, create); err != nil {
		f.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "limited"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "limited", Namespace: f.namespace}}}
	if _, err := f.admin.RbacV1().RoleBindings(f.namespace).Create(f.Context(), binding, create); err != nil {
		f.Fatal(err)
	}
	token, err := f.admin.CoreV1().ServiceAccounts(f.namespace).CreateToken(f.Context(), "limited", &authv1.TokenRequest{}, create)
	if err != nil {
		f.Fatal(err)
	}
	return f.kubeconfig(func(cfg *api.Config) {
		for name := range cfg.AuthInfos {
			cfg.AuthInfos[name] = &api.AuthInfo{Token: token.Status.Token}
		}
	})
}

func TestForbiddenSaysWhatIsMissing(t *testing.T) {
	f := newFixture(t)
	other := f.server.Namespace(t)
	clusters := cluster.New(cluster.Options{Kubeconfig: f.limited()})
	if _, err := clusters.Read(t.Context(), []spec.ReleaseID{f.id(f.namespace, "web")}); err != nil {
		t.Errorf("reading what is allowed: %v", err)
	}
	_, err := clusters.Read(t.Context(), []spec.ReleaseID{f.id(f.namespace, "web"), f.id(other, "web")})
	var forbidden *cluster.Forbidden
	if !errors.As(err, &forbidden) || !errors.Is(err, cluster.ErrForbidden) {
		t.Fatalf("error is %v, want a *Forbidden", err)
	}
	want := cluster.Access{Verb: "list", Resource: "secrets", Namespace: other}
	if forbidden.Access != want || forbidden.Context != f.server.Context {
		t.Errorf("forbidden is %+v, want %+v", forbidden, want)
	}
	if says := "kubectl auth can-i list secrets -n " + other + " --context " + f.server.Context; !strings.Contains(err.Error(), says) {
		t.Errorf("error %q does not say %q", err, says)
	}
}

func TestWithoutRightsOnAllNamespacesEachIsListed(t *testing.T) {
	f := newFixture(t)
	f.store(f.namespace, stored{release: "web", revision: 1, status: "deployed"})
	path := f.limited()
	count := newCounter()
	clusters := cluster.New(cluster.Options{Kubeconfig: path, WrapTransport: count.wrap})
	ids := []spec.ReleaseID{f.id(f.namespace, "web")}
	for i := range 30 {
		ids = append(ids, f.id(fmt.Sprintf("nowhere-%d", i), "web"))
	}
	for round, want := range []int{32, 31} { // the refusal is remembered
		_, err := clusters.Read(t.Context(), ids)
		if !errors.Is(err, cluster.ErrForbidden) {
			t.Fatalf("error is %v, want that of the namespaces without rights", err)
		}
		if strings.Contains(err.Error(), "in namespace "+f.namespace+":") {
			t.Errorf("error names the namespace that may be read: %v", err)
		}
		if sent := count.take(); len(sent) != want {
			t.Errorf("round %d sent %d requests, want %d", round, len(sent), want)
		}
	}
}

func BenchmarkRead50(b *testing.B) {
	server := clustertest.Start(b)
	admin, namespace := server.Client(), server.Namespace(b)
	payload := strings.Repeat("{{ include \"app.labels\" . }} some text of a template\n", 400)
	var ids []spec.ReleaseID
	for i := range 50 {
		s := stored{release: fmt.Sprintf("r%d", i), revision: 1, status: "deployed", payload: payload, manifest: payload}
		createSecret(b, admin, namespace, s.secret(s.encode(b)))
		ids = append(ids, spec.ReleaseID{Context: server.Context, Namespace: namespace, Name: s.release})
	}
	clusters := cluster.New(cluster.Options{Kubeconfig: server.Kubeconfig})
	for b.Loop() {
		snapshot, err := clusters.Read(b.Context(), ids)
		if err != nil || len(snapshot) != len(ids) {
			b.Fatalf("read %d, %v", len(snapshot), err)
		}
	}
}
