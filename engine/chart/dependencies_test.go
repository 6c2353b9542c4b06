package chart

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/downloader"
	"helm.sh/helm/v4/pkg/getter"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/spec"
)

// subcharts lists name-version of all dependencies, nested ones indented by
// their parents' names.
func subcharts(t *testing.T, c *Chart) []string {
	t.Helper()
	loaded, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(string, *chartv2.Chart)
	walk = func(above string, c *chartv2.Chart) {
		for _, d := range c.Dependencies() {
			out = append(out, above+d.Name()+" "+d.Metadata.Version)
			walk(above+d.Name()+"/", d)
		}
	}
	walk("", loaded)
	return out
}

// tree lists all files below a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		out = append(out, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// locked makes a lock file as helm dependency update writes it.
func locked(t *testing.T, chartYAML string, pins ...chartv2.Dependency) string {
	t.Helper()
	var head chartv2.Metadata
	if err := yaml.Unmarshal([]byte(chartYAML), &head); err != nil {
		t.Fatal(err)
	}
	lock := chartv2.Lock{}
	for i := range pins {
		lock.Dependencies = append(lock.Dependencies, &pins[i])
	}
	both, err := json.Marshal([2][]*chartv2.Dependency{head.Dependencies, lock.Dependencies})
	if err != nil {
		t.Fatal(err)
	}
	lock.Digest = digestBytes(both)
	out, err := yaml.Marshal(lock)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestDependenciesAreBuiltInWithoutTouchingTheFolder(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0", "1.1.0", "2.0.0").add(t, nil, "web", "0.1.0")
	server := serve(t, r)
	registry := serve(t, newOCI())
	push(t, registry, "queue", "3.0.0", "3.1.0")
	base := t.TempDir()
	writeFolder(t, filepath.Join(base, "common"), chartFiles("common", "0.5.0", files{
		"Chart.yaml": depending("common", "0.5.0", "- {name: deep, version: '*', repository: 'file://../deep'}\n- {name: lib, version: ^2, repository: '"+server.URL+"'}\n")["Chart.yaml"]}))
	writeFolder(t, filepath.Join(base, "deep"), chartFiles("deep", "0.0.1", nil))
	dir := writeFolder(t, filepath.Join(base, "app"), chartFiles("app", "1.0.0", depending("app", "1.0.0",
		"- {name: lib, version: ^1.0.0, repository: '"+server.URL+"/'}\n"+
			"- {name: lib, alias: lib2, version: ^2, repository: '@mine'}\n"+
			"- {name: web, version: 0.1.0, repository: 'alias:mine', condition: web.enabled}\n"+
			"- {name: common, version: '>=0.1', repository: 'file://../common'}\n"+
			"- {name: queue, version: ~3.0, repository: 'oci://"+host(registry)+"/charts'}\n"+
			"- {name: vendored, version: 1.x, repository: '"+server.URL+"'}\n"+
			"- {name: local, version: 1.0.0, repository: ''}\n")))
	writeFolder(t, dir, files{
		"charts/local/Chart.yaml":   "apiVersion: v2\nname: local\nversion: 1.0.0\n",
		"charts/vendored-1.2.0.tgz": string(packed(t, "vendored", chartFiles("vendored", "1.2.0", nil))),
	})
	before := tree(t, base)
	s := newTestStore(t, func(o *Options) {
		o.Repositories = []spec.Repository{{Name: "mine", URL: server.URL}}
	})
	c := get(t, s, spec.Chart{Ref: dir, PlainHTTP: true})
	want := []string{
		"common 0.5.0", "common/deep 0.0.1", "common/lib 2.0.0",
		"lib 1.1.0", "lib 2.0.0", "local 1.0.0", "queue 3.0.0", "vendored 1.2.0", "web 0.1.0",
	}
	if diff := cmp.Diff(want, subcharts(t, c)); diff != "" {
		t.Errorf("subcharts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, tree(t, base)); diff != "" {
		t.Errorf("the folder was changed (-before +after):\n%s", diff)
	}
	if n := r.times("/index.yaml"); n != 1 {
		t.Errorf("the index was downloaded %d times", n)
	}
	if n := r.times("/lib-2.0.0.tgz"); n != 1 {
		t.Errorf("a dependency of two charts was downloaded %d times", n)
	}
	if again := get(t, newTestStore(t, func(o *Options) {
		o.Repositories = []spec.Repository{{Name: "mine", URL: server.URL}}
	}), spec.Chart{Ref: dir, PlainHTTP: true}); again.Digest != c.Digest {
		t.Error("building again gives another digest")
	}
}

func TestVendoredDependencies(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0", "2.0.0")
	url := serve(t, r).URL
	need := func(version, repository string) string {
		return "- {name: lib, version: '" + version + "', repository: '" + repository + "'}\n"
	}
	old := string(packed(t, "lib", chartFiles("lib", "1.0.0", nil)))
	folder := files{"charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\n"}
	tests := []struct {
		name string
		deps string
		more files
		skip bool
		want []string
		kind error
		says []string
	}{
		{name: "an archive of the wrong version is replaced", deps: need("^2", url), more: files{"charts/lib-1.0.0.tgz": old}, want: []string{"lib 2.0.0"}},
		{name: "a folder of the wrong version is replaced", deps: need("^2", url), more: folder, want: []string{"lib 2.0.0"}},
		{name: "skipping dependencies takes what is there", deps: need("^2", url), more: folder, skip: true, want: []string{"lib 1.0.0"}},
		{name: "skipping dependencies fetches nothing", deps: need("^1", url), skip: true, kind: ErrMissingDependency, says: []string{"found in Chart.yaml, but missing in charts/ directory: lib"}},
		{name: "no repository and nothing there", deps: need("^1", ""), kind: ErrMissingDependency, says: []string{"found in Chart.yaml, but missing in charts/ directory: lib"}},
		{name: "no repository and a wrong version", deps: need("^2", ""), more: folder, kind: ErrMissingDependency, says: []string{"charts/lib is version 1.0.0, but ^2 is needed"}},
		{name: "a version that is nowhere", deps: need("^3", url), kind: ErrNotFound, says: []string{`building dependency "lib" of chart`, `no version "^3"`, "2.0.0, 1.0.0"}},
		{name: "an alias that nobody declared", deps: need("^1", "@nowhere"), kind: ErrUnknownRepository, says: []string{`"@nowhere"`, "repositories:"}},
		{name: "a name where a URL should be", deps: need("^1", "stable"), kind: ErrUnknownRepository, says: []string{`"stable" is not a URL`, "@name"}},
		{name: "a folder that is not there", deps: need("^1", "file://../nowhere"), kind: ErrNotFound, says: []string{"nowhere"}},
		{name: "a folder of another chart", deps: need("^1", "file://../other"), kind: ErrInvalid, says: []string{`is named "other"`}},
		{name: "a folder of another version", deps: strings.Replace(need("^9", "file://../other"), "lib", "other", 1), kind: ErrNotFound, says: []string{"^9 is needed", "version 1.0.0"}},
		{name: "entries of charts/ that Helm skips", deps: need("^1", url), more: files{"charts/_README.md": "x", "charts/_old.tgz": "x"}, want: []string{"lib 1.0.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			writeFolder(t, filepath.Join(base, "other"), chartFiles("other", "1.0.0", nil))
			dir := writeFolder(t, filepath.Join(base, "app"), chartFiles("app", "1.0.0", depending("app", "1.0.0", tt.deps)))
			writeFolder(t, dir, tt.more)
			c, err := newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: dir, SkipDeps: tt.skip})
			if tt.kind != nil {
				wantError(t, err, tt.kind, append(tt.says, dir)...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, subcharts(t, c)); diff != "" {
				t.Errorf("subcharts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLocks(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0", "1.1.0")
	url := serve(t, r).URL
	v2 := depending("app", "1.0.0", "- {name: lib, version: ^1, repository: '"+url+"'}\n")["Chart.yaml"]
	pin := chartv2.Dependency{Name: "lib", Version: "1.0.0", Repository: url}
	byAlias := strings.Replace(v2, url, "@mine", 1)
	requirements := "dependencies:\n- {name: lib, version: ^1, repository: '" + url + "'}\n"
	v1 := "apiVersion: v1\nname: app\nversion: 1.0.0\n"
	helm2, err := json.Marshal(map[string][]*chartv2.Dependency{"dependencies": {{Name: "lib", Version: "^1", Repository: url}}})
	if err != nil {
		t.Fatal(err)
	}
	local := depending("app", "1.0.0", "- {name: common, version: '*', repository: 'file://../common'}\n")["Chart.yaml"]
	tests := []struct {
		name string
		more files
		skip bool
		want string
		kind error
		says []string
	}{
		{name: "no lock takes the newest", more: files{"Chart.yaml": v2}, want: "lib 1.1.0"},
		{name: "a lock pins the version", more: files{"Chart.yaml": v2, "Chart.lock": locked(t, v2, pin)}, want: "lib 1.0.0"},
		{name: "a lock of a repository's name", more: files{"Chart.yaml": byAlias, "Chart.lock": locked(t, v2, pin)}, want: "lib 1.0.0"},
		{name: "the lock of a chart of API version v1", more: files{"Chart.yaml": v1, "requirements.yaml": requirements, "requirements.lock": locked(t, requirements, pin)}, want: "lib 1.0.0"},
		{name: "a lock of Helm 2", more: files{"Chart.yaml": v1, "requirements.yaml": requirements,
			"requirements.lock": "digest: " + digestBytes(helm2) + "\ndependencies:\n- {name: lib, version: 1.0.0, repository: '" + url + "'}\n"}, want: "lib 1.0.0"},
		{name: "an archive other than the lock says is replaced", more: files{"Chart.yaml": v2, "Chart.lock": locked(t, v2, pin),
			"charts/lib-1.1.0.tgz": string(packed(t, "lib", chartFiles("lib", "1.1.0", nil)))}, want: "lib 1.0.0"},
		{name: "a range changed after locking", more: files{"Chart.yaml": strings.Replace(v2, "^1", "^1.1", 1), "Chart.lock": locked(t, v2, pin)},
			kind: ErrLock, says: []string{"Chart.lock is out of sync with the dependencies in Chart.yaml", "lib is locked at 1.0.0, but ^1.1 is declared", "helm dependency update"}},
		{name: "a dependency added after locking", more: files{"Chart.yaml": v2 + "- {name: new, version: '1', repository: '" + url + "'}\n", "Chart.lock": locked(t, v2, pin)},
			kind: ErrLock, says: []string{"new is not locked"}},
		{name: "a dependency removed after locking", more: files{"Chart.yaml": local, "Chart.lock": locked(t, v2, pin)},
			kind: ErrLock, says: []string{"common is not locked; lib is locked, but not declared"}},
		{name: "requirements that changed after locking", more: files{"Chart.yaml": v1, "requirements.yaml": strings.Replace(requirements, "^1", "^1.1", 1), "requirements.lock": locked(t, requirements, pin)},
			kind: ErrLock, says: []string{"requirements.lock is out of sync with the dependencies in requirements.yaml"}},
		{name: "a folder that moved on", more: files{"Chart.yaml": local, "Chart.lock": locked(t, local, chartv2.Dependency{Name: "common", Version: "0.1.0", Repository: "file://../common"})},
			kind: ErrLock, says: []string{"Chart.lock pins version 0.1.0", "is version 0.2.0"}},
		{name: "a stale lock does not matter when dependencies are skipped", skip: true, more: files{"Chart.yaml": v2, "Chart.lock": "digest: x\n",
			"charts/lib-1.1.0.tgz": string(packed(t, "lib", chartFiles("lib", "1.1.0", nil)))}, want: "lib 1.1.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			writeFolder(t, filepath.Join(base, "common"), chartFiles("common", "0.2.0", nil))
			dir := writeFolder(t, filepath.Join(base, "app"), chartFiles("app", "1.0.0", tt.more))
			s := newTestStore(t, func(o *Options) { o.Repositories = []spec.Repository{{Name: "mine", URL: url}} })
			c, err := s.Get(t.Context(), spec.Chart{Ref: dir, SkipDeps: tt.skip})
			if tt.kind != nil {
				wantError(t, err, tt.kind, append(tt.says, dir)...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.want}, subcharts(t, c)); diff != "" {
				t.Errorf("subcharts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFoldersThatDependOnEachOtherAreACycle(t *testing.T) {
	base := t.TempDir()
	for name, other := range map[string]string{"a": "b", "b": "a"} {
		writeFolder(t, filepath.Join(base, name), chartFiles(name, "1.0.0", depending(name, "1.0.0", "- {name: "+other+", version: '*', repository: 'file://../"+other+"'}\n")))
	}
	_, err := newTestStore(t, nil).Get(t.Context(), spec.Chart{Ref: "./a", Dir: base})
	a, b := filepath.Join(base, "a"), filepath.Join(base, "b")
	wantError(t, err, ErrInvalid, "form a cycle: "+a+" -> "+b+" -> "+a)
}

func TestDependenciesOfAPackagedChart(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0")
	url := serve(t, r).URL
	base := t.TempDir()
	writeFolder(t, filepath.Join(base, "lib"), chartFiles("lib", "1.0.0", nil))
	archive := func(repository string, more files) string {
		content := chartFiles("app", "1.0.0", depending("app", "1.0.0", "- {name: lib, version: ^1, repository: '"+repository+"'}\n"))
		for k, v := range more {
			content[k] = v
		}
		path := filepath.Join(t.TempDir(), "app.tgz")
		if err := os.WriteFile(path, packed(t, "app", content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s := newTestStore(t, nil)
	whole := archive("https://gone.example.invalid", files{"charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 0.3.0\n"})
	if diff := cmp.Diff([]string{"lib 0.3.0"}, subcharts(t, get(t, s, spec.Chart{Ref: whole}))); diff != "" {
		t.Errorf("what its author packed was not kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"lib 1.0.0"}, subcharts(t, get(t, s, spec.Chart{Ref: archive(url, nil)}))); diff != "" {
		t.Errorf("what is missing was not fetched (-want +got):\n%s", diff)
	}
	_, err := s.Get(t.Context(), spec.Chart{Ref: archive("file://"+filepath.Join(base, "lib"), nil)})
	wantError(t, err, ErrMissingDependency, "missing in charts/ directory: lib")
}

func TestALockThatHelmWritesIsAccepted(t *testing.T) {
	r := newRepository().add(t, nil, "lib", "1.0.0", "1.1.0")
	url := serve(t, r).URL
	base := t.TempDir()
	writeFolder(t, filepath.Join(base, "common"), chartFiles("common", "0.2.0", nil))
	dir := writeFolder(t, filepath.Join(base, "app"), chartFiles("app", "1.0.0", depending("app", "1.0.0",
		"- {name: lib, alias: x, version: ~1.0, repository: '@mine', condition: x.enabled, tags: [a], import-values: [data]}\n"+
			"- {name: common, version: '*', repository: 'file://../common'}\n")))
	config := filepath.Join(base, "repositories.yaml")
	if err := os.WriteFile(config, []byte("apiVersion: v1\nrepositories:\n- {name: mine, url: '"+url+"'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	manager := downloader.Manager{
		Out: io.Discard, ChartPath: dir, RepositoryConfig: config, RepositoryCache: filepath.Join(base, "index"),
		ContentCache: filepath.Join(base, "content"), Getters: getter.Getters(),
	}
	if err := manager.Update(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "charts")); err != nil {
		t.Fatal(err)
	}
	c := get(t, newTestStore(t, func(o *Options) { o.RepositoryConfig = config }), spec.Chart{Ref: dir})
	if diff := cmp.Diff([]string{"common 0.2.0", "lib 1.0.0"}, subcharts(t, c)); diff != "" {
		t.Errorf("subcharts (-want +got):\n%s", diff)
	}
}
