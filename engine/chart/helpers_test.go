package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

// files are a chart as text, by path.
type files map[string]string

// chartFiles is a small chart; more adds or replaces files.
func chartFiles(name, version string, more files) files {
	out := files{
		"Chart.yaml":          "apiVersion: v2\nname: " + name + "\nversion: " + version + "\nappVersion: \"9.1\"\n",
		"values.yaml":         "replicas: 1\nnested:\n  list: [a, b]\n",
		"templates/cm.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-" + name + "\n",
		"templates/_help.tpl": "{{- define \"x\" }}{{ end }}",
	}
	maps.Copy(out, more)
	return out
}

// depending is a Chart.yaml with dependencies given as lines of YAML.
func depending(name, version, dependencies string) files {
	return files{"Chart.yaml": "apiVersion: v2\nname: " + name + "\nversion: " + version + "\ndependencies:\n" + dependencies}
}

func writeFolder(t *testing.T, dir string, content files) string {
	t.Helper()
	for name, text := range content {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// packed makes the .tgz of a chart, below a folder of that name.
func packed(t *testing.T, folder string, content files) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	pack := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(content)) {
		text := content[name]
		if err := pack.WriteHeader(&tar.Header{Name: folder + "/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := pack.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// repository is a chart repository over HTTP that counts what it is asked.
type repository struct {
	files    map[string][]byte // by path, index.yaml apart
	index    strings.Builder
	user     string
	password string

	mu    sync.Mutex
	asked map[string]int
}

func newRepository() *repository {
	r := &repository{files: map[string][]byte{}, asked: map[string]int{}}
	r.index.WriteString("apiVersion: v1\nentries:\n")
	return r
}

// add publishes one version under a relative URL.
func (r *repository) add(t *testing.T, content files, name string, versions ...string) *repository {
	t.Helper()
	fmt.Fprintf(&r.index, "  %s:\n", name)
	for _, v := range versions {
		file := name + "-" + v + ".tgz"
		data := packed(t, name, chartFiles(name, v, content))
		r.files["/"+file] = data
		r.entry(name, v, file, digestBytes(data))
	}
	return r
}

func (r *repository) entry(name, version, url, digest string) {
	fmt.Fprintf(&r.index, "  - apiVersion: v2\n    name: %s\n    version: %q\n    digest: %s\n    urls: [%q]\n    created: 2024-01-01T00:00:00Z\n",
		name, version, strings.TrimPrefix(digest, "sha256:"), url)
}

func (r *repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked[req.URL.Path]++
	r.mu.Unlock()
	if user, password, _ := req.BasicAuth(); user != r.user || password != r.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	data, ok := r.files[req.URL.Path]
	if req.URL.Path == "/index.yaml" {
		data, ok = []byte(r.index.String()), true
		tag := `"` + digestBytes(data)[:20] + `"`
		w.Header().Set("ETag", tag)
		if req.Header.Get("If-None-Match") == tag {
			r.count("not modified")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(data)
}

func (r *repository) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[what]++
}

func (r *repository) times(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[what]
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// newTestStore has a cache of its own and nothing of this machine's Helm.
func newTestStore(t *testing.T, change func(*Options)) *Store {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", filepath.Join(dir, "docker"))
	t.Setenv("GNUPGHOME", filepath.Join(dir, "gnupg"))
	opts := Options{
		CacheDir:         filepath.Join(dir, "cache"),
		RegistryConfig:   filepath.Join(dir, "registry.json"),
		RepositoryConfig: filepath.Join(dir, "repositories.yaml"),
	}
	if change != nil {
		change(&opts)
	}
	return NewStore(opts)
}

func get(t *testing.T, s *Store, ref spec.Chart) *Chart {
	t.Helper()
	c, err := s.Get(t.Context(), ref)
	if err != nil {
		t.Fatalf("Get(%s): %v", ref.Ref, err)
	}
	return c
}

// caFile writes the certificate that a TLS test server shows.
func caFile(t *testing.T, server *httptest.Server) string {
	t.Helper()
	return writePEM(t, "ca.pem", "CERTIFICATE", server.Certificate().Raw)
}

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveTLS serves h over TLS; with clients set, only to that certificate.
func serveTLS(t *testing.T, h http.Handler, clients *x509.CertPool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what some tests are about
	if clients != nil {
		server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// wantError checks the kind of an error and what it says.
func wantError(t *testing.T, err, kind error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of kind %q", kind)
	}
	for _, known := range []error{ErrNotFound, ErrInvalid, ErrUnknownRepository, ErrUnreachable, ErrAccess, ErrChecksum, ErrProvenance, ErrLock, ErrMissingDependency, ErrOffline} {
		if known == kind && !isKind(err, known) {
			t.Errorf("error is not of kind %q: %v", kind, err)
		}
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q: %v", want, err)
		}
	}
}
