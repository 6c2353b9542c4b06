package cluster_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// counter counts the requests that pass.
type counter struct {
	next http.RoundTripper

	mu       *sync.Mutex
	requests *[]string
	accepts  map[string]bool
}

func newCounter() *counter {
	return &counter{mu: &sync.Mutex{}, requests: &[]string{}, accepts: map[string]bool{}}
}

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	wrapped := *c
	wrapped.next = next
	return &wrapped
}

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	*c.requests = append(*c.requests, req.Method+" "+req.URL.Path)
	c.accepts[req.Header.Get("Accept")] = true
	c.mu.Unlock()
	return c.next.RoundTrip(req)
}

// take gives the requests since the last call.
func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := *c.requests
	*c.requests = nil
	return taken
}

// fixture is a namespace of a real cluster, and a client to prepare it.
type fixture struct {
	*testing.T
	server    *clustertest.Cluster
	admin     kubernetes.Interface
	namespace string
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	server := clustertest.Start(t)
	return fixture{t, server, server.Client(), server.Namespace(t)}
}

func (f fixture) clusters(opts cluster.Options) *cluster.Clusters {
	opts.Kubeconfig = f.server.Kubeconfig
	return cluster.New(opts)
}

func (f fixture) cluster() *cluster.Cluster {
	f.Helper()
	c, err := f.clusters(cluster.Options{}).Get(f.server.Context)
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// stored is one record as a test describes it.
type stored struct {
	release  string
	revision int
	status   string
	labels   map[string]string
	manifest string
	payload  string // of the chart's templates, which readers skip
}

// encode writes the record as Helm does.
func (s stored) encode(t testing.TB) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"name": s.release, "version": s.revision, "manifest": s.manifest,
		"info": map[string]any{"status": s.status, "last_deployed": "2026-01-02T03:04:05Z"},
		"chart": map[string]any{
			"metadata":  map[string]any{"name": "app", "version": "0.1.0"},
			"templates": []any{map[string]any{"name": "t.yaml", "data": []byte(s.payload)}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, data)
}

// encode compresses and encodes a record's JSON.
func encode(t testing.TB, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(packed.Bytes()))
}

func (s stored) meta() metav1.ObjectMeta {
	labels := map[string]string{"owner": "helm", "name": s.release, "status": s.status,
		"version": strconv.Itoa(s.revision), "modifiedAt": "1", "createdAt": "1"}
	maps.Copy(labels, s.labels)
	return metav1.ObjectMeta{Name: fmt.Sprintf("sh.helm.release.v1.%s.v%d", s.release, s.revision), Labels: labels}
}

func (s stored) secret(data []byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: s.meta(), Type: "helm.sh/release.v1", Data: map[string][]byte{"release": data}}
}

func createSecret(t testing.TB, admin kubernetes.Interface, namespace string, secret *corev1.Secret) {
	t.Helper()
	if _, err := admin.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// store writes records as Secrets of a namespace.
func (f fixture) store(namespace string, records ...stored) {
	f.Helper()
	for _, r := range records {
		createSecret(f, f.admin, namespace, r.secret(r.encode(f)))
	}
}

// kubeconfig writes a kubeconfig with one context per user and gives its path.
func (f fixture) kubeconfig(change func(*api.Config)) string {
	f.Helper()
	cfg, err := clientcmd.LoadFromFile(f.server.Kubeconfig)
	if err != nil {
		f.Fatal(err)
	}
	change(cfg)
	path := filepath.Join(f.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		f.Fatal(err)
	}
	return path
}

// writeKubeconfig writes contexts "name" or "name:namespace" of a server that is
// never contacted; the first one is current.
func writeKubeconfig(t *testing.T, contexts ...string) string {
	t.Helper()
	cfg := api.NewConfig()
	cfg.Clusters["c"] = &api.Cluster{Server: "https://127.0.0.1:1", InsecureSkipTLSVerify: true}
	cfg.AuthInfos["u"] = &api.AuthInfo{Token: "secret-token"}
	for _, text := range contexts {
		name, namespace, _ := strings.Cut(text, ":")
		cfg.Contexts[name] = &api.Context{Cluster: "c", AuthInfo: "u", Namespace: namespace}
		if cfg.CurrentContext == "" {
			cfg.CurrentContext = name
		}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decodeSecret(t *testing.T, data []byte) *corev1.Secret {
	t.Helper()
	var secret corev1.Secret
	if err := json.Unmarshal(data, &secret); err != nil {
		t.Fatal(err)
	}
	return &secret
}
