package chart

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/flotilla-sh/flotilla/spec"
)

func isKind(err, kind error) bool { return errors.Is(err, kind) }

// paths are the files of a chart, dependencies below charts/.
func paths(c *Chart) []string {
	var out []string
	for _, f := range c.files {
		out = append(out, f.Name)
	}
	return out
}

func TestGetReadsAFolderAsHelmDoes(t *testing.T) {
	dir := writeFolder(t, t.TempDir(), chartFiles("web", "1.2.3", files{
		".helmignore":            "*.bak\nsecret/\n",
		"README.md":              "\xEF\xBB\xBFread me",
		"junk.bak":               "x",
		"secret/key":             "x",
		"templates/.hidden":      "x",
		"crds/thing.yaml":        "kind: CustomResourceDefinition",
		"charts/sub/Chart.yaml":  "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
		"charts/sub/values.yaml": "a: 1\n",
		"values.schema.json":     "{}",
	}))
	c := get(t, newTestStore(t, nil), spec.Chart{Ref: dir})
	got, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	want, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ignored := []cmp.Option{
		cmp.AllowUnexported(chartv2.Chart{}),
		cmpopts.IgnoreFields(common.File{}, "ModTime"),
		cmpopts.IgnoreFields(chartv2.Chart{}, "ModTime", "SchemaModTime", "parent"),
	}
	if diff := cmp.Diff(want, got, ignored...); diff != "" {
		t.Errorf("not what Helm loads (-want +got):\n%s", diff)
	}
	if got.Dependencies()[0].Parent() != got {
		t.Error("the subchart does not know its parent")
	}
	if c.Name != "web" || c.Version != "1.2.3" || c.AppVersion != "9.1" {
		t.Errorf("chart is %s %s (app %s)", c.Name, c.Version, c.AppVersion)
	}
}

func TestLoadGivesChartsThatShareNothingChangeable(t *testing.T) {
	dir := writeFolder(t, t.TempDir(), chartFiles("web", "1.0.0", files{
		"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\nannotations: {a: b}\nmaintainers: [{name: me}]\n" +
			"dependencies:\n- {name: sub, version: 0.1.0, repository: '', tags: [t], import-values: [{child: a, parent: b}]}\n",
		"charts/sub/Chart.yaml":  "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
		"charts/sub/values.yaml": "a: {b: 1}\n",
	}))
	c := get(t, newTestStore(t, nil), spec.Chart{Ref: dir})
	spoiled, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	before := c.Digest
	spoiled.Values["nested"].(map[string]any)["list"].([]any)[0] = "changed"
	spoiled.Metadata.Annotations["a"] = "changed"
	spoiled.Metadata.Maintainers[0].Name = "changed"
	spoiled.Metadata.Dependencies[0].Tags[0] = "changed"
	spoiled.Metadata.Dependencies[0].ImportValues[0].(map[string]any)["child"] = "changed"
	spoiled.Metadata.Dependencies[0].Enabled = true
	spoiled.Templates[0].Name = "changed"
	spoiled.Dependencies()[0].Values["a"].(map[string]any)["b"] = "changed"
	spoiled.Dependencies()[0].Metadata.Name = "changed"
	spoiled.SetDependencies()

	fresh, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	want, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	diff := cmp.Diff(want, fresh, cmp.AllowUnexported(chartv2.Chart{}),
		cmpopts.IgnoreFields(common.File{}, "ModTime"), cmpopts.IgnoreFields(chartv2.Chart{}, "ModTime", "parent"))
	if diff != "" || c.Digest != before {
		t.Errorf("a change reached the next caller (-want +got):\n%s", diff)
	}
}

func TestDigestDependsOnContentOnly(t *testing.T) {
	content := chartFiles("web", "1.0.0", nil)
	one := writeFolder(t, t.TempDir(), content)
	two := writeFolder(t, t.TempDir(), content)
	old := time.Unix(1_000_000, 0)
	if err := os.Chtimes(filepath.Join(two, "values.yaml"), old, old); err != nil {
		t.Fatal(err)
	}
	other := writeFolder(t, t.TempDir(), chartFiles("web", "1.0.0", files{"values.yaml": "replicas: 2\n"}))
	archived := filepath.Join(t.TempDir(), "web-1.0.0.tgz")
	if err := os.WriteFile(archived, packed(t, "web", content), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newTestStore(t, nil)
	digest := get(t, s, spec.Chart{Ref: one}).Digest
	if got := get(t, s, spec.Chart{Ref: two}).Digest; got != digest {
		t.Errorf("another time or place changed the digest: %s, %s", digest, got)
	}
	if got := get(t, s, spec.Chart{Ref: archived}).Digest; got != digest {
		t.Errorf("packing changed the digest: %s, %s", digest, got)
	}
	if got := get(t, s, spec.Chart{Ref: other}).Digest; got == digest {
		t.Error("another values.yaml has the same digest")
	}
	if !strings.HasPrefix(digest, "sha256:") || !validName(digest) {
		t.Errorf("digest is %q", digest)
	}
}

func TestOneFolderIsReadOnceForAllItsReleases(t *testing.T) {
	base := t.TempDir()
	dir := writeFolder(t, filepath.Join(base, "charts", "web"), chartFiles("web", "1.0.0", nil))
	s := newTestStore(t, nil)
	first := get(t, s, spec.Chart{Ref: "./charts/web", Dir: base})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []spec.Chart{{Ref: "./charts/web", Dir: base}, {Ref: dir, Version: "9"}, {Ref: "../charts/web", Dir: filepath.Join(base, "env"), Devel: true}} {
		if again := get(t, s, ref); again != first {
			t.Errorf("%s was read again", ref.Ref)
		}
	}
}

func TestLocalChartsThatCannotBeRead(t *testing.T) {
	base := t.TempDir()
	writeFolder(t, base, files{"plain/readme": "x", "broken/Chart.yaml": "name: [", "text.tgz": "no gzip", "out/secret": "s"})
	writeFolder(t, filepath.Join(base, "linked"), chartFiles("linked", "1.0.0", nil))
	writeFolder(t, filepath.Join(base, "loop"), chartFiles("loop", "1.0.0", nil))
	writeFolder(t, filepath.Join(base, "doublestar"), chartFiles("d", "1.0.0", files{".helmignore": "a/**/b"}))
	for link, target := range map[string]string{"linked/files": "../out", "loop/templates/up": ".."} {
		if err := os.Symlink(target, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	escaping := filepath.Join(base, "escaping.tgz")
	if err := os.WriteFile(escaping, packed(t, "x", files{"../../etc/passwd": "x"}), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		ref  string
		kind error
		says []string
	}{
		{"a folder that is not there", "./nowhere", ErrNotFound, []string{"there is no chart at " + filepath.Join(base, "nowhere")}},
		{"a name without a repository", "nowhere", ErrNotFound, []string{filepath.Join(base, "nowhere")}},
		{"a folder without Chart.yaml", "./plain", ErrNotFound, []string{"has no Chart.yaml"}},
		{"a broken Chart.yaml", "./broken", ErrInvalid, []string{filepath.Join(base, "broken"), "cannot load Chart.yaml"}},
		{"an archive that is none", "./text.tgz", ErrInvalid, []string{"text.tgz is not a packaged chart"}},
		{"an archive with a path that leaves it", "./escaping.tgz", ErrInvalid, []string{"parent directory"}},
		{"a link out of the chart", "./linked", ErrInvalid, []string{"linked/files", "symbolic link"}},
		{"a link that leads back", "./loop", ErrInvalid, []string{"leads back"}},
		{"an ignore file that Helm refuses", "./doublestar", ErrInvalid, []string{".helmignore", "double-star"}},
		{"no name at all", "", ErrNotFound, []string{"no chart is named"}},
		{"a repository that nobody declared", "foo/bar", ErrUnknownRepository, []string{`repository "foo" is not declared in repositories: nor in Helm's`, filepath.Join(base, "foo/bar")}},
	}
	s := newTestStore(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Get(t.Context(), spec.Chart{Ref: tt.ref, Dir: base})
			wantError(t, err, tt.kind, tt.says...)
		})
	}
}

func TestLinksInsideTheChartAndIgnoredOnesAreFine(t *testing.T) {
	base := t.TempDir()
	dir := writeFolder(t, filepath.Join(base, "web"), chartFiles("web", "1.0.0", files{"files/a.txt": "a", ".helmignore": "outside/\n"}))
	writeFolder(t, filepath.Join(base, "elsewhere"), files{"b": "b"})
	for link, target := range map[string]string{"again": "files", "b.txt": "files/a.txt", "outside": "../elsewhere"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	got := paths(get(t, newTestStore(t, nil), spec.Chart{Ref: dir}))
	want := []string{".helmignore", "Chart.yaml", "again/a.txt", "b.txt", "files/a.txt", "templates/_help.tpl", "templates/cm.yaml", "values.yaml"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestALocalChartThatAppearsLaterIsFound(t *testing.T) {
	base := t.TempDir()
	s := newTestStore(t, nil)
	if _, err := s.Get(t.Context(), spec.Chart{Ref: "./web", Dir: base}); !errors.Is(err, ErrNotFound) {
		t.Fatalf("error is %v", err)
	}
	writeFolder(t, filepath.Join(base, "web"), chartFiles("web", "1.0.0", nil))
	get(t, s, spec.Chart{Ref: "./web", Dir: base})
}

func TestOpenAndImport(t *testing.T) {
	cache := t.TempDir()
	store := func() *Store { return newTestStore(t, func(o *Options) { o.CacheDir = cache }) }
	dir := writeFolder(t, t.TempDir(), chartFiles("web", "1.0.0", nil))
	c := get(t, store(), spec.Chart{Ref: dir})

	again, err := store().Open(c.Digest)
	if err != nil || again.Digest != c.Digest || again.Name != "web" {
		t.Fatalf("opening from disk: %v, %v", again, err)
	}
	data, err := c.Archive()
	if err != nil {
		t.Fatal(err)
	}
	other, err := newTestStore(t, nil).Import(data)
	if err != nil || other.Digest != c.Digest {
		t.Fatalf("importing: %v, %v", other, err)
	}

	entry := filepath.Join(cache, "charts", "sha256", strings.TrimPrefix(c.Digest, "sha256:"))
	forged, err := get(t, store(), spec.Chart{Ref: writeFolder(t, t.TempDir(), chartFiles("evil", "1.0.0", nil))}).Archive()
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string][]byte{"cut off": data[:20], "another chart": forged} {
		if err := os.WriteFile(entry, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = store().Open(c.Digest)
		wantError(t, err, ErrNotFound, "damaged")
		if _, err := os.Stat(entry); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the damaged entry is still there", name)
		}
		get(t, store(), spec.Chart{Ref: dir})
		if _, err := store().Open(c.Digest); err != nil {
			t.Errorf("%s: the entry was not replaced: %v", name, err)
		}
	}
	for _, bad := range []string{"", "sha256:abc", "../../etc/passwd", "sha256:" + strings.Repeat("0", 64)} {
		_, err := store().Open(bad)
		wantError(t, err, ErrNotFound, "not in the chart cache")
	}
	if _, err := store().Import([]byte("junk")); !errors.Is(err, ErrInvalid) {
		t.Errorf("importing junk: %v", err)
	}
}

func TestAStoreWithoutCacheDirKeepsNothingOnDisk(t *testing.T) {
	s := newTestStore(t, func(o *Options) { o.CacheDir = "" })
	t.Chdir(t.TempDir())
	c := get(t, s, spec.Chart{Ref: writeFolder(t, t.TempDir(), chartFiles("web", "1.0.0", nil))})
	if again, err := s.Open(c.Digest); err != nil || again != c {
		t.Errorf("Open in the same store: %v, %v", again, err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("files were written: %v, %v", left, err)
	}
}

type fetcherFunc func(ctx context.Context, url string) (string, error)

func (f fetcherFunc) Fetch(ctx context.Context, url string) (string, error) { return f(ctx, url) }

func TestGetterURLsGoToTheFetcher(t *testing.T) {
	dir := writeFolder(t, t.TempDir(), chartFiles("web", "1.0.0", nil))
	var asked []string
	s := newTestStore(t, func(o *Options) {
		o.Fetch = fetcherFunc(func(_ context.Context, url string) (string, error) {
			asked = append(asked, url)
			if strings.Contains(url, "broken") {
				return "", errors.New("no such ref")
			}
			return dir, nil
		})
	})
	urls := []string{
		"git::https://token:secret@git.example.com/o/r.git@charts/web?ref=v1",
		"https://git.example.com/o/r.git@charts/web?ref=v1",
		"s3::https://bucket.example.com/charts/web",
		"git::ssh://git@git.example.com/o/r.git@web",
	}
	for _, url := range urls {
		if c := get(t, s, spec.Chart{Ref: url}); c.Name != "web" || strings.Contains(c.Origin, "secret") {
			t.Errorf("%s gives %s from %s", url, c.Name, c.Origin)
		}
	}
	if diff := cmp.Diff(urls, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	_, err := s.Get(t.Context(), spec.Chart{Ref: "git::https://me:secret@git.example.com/broken.git@x"})
	wantError(t, err, nil, "no such ref", "git.example.com/broken.git")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows a password: %v", err)
	}
	_, err = newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: "git::https://git.example.com/r.git"})
	wantError(t, err, ErrNotFound, "not fetched here")
}

func TestManyReleasesAtOnce(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0").add(t, nil, "web", "1.0.0", "1.1.0")
	server := serve(t, r)
	dir := t.TempDir()
	for i := range 4 {
		writeFolder(t, filepath.Join(dir, fmt.Sprint("app", i)), chartFiles("app", "1.0.0",
			depending("app", "1.0.0", "- {name: lib, version: ^1, repository: '"+server.URL+"'}\n")))
	}
	repo := &spec.Repository{Name: "r", URL: server.URL}
	s := newTestStore(t, nil)
	var all sync.WaitGroup
	var failed atomic.Int32
	for i := range 16 {
		all.Go(func() {
			for _, ref := range []spec.Chart{{Ref: "r/web", Version: "~1.0", Repository: repo}, {Ref: fmt.Sprint("./app", i%4), Dir: dir}, {Ref: "r/web", Repository: repo}} {
				c, err := s.Get(t.Context(), ref)
				if err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				mine, err := c.Load()
				if err != nil || mine.Metadata.Name == "" {
					failed.Add(1)
					return
				}
				mine.Values["replicas"] = i
			}
		})
	}
	all.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of 16 failed", failed.Load())
	}
	for _, path := range []string{"/index.yaml", "/web-1.0.0.tgz", "/web-1.1.0.tgz", "/lib-1.0.0.tgz"} {
		if n := r.times(path); n != 1 {
			t.Errorf("%s was downloaded %d times", path, n)
		}
	}
}

func TestACancelledCallerDoesNotFailTheOthers(t *testing.T) {
	r := newRepository().add(t, nil, "web", "1.0.0")
	entered, leave := make(chan struct{}, 4), make(chan struct{})
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		entered <- struct{}{}
		select {
		case <-leave:
		case <-req.Context().Done():
			return
		}
		r.ServeHTTP(w, req)
	}))
	s := newTestStore(t, nil)
	ref := spec.Chart{Ref: "r/web", Repository: &spec.Repository{Name: "r", URL: server.URL}}
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := s.Get(ctx, ref); first <- err }()
	<-entered
	go func() { _, err := s.Get(t.Context(), ref); second <- err }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled caller got %v", err)
	}
	close(leave)
	if err := <-second; err != nil {
		t.Errorf("the other caller got %v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	for name, text := range chartFiles("web", "1.0.0", nil) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	c, err := NewStore(Options{}).Get(b.Context(), spec.Chart{Ref: dir})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.Load(); err != nil {
			b.Fatal(err)
		}
	}
}
