package chart

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestVersionsOfARepository(t *testing.T) {
	r := newRepository().
		add(t, nil, "web", "1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "v0.9.0").
		add(t, nil, "beta", "0.1.0-a").
		add(t, nil, "redis", "1.0.0")
	server := serve(t, r)
	s := newTestStore(t, nil)
	tests := []struct {
		name  string
		chart string
		want  string
		devel bool
		get   string
		kind  error
		says  []string
	}{
		{name: "empty is the newest stable one", chart: "web", get: "1.10.0"},
		{name: "devel admits pre-releases", chart: "web", devel: true, get: "2.0.0-rc.1"},
		{name: "an exact version", chart: "web", want: "1.2.0", get: "1.2.0"},
		{name: "an exact pre-release", chart: "web", want: "2.0.0-rc.1", get: "2.0.0-rc.1"},
		{name: "a caret range", chart: "web", want: "^1.0.0", get: "1.10.0"},
		{name: "a tilde range", chart: "web", want: "~1.2", get: "1.2.0"},
		{name: "a range in words of comparison", chart: "web", want: ">=1.0.0, <1.5.0", get: "1.2.0"},
		{name: "a version whose tag has a v", chart: "web", want: "0.9.0", get: "v0.9.0"},
		{name: "a version that is not there", chart: "web", want: "1.3.0", kind: ErrNotFound, says: []string{`no version "1.3.0"`, "1.10.0", "1.2.0", "1.0.0"}},
		{name: "only pre-releases", chart: "beta", kind: ErrNotFound, says: []string{"pre-releases only", "devel: true", "0.1.0-a"}},
		{name: "no version at all", chart: "web", want: "banana", kind: ErrNotFound, says: []string{`"banana" is neither a version nor a range`}},
		{name: "a slip in the name", chart: "rediz", kind: ErrNotFound, says: []string{`no chart "rediz"`, "did you mean redis?"}},
		{name: "a name like no other", chart: "zzzzzzzz", kind: ErrNotFound, says: []string{`no chart "zzzzzzzz"`, "3 others"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := s.Get(t.Context(), spec.Chart{Ref: "r/" + tt.chart, Version: tt.want, Devel: tt.devel, Repository: &spec.Repository{Name: "r", URL: server.URL}})
			if tt.kind != nil {
				wantError(t, err, tt.kind, append(tt.says, server.URL)...)
				return
			}
			if err != nil || c.Version != tt.get {
				t.Errorf("got %v, %v; want %s", c, err, tt.get)
			}
		})
	}
	if n := r.times("/index.yaml"); n != 1 {
		t.Errorf("the index was downloaded %d times", n)
	}
}

func TestARepositoryThatHelmKnows(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0")
	r.user, r.password = "me", "pw"
	server := serve(t, r)
	config := filepath.Join(t.TempDir(), "repositories.yaml")
	text := "apiVersion: v1\nrepositories:\n- {name: known, url: '" + server.URL + "', username: me, password: pw}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newTestStore(t, func(o *Options) { o.RepositoryConfig = config })
	if c := get(t, s, spec.Chart{Ref: "known/web"}); c.Version != "1.0.0" {
		t.Errorf("version is %s", c.Version)
	}
	get(t, s, spec.Chart{Ref: server.URL + "/web-1.0.0.tgz"}) // its credentials serve URLs below it

	t.Setenv("HELM_REPOSITORY_CONFIG", config)
	get(t, NewStore(Options{}), spec.Chart{Ref: "known/web"})
}

func TestALocalChartWinsOverARepositoryOfItsName(t *testing.T) {
	r := newRepository().add(t, nil, "web", "2.0.0")
	repo := &spec.Repository{Name: "charts", URL: serve(t, r).URL}
	base := t.TempDir()
	writeFolder(t, base, files{"charts/other/readme": "no chart"})
	s := newTestStore(t, nil)
	if c := get(t, s, spec.Chart{Ref: "charts/web", Dir: base, Repository: repo}); c.Version != "2.0.0" {
		t.Errorf("got %s before there is a folder", c.Version)
	}
	writeFolder(t, filepath.Join(base, "charts/web"), chartFiles("web", "1.0.0", nil))
	if c := get(t, s, spec.Chart{Ref: "charts/web", Dir: base, Repository: repo}); c.Version != "1.0.0" {
		t.Errorf("got %s, want the folder's 1.0.0", c.Version)
	}
}

func TestCredentialsOfARepository(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0")
	elsewhere := newRepository().add(t, nil, "far", "1.0.0")
	far := serve(t, elsewhere)
	r.index.WriteString("  far:\n")
	r.entry("far", "1.0.0", far.URL+"/far-1.0.0.tgz", digestBytes(elsewhere.files["/far-1.0.0.tgz"]))
	r.user, r.password = "me", "s3cret"
	server := serve(t, r)
	repo := func(user, password string) *spec.Repository {
		return &spec.Repository{Name: "priv", URL: server.URL, Username: user, Password: password}
	}
	open := repo("me", "s3cret")
	passing := repo("me", "s3cret")
	passing.PassCredentials = true
	inURL := &spec.Repository{Name: "priv", URL: strings.Replace(server.URL, "://", "://me:s3cret@", 1)}
	tests := []struct {
		name  string
		chart string
		repo  *spec.Repository
		kind  error
		says  []string
	}{
		{"the right ones", "priv/web", open, nil, nil},
		{"in the URL", "priv/web", inURL, nil, nil},
		{"none", "priv/web", repo("", ""), ErrAccess, []string{`repository "priv"`, "401", "username and password", "helm registry login"}},
		{"wrong ones", "priv/web", repo("me", "wr0ng"), ErrAccess, []string{`repository "priv"`, "401", "check its username and password"}},
		{"kept from another host", "priv/far", open, nil, nil},
		{"passed on to another host, which refuses them", "priv/far", passing, ErrAccess, []string{"401"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: tt.chart, Repository: tt.repo})
			if tt.kind == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, tt.kind, tt.says...)
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestTLSOfARepository(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0")
	server := serveTLS(t, r, nil)
	cert, key, pool := clientCertificate(t)
	mutual := serveTLS(t, r, pool)
	tests := []struct {
		name string
		repo spec.Repository
		skip bool
		kind error
	}{
		{"an unknown authority", spec.Repository{URL: server.URL}, false, ErrUnreachable},
		{"its CA file", spec.Repository{URL: server.URL, CAFile: caFile(t, server)}, false, nil},
		{"verification skipped by the repository", spec.Repository{URL: server.URL, SkipTLSVerify: true}, false, nil},
		{"verification skipped by the release", spec.Repository{URL: server.URL}, true, nil},
		{"a client certificate", spec.Repository{URL: mutual.URL, CAFile: caFile(t, mutual), CertFile: cert, KeyFile: key}, false, nil},
		{"a client certificate that is missing", spec.Repository{URL: mutual.URL, CAFile: caFile(t, mutual)}, false, ErrUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.repo.Name = "r"
			_, err := newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: "r/web", Repository: &tt.repo, InsecureSkipTLSVerify: tt.skip})
			if tt.kind == nil && err != nil {
				t.Error(err)
			}
			if tt.kind != nil {
				wantError(t, err, tt.kind, "cannot be reached")
			}
		})
	}
}

func clientCertificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return writePEM(t, "c.pem", "CERTIFICATE", der), writePEM(t, "k.pem", "EC PRIVATE KEY", keyDER), pool
}

func TestRepositoriesThatDoNotAnswerAsSuch(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	answering := func(status int, body string) string {
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})).URL
	}
	tests := []struct {
		name string
		url  string
		kind error
		says []string
	}{
		{"nobody listens", gone.URL, ErrUnreachable, []string{`repository "r"`, gone.URL, "cannot be reached", "refused"}},
		{"no index", answering(404, ""), ErrUnreachable, []string{"is not a chart repository", "404", "index.yaml"}},
		{"a page instead of an index", answering(200, "<html>\t{{"), ErrUnreachable, []string{"index.yaml cannot be read"}},
		{"YAML that is no index", answering(200, "a: b"), ErrUnreachable, []string{"has no apiVersion"}},
		{"forbidden", answering(403, ""), ErrAccess, []string{"403 Forbidden"}},
		{"a scheme that is not spoken", "ftp://host/charts", ErrUnreachable, []string{`scheme "ftp" is not supported`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: "r/web", Repository: &spec.Repository{Name: "r", URL: tt.url}})
			wantError(t, err, tt.kind, tt.says...)
		})
	}
}

func TestAServerThatStumblesIsAskedAgain(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0")
	stumbled := false
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !stumbled {
			stumbled = true
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		r.ServeHTTP(w, req)
	}))
	get(t, newTestStore(t, nil), spec.Chart{Ref: "r/web", Repository: &spec.Repository{Name: "r", URL: server.URL}})
}

func TestChecksumsOfARepository(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0", "1.1.0")
	good := digestBytes(r.files["/web-1.0.0.tgz"])
	r.files["/web-1.1.0.tgz"] = r.files["/web-1.0.0.tgz"]
	repo := &spec.Repository{Name: "r", URL: serve(t, r).URL}
	s := newTestStore(t, nil)
	_, err := s.Get(t.Context(), spec.Chart{Ref: "r/web", Version: "1.1.0", Repository: repo})
	wantError(t, err, ErrChecksum, "web-1.1.0.tgz", good, "is expected")

	get(t, s, spec.Chart{Ref: "r/web", Version: "1.0.0@" + good, Repository: repo})
	other := "sha256:" + strings.Repeat("0", 64)
	_, err = s.Get(t.Context(), spec.Chart{Ref: "r/web", Version: "1.0.0@" + other, Repository: repo})
	wantError(t, err, ErrChecksum, good, other)
	_, err = s.Get(t.Context(), spec.Chart{Ref: "r/web", Version: "1.0.0@sha256:12", Repository: repo})
	wantError(t, err, ErrNotFound, "is not a digest")
	_, err = s.Get(t.Context(), spec.Chart{Ref: repo.URL + "/web-1.0.0.tgz", Version: "@" + other})
	wantError(t, err, ErrChecksum, other)
}

func TestTheCacheSparesDownloads(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0")
	server := serve(t, r)
	ref := spec.Chart{Ref: "r/web", Version: "1.0.0", Repository: &spec.Repository{Name: "r", URL: server.URL}}
	direct := spec.Chart{Ref: server.URL + "/web-1.0.0.tgz?token=abc"}
	cache := t.TempDir()
	store := func(f Freshness) *Store {
		return newTestStore(t, func(o *Options) { o.CacheDir, o.Freshness = cache, f })
	}
	_, err := store(Offline).Get(t.Context(), ref)
	wantError(t, err, ErrOffline, `the index of repository "r"`)
	_, err = store(Offline).Get(t.Context(), direct)
	wantError(t, err, ErrOffline, "web-1.0.0.tgz?token=***")

	first := get(t, store(Fresh), ref)
	get(t, store(Fresh), direct)
	again := get(t, store(Fresh), ref)
	if again.Digest != first.Digest || r.times("not modified") != 1 || r.times("/web-1.0.0.tgz") != 2 {
		t.Errorf("asked: %v", r.asked)
	}
	digest := digestBytes(r.files["/web-1.0.0.tgz"])
	entry := filepath.Join(cache, "archives", "sha256", strings.TrimPrefix(digest, "sha256:"))
	if err := os.WriteFile(entry, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := get(t, store(Fresh), ref); c.Digest != first.Digest || r.times("/web-1.0.0.tgz") != 3 {
		t.Errorf("a damaged archive was not replaced: %v", r.asked)
	}
	server.Close()
	for _, f := range []Freshness{Cached, Offline} {
		for _, ref := range []spec.Chart{ref, direct, {Ref: "r/web", Repository: ref.Repository}} {
			if c := get(t, store(f), ref); c.Digest != first.Digest {
				t.Errorf("%s: %s is another chart", f, ref.Ref)
			}
		}
	}
	pinned := ref
	pinned.Version = "1.0.0@" + digest
	if c := get(t, store(Fresh), pinned); c.Digest != first.Digest {
		t.Error("a chart whose digest is known was not taken from the cache")
	}
}

func TestWrapTransportSeesEveryRequest(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0")
	var seen []string
	s := newTestStore(t, func(o *Options) {
		o.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return tripFunc(func(req *http.Request) (*http.Response, error) {
				seen = append(seen, req.URL.Path)
				return next.RoundTrip(req)
			})
		}
	})
	get(t, s, spec.Chart{Ref: "r/web", Repository: &spec.Repository{Name: "r", URL: serve(t, r).URL + "/"}})
	if got := strings.Join(seen, " "); got != "/index.yaml /web-1.0.0.tgz" {
		t.Errorf("seen: %s", got)
	}
}

type tripFunc func(*http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRedact(t *testing.T) {
	tests := map[string]string{
		"https://host/charts":                       "https://host/charts",
		"https://me:pw@host/charts":                 "https://***@host/charts",
		"https://ghp_token@host/charts":             "https://***@host/charts",
		"https://me:p@w@host/charts":                "https://***@host/charts",
		"git::ssh://git@host/r.git@path?ref=v1":     "git::ssh://***@host/r.git@path?ref=***",
		"https://host/r.git@path?sshkey=abc&ref=v1": "https://host/r.git@path?sshkey=***&ref=***",
		"https://host/a@b":                          "https://host/a@b",
	}
	for in, want := range tests {
		if got := redact(in); got != want {
			t.Errorf("redact(%s) = %s, want %s", in, got, want)
		}
	}
}
