package chart

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	helmregistry "helm.sh/helm/v4/pkg/registry"

	"github.com/flotilla-sh/flotilla/spec"
)

// oci is a registry in this process that may want a user.
type oci struct {
	handler  http.Handler
	user     string
	password string
	requests atomic.Int32
}

func newOCI() *oci {
	return &oci{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
}

func (o *oci) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	if user, password, _ := r.BasicAuth(); user != o.user || password != o.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	o.handler.ServeHTTP(w, r)
}

// push publishes charts with Helm's own client, before a user is wanted.
func push(t *testing.T, server *httptest.Server, name string, versions ...string) {
	t.Helper()
	for _, v := range versions {
		pushSigned(t, server, name, v, nil)
	}
}

func pushSigned(t *testing.T, server *httptest.Server, name, version string, signature []byte) []byte {
	t.Helper()
	opts := []helmregistry.ClientOption{helmregistry.ClientOptHTTPClient(server.Client())}
	if server.TLS == nil {
		opts = append(opts, helmregistry.ClientOptPlainHTTP())
	}
	client, err := helmregistry.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	data := packed(t, name, chartFiles(name, version, nil))
	var push []helmregistry.PushOption
	if signature != nil {
		push = append(push, helmregistry.PushOptProvData(signature))
	}
	if _, err := client.Push(data, host(server)+"/charts/"+name+":"+version, push...); err != nil {
		t.Fatal(err)
	}
	return data
}

func host(server *httptest.Server) string {
	_, host, _ := strings.Cut(server.URL, "://")
	return host
}

func TestVersionsOfARegistry(t *testing.T) {
	server := serve(t, newOCI())
	push(t, server, "web", "1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "1.0.0+build.7")
	push(t, server, "beta", "0.1.0-a")
	s := newTestStore(t, nil)
	at := "oci://" + host(server) + "/charts/"
	known := manifestDigest(t, server, "web", "1.2.0")
	other := manifestDigest(t, server, "web", "1.10.0")
	tests := []struct {
		name  string
		ref   string
		want  string
		devel bool
		get   string
		kind  error
		says  []string
	}{
		{name: "empty is the newest stable one", ref: "web", get: "1.10.0"},
		{name: "devel admits pre-releases", ref: "web", devel: true, get: "2.0.0-rc.1"},
		{name: "an exact version", ref: "web", want: "1.2.0", get: "1.2.0"},
		{name: "a tag in the reference", ref: "web:1.2.0", get: "1.2.0"},
		{name: "tag and version that agree", ref: "web:1.2.0", want: "1.2.0", get: "1.2.0"},
		{name: "a range", ref: "web", want: "~1.2", get: "1.2.0"},
		{name: "a version with build metadata", ref: "web", want: "1.0.0+build.7", get: "1.0.0+build.7"},
		{name: "a version written with a v", ref: "web", want: "v1.2.0", get: "1.2.0"},
		{name: "a digest", ref: "web@" + known, get: "1.2.0"},
		{name: "a tag and its digest", ref: "web:1.2.0@" + known, get: "1.2.0"},
		{name: "a version and its digest", ref: "web", want: "1.2.0@" + known, get: "1.2.0"},
		{name: "a digest whose tag is gone", ref: "web", want: "9.9.9@" + known, get: "1.2.0"},
		{name: "a digest of another tag", ref: "web:1.2.0@" + other, kind: ErrChecksum, says: []string{known, other}},
		{name: "a digest of nothing", ref: "web@sha256:" + strings.Repeat("0", 64), kind: ErrNotFound, says: []string{"sha256:000"}},
		{name: "a digest that is none", ref: "web@sha256:12", kind: ErrNotFound, says: []string{"is not a digest"}},
		{name: "tag and version that differ", ref: "web:1.2.0", want: "1.0.0", kind: ErrNotFound, says: []string{`tag "1.2.0"`, `version "1.0.0"`}},
		{name: "a version that is not there", ref: "web", want: "1.3.0", kind: ErrNotFound, says: []string{`no version "1.3.0"`, "1.10.0, 1.2.0"}},
		{name: "a tag that is no version", ref: "web:main", kind: ErrNotFound, says: []string{"web:main"}},
		{name: "only pre-releases", ref: "beta", kind: ErrNotFound, says: []string{"devel: true"}},
		{name: "a repository that is not there", ref: "nothing", kind: ErrNotFound, says: []string{"oci://" + host(server) + "/charts/nothing"}},
		{name: "a reference that is none", ref: "UPPER CASE", kind: ErrNotFound, says: []string{"oci://host/path"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := s.Get(t.Context(), spec.Chart{Ref: at + tt.ref, Version: tt.want, Devel: tt.devel, PlainHTTP: true})
			if tt.kind != nil {
				wantError(t, err, tt.kind, tt.says...)
				return
			}
			if err != nil || c.Version != tt.get {
				t.Errorf("got %v, %v; want %s", c, err, tt.get)
			}
		})
	}
}

func manifestDigest(t *testing.T, server *httptest.Server, name, tag string) string {
	t.Helper()
	resp, err := http.Get(server.URL + "/v2/charts/" + name + "/manifests/" + tag)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return digestBytes(data)
}

func TestCredentialsOfARegistry(t *testing.T) {
	o := newOCI()
	server := serve(t, o)
	push(t, server, "web", "1.0.0")
	o.user, o.password = "me", "s3cret"
	login := func(user, password string) string {
		token := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host(server), token)
	}
	config := writeFolder(t, t.TempDir(), files{"good": login("me", "s3cret"), "bad": login("me", "wr0ng")})
	repo := func(user, password, file string) *spec.Repository {
		r := &spec.Repository{Name: "priv", URL: host(server) + "/charts", OCI: true, PlainHTTP: true, Username: user, Password: password}
		if file != "" {
			r.RegistryConfig = filepath.Join(config, file)
		}
		return r
	}
	tests := []struct {
		name   string
		repo   *spec.Repository
		change func(*Options)
		kind   error
		says   string
	}{
		{"user and password of the state file", repo("me", "s3cret", ""), nil, nil, ""},
		{"wrong ones", repo("me", "wr0ng", ""), nil, ErrAccess, "check its username and password"},
		{"none", repo("", "", ""), nil, ErrAccess, "helm registry login"},
		{"a registry file of the repository", repo("", "", "good"), nil, nil, ""},
		{"a registry file with a wrong login", repo("", "", "bad"), nil, ErrAccess, `repository "priv"`},
		{"Helm's registry file", repo("", "", ""), func(o *Options) { o.RegistryConfig = filepath.Join(config, "good") }, nil, ""},
		{"docker's file", repo("", "", ""), func(*Options) {
			writeFolder(t, os.Getenv("DOCKER_CONFIG"), files{"config.json": login("me", "s3cret")})
		}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newTestStore(t, tt.change).Get(t.Context(), spec.Chart{Ref: "priv/web", Repository: tt.repo})
			if tt.kind == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, tt.kind, tt.says)
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
	t.Run("a declared registry serves references to its host", func(t *testing.T) {
		declared := *repo("me", "s3cret", "")
		declared.URL = host(server) + "/elsewhere"
		s := newTestStore(t, func(o *Options) { o.Repositories = []spec.Repository{declared} })
		get(t, s, spec.Chart{Ref: "oci://" + host(server) + "/charts/web"})
	})
}

func TestTLSOfARegistry(t *testing.T) {
	server := serveTLS(t, newOCI(), nil)
	push(t, server, "web", "1.0.0")
	direct := spec.Chart{Ref: "oci://" + host(server) + "/charts/web"}
	_, err := newTestStore(t, nil).Get(t.Context(), direct)
	wantError(t, err, ErrUnreachable, "cannot be reached", host(server))
	direct.InsecureSkipTLSVerify = true
	get(t, newTestStore(t, nil), direct)
	get(t, newTestStore(t, nil), spec.Chart{Ref: "r/web", Repository: &spec.Repository{
		Name: "r", OCI: true, URL: host(server) + "/charts", CAFile: caFile(t, server)}})

	gone := httptest.NewServer(nil)
	gone.Close()
	_, err = newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: "oci://" + host(gone) + "/charts/web", PlainHTTP: true})
	wantError(t, err, ErrUnreachable, "cannot be reached", host(gone))
}

func TestTheCacheSparesPulls(t *testing.T) {
	o := newOCI()
	server := serve(t, o)
	push(t, server, "web", "1.0.0", "1.1.0")
	cache := t.TempDir()
	store := func(f Freshness) *Store {
		return newTestStore(t, func(o *Options) { o.CacheDir, o.Freshness = cache, f })
	}
	at := "oci://" + host(server) + "/charts/web"
	refs := []spec.Chart{{Ref: at, Version: "^1", PlainHTTP: true}, {Ref: at, Version: "1.0.0", PlainHTTP: true}, {Ref: at + "@" + manifestDigest(t, server, "web", "1.0.0"), PlainHTTP: true}}
	_, err := store(Offline).Get(t.Context(), refs[0])
	wantError(t, err, ErrOffline, at)
	var digests []string
	for _, ref := range refs {
		digests = append(digests, get(t, store(Fresh), ref).Digest)
	}
	before := o.requests.Load()
	get(t, store(Fresh), refs[1])
	if n := o.requests.Load() - before; n != 1 {
		t.Errorf("a known chart cost %d requests, want its manifest only", n)
	}
	server.Close()
	for i, ref := range refs {
		if got := get(t, store(Offline), ref).Digest; got != digests[i] {
			t.Errorf("%s %s is another chart offline", ref.Ref, ref.Version)
		}
	}
	get(t, store(Fresh), refs[2])
	if digests[0] == digests[1] || digests[1] != digests[2] {
		t.Errorf("digests: %v", digests)
	}
}

func TestWhatIsNoChartIsNotPulled(t *testing.T) {
	server := serve(t, newOCI())
	push(t, server, "web", "1.0.0")
	blob := func(data string) ocispec.Descriptor {
		at := upload(t, server, data)
		return ocispec.Descriptor{MediaType: "application/octet-stream", Digest: at.Digest, Size: at.Size}
	}
	image := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: blob("{}")}
	image.SchemaVersion = 2
	image.Config.MediaType = ocispec.MediaTypeImageConfig
	put(t, server, "image", ocispec.MediaTypeImageManifest, image)
	empty := image
	empty.Config.MediaType = helmregistry.ConfigMediaType
	put(t, server, "empty", ocispec.MediaTypeImageManifest, empty)
	huge := empty
	huge.Layers = []ocispec.Descriptor{blob("x")}
	huge.Layers[0].MediaType, huge.Layers[0].Size = helmregistry.ChartLayerMediaType, 1<<40
	put(t, server, "huge", ocispec.MediaTypeImageManifest, huge)
	longer := huge
	longer.Layers = []ocispec.Descriptor{blob("more than said")}
	longer.Layers[0].MediaType, longer.Layers[0].Size = helmregistry.ChartLayerMediaType, 4
	put(t, server, "longer", ocispec.MediaTypeImageManifest, longer)

	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{
		described(t, image), manifestOf(t, server, "1.0.0"),
	}}
	index.SchemaVersion = 2
	put(t, server, "mixed", ocispec.MediaTypeImageIndex, index)
	index.Manifests = index.Manifests[:1]
	put(t, server, "images", ocispec.MediaTypeImageIndex, index)

	s := newTestStore(t, nil)
	tests := []struct {
		name, tag string
		kind      error
		says      string
	}{
		{"a container image", "image", ErrInvalid, "is not a chart"},
		{"a manifest without a chart in it", "empty", ErrInvalid, "has no layer"},
		{"a layer beyond all bounds", "huge", ErrInvalid, "larger than"},
		{"a layer longer than its manifest says", "longer", ErrUnreachable, "mismatch Content-Length"},
		{"an index of images", "images", ErrInvalid, "without a chart"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Get(t.Context(), spec.Chart{Ref: "oci://" + host(server) + "/charts/web:" + tt.tag, PlainHTTP: true})
			wantError(t, err, tt.kind, tt.says)
		})
	}
	if c := get(t, s, spec.Chart{Ref: "oci://" + host(server) + "/charts/web:mixed", PlainHTTP: true}); c.Version != "1.0.0" {
		t.Errorf("an index that holds a chart gives %s", c.Version)
	}
}

func TestARegistryThatSendsOtherBytes(t *testing.T) {
	o := newOCI()
	server := serve(t, o)
	push(t, server, "web", "1.0.0")
	real := o.handler
	o.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		real.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		if strings.Contains(r.URL.Path, "/blobs/") {
			body[len(body)/2] ^= 1
		}
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
	})
	_, err := newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: "oci://" + host(server) + "/charts/web", PlainHTTP: true})
	wantError(t, err, ErrChecksum, "other bytes than those of sha256:")
}

func upload(t *testing.T, server *httptest.Server, data string) ocispec.Descriptor {
	t.Helper()
	sum := digestBytes([]byte(data))
	send(t, http.MethodPost, server.URL+"/v2/charts/web/blobs/uploads/?digest="+sum, "application/octet-stream", []byte(data))
	return ocispec.Descriptor{Digest: digest.Digest(sum), Size: int64(len(data))}
}

func put(t *testing.T, server *httptest.Server, tag, mediaType string, manifest any) {
	t.Helper()
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	send(t, http.MethodPut, server.URL+"/v2/charts/web/manifests/"+tag, mediaType, data)
}

func described(t *testing.T, manifest any) ocispec.Descriptor {
	t.Helper()
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.Digest(digestBytes(data)), Size: int64(len(data))}
}

func manifestOf(t *testing.T, server *httptest.Server, tag string) ocispec.Descriptor {
	t.Helper()
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.Digest(manifestDigest(t, server, "web", tag)), Size: 1}
}

func send(t *testing.T, method, url, mediaType string, data []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s %s: %s: %s", method, url, resp.Status, body)
	}
}

func TestARegistryThatHandsOutTokens(t *testing.T) {
	o := newOCI()
	var server *httptest.Server
	tokens := 0
	server = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && user == "me" && password == "s3cret":
			tokens++
			_, _ = w.Write([]byte(`{"token":"t0ken"}`))
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
		case o.user != "" && r.Header.Get("Authorization") != "Bearer t0ken":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+server.URL+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			o.handler.ServeHTTP(w, r)
		}
	}))
	push(t, server, "web", "1.0.0", "1.1.0")
	o.user = "me"
	repo := &spec.Repository{Name: "priv", URL: host(server) + "/charts", OCI: true, PlainHTTP: true, Username: "me", Password: "s3cret"}
	s := newTestStore(t, nil)
	get(t, s, spec.Chart{Ref: "priv/web", Version: "1.0.0", Repository: repo})
	get(t, s, spec.Chart{Ref: "priv/web", Version: "^1", Repository: repo})
	if tokens != 1 {
		t.Errorf("%d tokens were asked for, want 1", tokens)
	}
	refused := *repo
	refused.Password = "wr0ng"
	_, err := newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: "priv/web", Repository: &refused})
	wantError(t, err, ErrAccess, `repository "priv"`, "401", "check its username and password")
}

func TestCheck(t *testing.T) {
	charts := newRepository().add(t, nil, "web", "1.0.0").add(t, nil, "lib", "1.0.0")
	charts.user, charts.password = "me", "pw"
	at := serve(t, charts).URL
	o := newOCI()
	o.user, o.password = "me", "pw"
	registry := host(serve(t, o))
	tests := []struct {
		name   string
		repo   spec.Repository
		charts int
		kind   error
	}{
		{"a repository", spec.Repository{Name: "r", URL: at, Username: "me", Password: "pw"}, 2, nil},
		{"a repository that refuses", spec.Repository{Name: "r", URL: at}, 0, ErrAccess},
		{"a registry", spec.Repository{Name: "o", URL: registry + "/charts", OCI: true, PlainHTTP: true, Username: "me", Password: "pw"}, 0, nil},
		{"a registry that refuses", spec.Repository{Name: "o", URL: registry, OCI: true, PlainHTTP: true}, 0, ErrAccess},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := newTestStore(t, nil).Check(t.Context(), tt.repo)
			if !isKind(err, tt.kind) || n != tt.charts {
				t.Errorf("got %d, %v; want %d, %v", n, err, tt.charts, tt.kind)
			}
		})
	}
}
