package chart

import (
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/downloader"
	"helm.sh/helm/v4/pkg/getter"
	helmregistry "helm.sh/helm/v4/pkg/registry"

	"github.com/flotilla-sh/flotilla/spec"
)

// contents reads all files below a folder; the time in a lock is left out.
func contents(t *testing.T, dir string) files {
	t.Helper()
	out := files{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = regexp.MustCompile(`generated: .*`).ReplaceAllString(string(data), "generated: X")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// helmUpdate is helm dependency update of Helm itself.
func helmUpdate(t *testing.T, dir string) error {
	t.Helper()
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	manager := downloader.Manager{
		Out: io.Discard, ChartPath: dir, RegistryClient: client,
		RepositoryConfig: filepath.Join(scratch, "repositories.yaml"), RepositoryCache: filepath.Join(scratch, "index"),
		ContentCache: filepath.Join(scratch, "content"),
		Getters:      getter.Getters(getter.WithPlainHTTP(true), getter.WithRegistryClient(client)),
	}
	return manager.Update()
}

func ourUpdate(t *testing.T, s *Store, ref spec.Chart) (Written, error) {
	t.Helper()
	u, err := s.Update(t.Context(), ref)
	if err != nil || u == nil {
		return Written{}, err
	}
	return u.Write(t.Context(), time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
}

// TestUpdateLeavesWhatHelmLeaves compares the bytes of every file with those
// that Helm's own update leaves in a copy of the folder.
func TestUpdateLeavesWhatHelmLeaves(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0", "1.1.0", "2.0.0-rc.1").add(t, nil, "plus", "1.0.0+b7")
	odd := packed(t, "odd", chartFiles("odd", "3.0.0", nil))
	r.files["/elsewhere/odd_3.tgz"] = odd
	r.index.WriteString("  odd:\n")
	r.entry("odd", "3.0.0", "elsewhere/odd_3.tgz", digestBytes(odd))
	url := serve(t, r).URL
	registry := serve(t, newOCI())
	push(t, registry, "queue", "3.0.0", "3.1.0", "4.0.0-rc.1")
	oci := "oci://" + host(registry) + "/charts"
	lib := func(version, more string) string {
		return "- {name: lib, version: '" + version + "', repository: '" + url + "'" + more + "}\n"
	}
	old := string(packed(t, "lib", chartFiles("lib", "0.9.0", nil)))
	other := string(packed(t, "other", chartFiles("other", "0.9.0", nil)))
	local := files{"charts/local/Chart.yaml": "apiVersion: v2\nname: local\nversion: 0.3.0\n"}
	tests := []struct {
		name string
		deps string // none: Chart.yaml of more
		more files
	}{
		{name: "a range of a chart repository", deps: lib("^1", "")},
		{name: "a range that admits pre-releases", deps: lib(">=1-0", "")},
		{name: "one version", deps: lib("1.0.0", "")},
		{name: "a version with a v", deps: lib("v1.0.0", "")},
		{name: "twice the same chart", deps: lib("^1", ", alias: x, tags: [a], import-values: [data], condition: x.on") + lib("~1.0", ", alias: y")},
		{name: "a slash at the end of the URL", deps: "- {name: lib, version: '*', repository: '" + url + "/'}\n"},
		{name: "an archive with a name of its own", deps: "- {name: odd, version: '*', repository: '" + url + "'}\n"},
		{name: "a version with build metadata", deps: "- {name: plus, version: '*', repository: '" + url + "'}\n"},
		{name: "a version of a registry", deps: "- {name: queue, version: 3.0.0, repository: '" + oci + "'}\n"},
		{name: "a range of a registry", deps: "- {name: queue, version: '>=3', repository: '" + oci + "'}\n"},
		{name: "a folder", deps: "- {name: common, version: '>=0.1', repository: 'file://../common'}\n"},
		{name: "a folder in charts", deps: "- {name: local, version: '>=0.1', repository: ''}\n", more: local},
		{name: "outdated archives go, other files stay", deps: lib("^1", ""), more: files{
			"charts/lib-0.9.0.tgz": old, "charts/other.tgz": other, "charts/.hidden.tgz": other, "charts/_note.txt": "x", "charts/lib-0.9.0.tgz.prov": "x"}},
		{name: "an archive of what lies there unpacked stays", deps: "- {name: local, version: '*', repository: ''}\n", more: files{
			"charts/local/Chart.yaml": local["charts/local/Chart.yaml"], "charts/local-9.tgz": string(packed(t, "local", chartFiles("local", "9.0.0", nil)))}},
		{name: "a folder in charts of the same name stays", deps: lib("^1", ""), more: files{"charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 0.1.0\n"}},
		{name: "a lock that is outdated", deps: lib("^1", ""), more: files{"Chart.lock": "digest: sha256:x\ngenerated: 2020-01-01T00:00:00Z\ndependencies:\n- {name: lib, version: 0.9.0}\n"}},
		{name: "no dependencies", more: files{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n", "charts/lib-0.9.0.tgz": old, "Chart.lock": "digest: x\n"}},
		{name: "an empty list of dependencies", more: files{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: []\n", "charts/lib-0.9.0.tgz": old}},
		{name: "a chart of API version v1", more: files{"Chart.yaml": "apiVersion: v1\nname: app\nversion: 1.0.0\n", "requirements.yaml": "dependencies:\n" + lib("^1", "")}},
		{name: "nothing of that version", deps: lib("^9", "")},
		{name: "no version is said", deps: "- {name: lib, repository: '" + url + "'}\n"},
		{name: "no repository and nothing there", deps: "- {name: local, version: '*', repository: ''}\n"},
		{name: "no repository and another version there", deps: "- {name: local, version: '^9', repository: ''}\n", more: local},
		{name: "a folder that is nowhere", deps: "- {name: common, version: '*', repository: 'file://../nowhere'}\n"},
		{name: "a folder of another version", deps: "- {name: common, version: '^9', repository: 'file://../common'}\n"},
		{name: "a repository that nobody declared", deps: "- {name: lib, version: '*', repository: '@mine'}\n"},
		{name: "one of two cannot be had", deps: lib("^1", "") + "- {name: none, version: '*', repository: '" + url + "'}\n", more: files{"charts/other.tgz": other}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			common := writeFolder(t, filepath.Join(base, "common"), chartFiles("common", "0.2.0", files{
				"charts/deep-1.0.0.tgz": string(packed(t, "deep", chartFiles("deep", "1.0.0", nil))), ".helmignore": "*.bak\n", "x.bak": "x", "README.md": "x"}))
			past := time.Now().Add(-time.Hour)
			for _, path := range tree(t, common) {
				if err := os.Chtimes(path, past, past); err != nil {
					t.Fatal(err)
				}
			}
			content := chartFiles("app", "1.0.0", depending("app", "1.0.0", tt.deps))
			maps.Copy(content, tt.more)
			ours := writeFolder(t, filepath.Join(base, "ours"), content)
			theirs := writeFolder(t, filepath.Join(base, "theirs"), content)
			wantErr := helmUpdate(t, theirs)
			_, err := ourUpdate(t, newTestStore(t, nil), spec.Chart{Ref: ours, PlainHTTP: true, SkipDeps: true})
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("error %v, Helm's is %v", err, wantErr)
			}
			want := contents(t, theirs)
			if err != nil {
				want = content // Helm may leave half of it
			}
			if diff := cmp.Diff(want, contents(t, ours)); diff != "" {
				t.Errorf("the folder differs (-Helm +ours):\n%s", diff)
			}
		})
	}
}

func TestUpdateWritesOnlyWhatChanges(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0", "1.1.0")
	url := serve(t, r).URL
	base := t.TempDir()
	writeFolder(t, filepath.Join(base, "common"), chartFiles("common", "0.2.0", nil))
	dir := writeFolder(t, filepath.Join(base, "app"), chartFiles("app", "1.0.0", depending("app", "1.0.0",
		"- {name: lib, version: ^1, repository: '@mine'}\n- {name: common, version: '*', repository: 'file://../common'}\n")))
	writeFolder(t, dir, files{"charts/gone.tgz": string(packed(t, "gone", chartFiles("gone", "1.0.0", nil)))})
	store := func() *Store {
		return newTestStore(t, func(o *Options) { o.Repositories = []spec.Repository{{Name: "mine", URL: url}} })
	}
	in := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	steps := []struct {
		name   string
		change func()
		want   Written
	}{
		{name: "first", change: func() {}, want: Written{
			Files:   []string{in("Chart.lock"), in("charts/common-0.2.0.tgz"), in("charts/lib-1.1.0.tgz")},
			Removed: []string{in("charts/gone.tgz")}}},
		{name: "again", change: func() {}},
		{name: "the folder's files change", want: Written{Files: []string{in("charts/common-0.2.0.tgz")}}, change: func() {
			writeFolder(t, filepath.Join(base, "common"), files{"values.yaml": "replicas: 2\n"})
		}},
		{name: "the folder's version changes", want: Written{
			Files:   []string{in("Chart.lock"), in("charts/common-0.3.0.tgz")},
			Removed: []string{in("charts/common-0.2.0.tgz")},
		}, change: func() { writeFolder(t, filepath.Join(base, "common"), chartFiles("common", "0.3.0", nil)) }},
		{name: "an archive is damaged", want: Written{Files: []string{in("charts/lib-1.1.0.tgz")}}, change: func() {
			writeFolder(t, dir, files{"charts/lib-1.1.0.tgz": "x"})
		}},
	}
	for _, step := range steps {
		step.change()
		got, err := ourUpdate(t, store(), spec.Chart{Ref: dir})
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	if diff := cmp.Diff([]string{"common 0.3.0", "lib 1.1.0"}, subcharts(t, get(t, store(), spec.Chart{Ref: dir}))); diff != "" {
		t.Errorf("subcharts (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(in("Chart.lock"))
	if err != nil || !strings.Contains(string(text), `generated: "2026-01-02T03:04:05.000000006Z"`) {
		t.Errorf("the lock has not the time it was given (%v):\n%s", err, text)
	}
}

func TestUpdateOfWhatIsNoChartFolderIsNothing(t *testing.T) {
	base := t.TempDir()
	writeFolder(t, filepath.Join(base, "manifests"), files{"a.yaml": "a: 1\n"})
	if err := os.WriteFile(filepath.Join(base, "app.tgz"), packed(t, "app", chartFiles("app", "1.0.0", nil)), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newTestStore(t, nil)
	for _, ref := range []string{"./manifests", "./app.tgz", "./nowhere", "oci://example.invalid/app", "https://example.invalid/app.tgz", "git::https://example.invalid/x.git//app"} {
		if u, err := s.Update(t.Context(), spec.Chart{Ref: ref, Dir: base}); u != nil || err != nil {
			t.Errorf("Update(%s) = %v, %v; want nothing", ref, u, err)
		}
	}
}

func TestOneFolderIsUpdatedOnce(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0")
	dir := writeFolder(t, filepath.Join(t.TempDir(), "app"), chartFiles("app", "1.0.0", depending("app", "1.0.0",
		"- {name: lib, version: ^1, repository: '"+serve(t, r).URL+"'}\n")))
	s := newTestStore(t, nil)
	a, errA := s.Update(t.Context(), spec.Chart{Ref: dir})
	b, errB := s.Update(t.Context(), spec.Chart{Ref: "./app", Dir: filepath.Dir(dir), SkipDeps: true})
	if a == nil || a != b || errA != nil || errB != nil {
		t.Errorf("two updates of one folder: %p %v, %p %v", a, errA, b, errB)
	}
}

// TestUpdateStaysInTheChart has a server and a folder that want files written
// or read elsewhere.
func TestUpdateStaysInTheChart(t *testing.T) {
	evil := packed(t, "lib", chartFiles("lib", "1.0.0", nil))
	for _, path := range []string{"x/..", "..%2f..%2fescaped.tgz", ".hidden.tgz", "download"} {
		t.Run("an archive at "+path, func(t *testing.T) {
			index := "apiVersion: v1\nentries:\n  lib:\n  - {name: lib, version: 1.0.0, urls: ['" + path + "']}\n"
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/index.yaml" {
					_, _ = io.WriteString(w, index)
					return
				}
				_, _ = w.Write(evil)
			})).URL
			base := t.TempDir()
			dir := writeFolder(t, filepath.Join(base, "app"), depending("app", "1.0.0", "- {name: lib, version: '*', repository: '"+url+"'}\n"))
			if _, err := ourUpdate(t, newTestStore(t, nil), spec.Chart{Ref: dir}); err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(maps.Keys(contents(t, base)))
			if !slices.Contains(got, "app/charts/lib-1.0.0.tgz") && !slices.Contains(got, "app/charts/escaped.tgz") || len(got) != 3 {
				t.Errorf("files %q", got)
			}
		})
	}
	links := []struct{ name, link, to string }{
		{"charts/ leads out of the chart", "charts", "../outside"},
		{"the lock is a link", "Chart.lock", "values.yaml"},
	}
	for _, tt := range links {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			writeFolder(t, filepath.Join(base, "common"), chartFiles("common", "0.2.0", nil))
			writeFolder(t, filepath.Join(base, "outside"), files{"common-0.1.0.tgz": "x"})
			dir := writeFolder(t, filepath.Join(base, "app"), chartFiles("app", "1.0.0", depending("app", "1.0.0", "- {name: common, version: '*', repository: 'file://../common'}\n")))
			if err := os.Symlink(tt.to, filepath.Join(dir, tt.link)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, base)
			if _, err := ourUpdate(t, newTestStore(t, nil), spec.Chart{Ref: dir}); err == nil {
				t.Error("no error")
			}
			if diff := cmp.Diff(before, tree(t, base)); diff != "" {
				t.Errorf("files changed (-before +after):\n%s", diff)
			}
		})
	}
}
