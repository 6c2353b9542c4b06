package cluster_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

func TestResolve(t *testing.T) {
	two := writeKubeconfig(t, "blue:team", "green")
	none := writeKubeconfig(t)
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("contexts: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	tests := []struct {
		name       string
		kubeconfig string
		context    string
		want       [2]string
		err        error
		says       string
	}{
		{"no context means the current one", two, "", [2]string{"blue", "team"}, nil, ""},
		{"a context without namespace means default", two, "green", [2]string{"green", "default"}, nil, ""},
		{"files of a list are merged and missing ones skipped", missing + string(os.PathListSeparator) + two, "green", [2]string{"green", "default"}, nil, ""},
		{"a context that is not there names the others", two, "red", [2]string{}, cluster.ErrContext, `"red": it has blue, green`},
		{"no file at all", missing, "", [2]string{}, cluster.ErrKubeconfig, missing},
		{"a file without contexts", none, "", [2]string{}, cluster.ErrKubeconfig, none},
		{"a file that cannot be read", broken, "", [2]string{}, cluster.ErrKubeconfig, broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, namespace, err := cluster.New(cluster.Options{Kubeconfig: tt.kubeconfig}).Resolve(tt.context)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error is %v, want %v", err, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
			if got := [2]string{name, namespace}; got != tt.want {
				t.Errorf("resolved to %q, want %q", got, tt.want)
			}
		})
	}
}

func TestResolveReadsKUBECONFIG(t *testing.T) {
	t.Setenv("KUBECONFIG", writeKubeconfig(t, "blue:team"))
	name, namespace, err := cluster.New(cluster.Options{}).Resolve("")
	if err != nil || name != "blue" || namespace != "team" {
		t.Errorf("resolved to %q, %q, %v", name, namespace, err)
	}
}

func TestGetSharesOneClusterPerContext(t *testing.T) {
	clusters := cluster.New(cluster.Options{Kubeconfig: writeKubeconfig(t, "blue:team", "green")})
	got := make([]*cluster.Cluster, 16)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i], _ = clusters.Get([]string{"", "blue"}[i%2]) })
	}
	all.Wait()
	for i, c := range got {
		if c == nil || c != got[0] {
			t.Fatalf("Get %d gave another cluster", i)
		}
	}
	green, err := clusters.Get("green")
	if err != nil || green == got[0] || green.Context() != "green" || green.Namespace() != "default" {
		t.Errorf("Get of another context gave %v, %v", green, err)
	}
}

func TestUnreachableServer(t *testing.T) {
	clusters := cluster.New(cluster.Options{Kubeconfig: writeKubeconfig(t, "blue")})
	_, err := clusters.Read(t.Context(), []spec.ReleaseID{{Context: "blue", Namespace: "a", Name: "x"}})
	if !errors.Is(err, cluster.ErrUnreachable) {
		t.Fatalf("error is %v, want ErrUnreachable", err)
	}
	for _, part := range []string{"context blue", "https://127.0.0.1:1", "connection refused"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), "labelSelector") {
		t.Errorf("error tells too much: %v", err)
	}
}

func TestRefusedCredentials(t *testing.T) {
	f := newFixture(t)
	path := f.kubeconfig(func(cfg *api.Config) {
		for name := range cfg.AuthInfos {
			cfg.AuthInfos[name] = &api.AuthInfo{Token: "stale-token"}
		}
	})
	c, err := cluster.New(cluster.Options{Kubeconfig: path}).Get("")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.APIVersions(t.Context())
	if !errors.Is(err, cluster.ErrUnauthorized) || strings.Contains(err.Error(), "stale-token") {
		t.Errorf("error is %v, want ErrUnauthorized", err)
	}
}

func TestDiscoveryAndVersionAreFetchedOnce(t *testing.T) {
	f := newFixture(t)
	count := newCounter()
	c, err := f.clusters(cluster.Options{WrapTransport: count.wrap}).Get(f.server.Context)
	if err != nil {
		t.Fatal(err)
	}
	if sent := count.take(); len(sent) != 0 {
		t.Errorf("building clients sent %v", sent)
	}
	look := func() []string {
		versions, err := c.APIVersions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.ServerVersion(t.Context()); err != nil {
			t.Fatal(err)
		}
		mapper, err := c.Getter("a").ToRESTMapper()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"}); err != nil {
			t.Fatal(err)
		}
		return versions
	}
	versions := look()
	for _, want := range []string{"v1", "apps/v1", "apps/v1/Deployment", "v1/Secret"} {
		if !slices.Contains(versions, want) {
			t.Errorf("API versions lack %s", want)
		}
	}
	first := count.take()
	slices.Sort(first)
	if want := []string{"GET /api", "GET /apis", "GET /version"}; !slices.Equal(first, want) {
		t.Errorf("the first look sent %v, want %v", first, want)
	}
	look()
	if again := count.take(); len(again) != 0 {
		t.Errorf("the second look sent %v", again)
	}
	c.Invalidate()
	look()
	if again := count.take(); len(again) != 2 {
		t.Errorf("the look after Invalidate sent %v, want two requests", again)
	}
}

func TestGetterGivesCopiesOverOneTransport(t *testing.T) {
	f := newFixture(t)
	count, wrapped := newCounter(), 0
	c, err := f.clusters(cluster.Options{WrapTransport: func(next http.RoundTripper) http.RoundTripper {
		wrapped++
		return count.wrap(next)
	}}).Get(f.server.Context)
	if err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{f.namespace, "kube-system"} {
		getter := c.Getter(namespace)
		cfg, err := getter.ToRESTConfig()
		if err != nil {
			t.Fatal(err)
		}
		client, err := kubernetes.NewForConfig(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		if sent := count.take(); len(sent) != 1 {
			t.Errorf("one request was counted as %v", sent)
		}
		cfg.Host, cfg.APIPath = "https://spoiled.invalid", "/spoiled"
		if ns, overridden, err := getter.ToRawKubeConfigLoader().Namespace(); err != nil || !overridden || ns != namespace {
			t.Errorf("the getter of %s sees namespace %q, %v, %v", namespace, ns, overridden, err)
		}
	}
	if wrapped != 1 {
		t.Errorf("the transport was wrapped %d times", wrapped)
	}
	if ns, _, _ := c.Getter("").ToRawKubeConfigLoader().Namespace(); ns != c.Namespace() {
		t.Errorf("a getter without namespace sees %q, want %q", ns, c.Namespace())
	}
}

func TestWarningsOfTheServerAreToldOnce(t *testing.T) {
	f := newFixture(t)
	var told []string
	c, err := f.clusters(cluster.Options{Warn: func(context, text string) { told = append(told, context+": "+text) }}).Get(f.server.Context)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		// The API warns of v1 Endpoints and of v1 ComponentStatus.
		if _, err := c.Kubernetes().CoreV1().ComponentStatuses().List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], f.server.Context+": v1 ComponentStatus") {
		t.Errorf("warnings are %q, want one", told)
	}
}
