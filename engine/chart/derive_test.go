package chart

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
)

type fetched string

func (f fetched) Fetch(context.Context, string) (string, error) { return string(f), nil }

func TestDependenciesThatAReleaseAdds(t *testing.T) {
	top := t.TempDir()
	writeFolder(t, filepath.Join(top, "app"), chartFiles("app", "1.0.0", nil))
	writeFolder(t, filepath.Join(top, "old"), chartFiles("old", "1.0.0", files{
		"Chart.yaml":        "apiVersion: v1\nname: old\nversion: 1.0.0\n",
		"requirements.yaml": "dependencies:\n- {name: lib, version: 0.1.0, repository: file://../lib}\n",
	}))
	writeFolder(t, filepath.Join(top, "lib"), chartFiles("lib", "0.1.0", nil))
	writeFolder(t, filepath.Join(top, "parent"), chartFiles("parent", "2.0.0", depending("parent", "2.0.0", "- {name: lib, version: 0.1.0, repository: file://../lib}\n")))
	writeFolder(t, filepath.Join(top, "bare"), files{"a.yaml": "kind: ConfigMap\n"})
	web := serve(t, newRepository().add(t, nil, "db", "3.0.0", "3.1.0"))
	oci := serve(t, newOCI())
	push(t, oci, "cache", "1.1.0", "1.2.0")
	repo := &spec.Repository{Name: "web", URL: web.URL}

	tests := []struct {
		name string
		base string
		add  []spec.Dependency
		want []string
		fail string
	}{
		{"a folder, at the version that it has", "app", []spec.Dependency{{Chart: "./lib"}}, []string{"lib 0.1.0"}, ""},
		{"a folder with dependencies of its own", "app", []spec.Dependency{{Chart: "./parent"}}, []string{"parent 2.0.0", "parent/lib 0.1.0"}, ""},
		{"a chart of a declared repository, the newest of a range", "app", []spec.Dependency{{Chart: "web/db", Version: "^3.0.0", Repository: repo}}, []string{"db 3.1.0"}, ""},
		{"a chart of a registry", "app", []spec.Dependency{{Chart: "oci://" + host(oci) + "/charts/cache", Version: "1.1.0"}}, []string{"cache 1.1.0"}, ""},
		{"a go-getter URL", "app", []spec.Dependency{{Chart: "git::https://example.com/x.git@lib?ref=v1"}}, []string{"lib 0.1.0"}, ""},
		{"beside dependencies of requirements.yaml", "old", []spec.Dependency{{Chart: "web/db", Version: "3.0.0", Repository: repo}}, []string{"db 3.0.0", "lib 0.1.0"}, ""},
		{"two of one name, apart by an alias", "app", []spec.Dependency{{Chart: "./lib"}, {Chart: "./lib", Alias: "two"}}, []string{"lib 0.1.0", "lib 0.1.0"}, ""},
		{"two of one name without an alias", "app", []spec.Dependency{{Chart: "./lib"}, {Chart: "./lib"}}, nil, "more than one dependency"},
		{"a version that the folder does not have", "app", []spec.Dependency{{Chart: "./lib", Version: "^2"}}, nil, "h.yaml:7: dependencies: ./lib: version ^2 is needed"},
		{"a folder that is no chart", "app", []spec.Dependency{{Chart: "./bare"}}, nil, "bare is no chart"},
		{"a repository that nobody declared", "app", []spec.Dependency{{Chart: "nobody/db"}}, nil, `repository "nobody" is not declared`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestStore(t, func(o *Options) {
				o.PlainHTTP = true
				o.Fetch = fetched(filepath.Join(top, "lib"))
				o.SkipDeps = tt.base == "app" // there are none, and those of the release are looked up all the same
			})
			for i := range tt.add {
				tt.add[i].Pos = spec.Pos{File: "h.yaml", Line: 7}
			}
			ref := spec.Chart{Ref: "./" + tt.base, Dir: top}
			got, err := s.Derive(context.Background(), get(t, s, ref), ref, Derivation{Dependencies: tt.add})
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Errorf("got %v, want an error with %q", err, tt.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, subcharts(t, got)); diff != "" {
				t.Errorf("dependencies (-want +got):\n%s", diff)
			}
			if again, err := s.Open(got.Digest); err != nil || again.Digest != got.Digest {
				t.Errorf("opening it: %v, %v", again, err)
			}
		})
	}
}

func TestAFolderOfManifests(t *testing.T) {
	dir := writeFolder(t, filepath.Join(t.TempDir(), "dir"), files{
		"a.yaml": "a: 1\n", "sub/b.yml": "b: 1\n", "sub/c.yaml.gotmpl": "c: 1\n", "note.txt": "no", ".git/x.yaml": "no: 1\n",
	})
	s := newTestStore(t, nil)
	c := get(t, s, spec.Chart{Ref: dir})
	if c.Folder != dir || c.Name != "dir" || c.Digest != "" || c.Fetched {
		t.Errorf("got %+v", c)
	}
	got, err := c.Manifests(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"a.yaml": []byte("a: 1\n"), "sub/b.yml": []byte("b: 1\n"), "sub/c.yaml.gotmpl": []byte("c: 1\n")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("manifests (-want +got):\n%s", diff)
	}
	_, err = c.Load()
	wantError(t, err, ErrInvalid, "is a folder of manifests")
	_, err = c.Archive()
	wantError(t, err, ErrInvalid, "is a folder of manifests")
	_, err = c.WriteTo(t.TempDir())
	wantError(t, err, ErrInvalid, "is a folder of manifests")
	_, err = s.Derive(context.Background(), c, spec.Chart{Ref: dir}, Derivation{})
	wantError(t, err, ErrInvalid, "is a folder of manifests")

	made, err := s.Derive(context.Background(), c, spec.Chart{Ref: dir}, Derivation{Files: map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: made\nversion: 1.0.0\n")}})
	if err != nil || made.Name != "made" || made.Folder != "" {
		t.Errorf("got %+v, %v", made, err)
	}
	web := newTestStore(t, func(o *Options) { o.Fetch = fetched(dir) })
	if c := get(t, web, spec.Chart{Ref: "git::https://example.com/x.git@dir"}); !c.Fetched || c.Folder != dir {
		t.Errorf("got %+v", c)
	}
}

func TestALinkOutOfAFolderOfManifests(t *testing.T) {
	dir := writeFolder(t, filepath.Join(t.TempDir(), "dir"), files{"a.yaml": "a: 1\n"})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "evil.yaml")); err != nil {
		t.Fatal(err)
	}
	c := get(t, newTestStore(t, nil), spec.Chart{Ref: dir})
	_, err := c.Manifests(context.Background())
	wantError(t, err, ErrInvalid, "evil.yaml", "symbolic link")
}

func TestSkippedDependenciesAreThoseOfAnEarlierRun(t *testing.T) {
	top := t.TempDir()
	writeFolder(t, filepath.Join(top, "lib"), chartFiles("lib", "0.1.0", nil))
	writeFolder(t, filepath.Join(top, "app"), chartFiles("app", "1.0.0", depending("app", "1.0.0", "- {name: lib, version: 0.1.0, repository: file://../lib}\n")))
	cache := t.TempDir()
	ref := spec.Chart{Ref: "./app", Dir: top}
	store := func(skip bool) *Store {
		return newTestStore(t, func(o *Options) { o.CacheDir, o.SkipDeps = cache, skip })
	}
	_, err := store(true).Get(context.Background(), ref)
	wantError(t, err, ErrMissingDependency, "lib")

	get(t, store(false), ref)
	writeFolder(t, filepath.Join(top, "app"), files{"templates/new.yaml": "kind: ConfigMap\n"})
	again := get(t, store(true), ref)
	if diff := cmp.Diff([]string{"lib 0.1.0"}, subcharts(t, again)); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if loaded, err := again.Load(); err != nil || len(loaded.Templates) != 3 {
		t.Errorf("the chart is not as it is now: %v, %v", loaded, err)
	}

	writeFolder(t, filepath.Join(top, "app"), depending("app", "1.0.0", "- {name: lib, version: 0.2.0, repository: file://../lib}\n"))
	_, err = store(true).Get(context.Background(), ref)
	wantError(t, err, ErrMissingDependency, "lib")
}

func TestTheWordLatestIsNoVersion(t *testing.T) {
	for _, version := range []string{"latest", "latest@sha256:" + strings.Repeat("a", 64)} {
		_, err := newTestStore(t, nil).Get(context.Background(), spec.Chart{Ref: "oci://192.0.2.1/app", Version: version})
		wantError(t, err, ErrNotFound, "semver compliant", "leave version out")
	}
}

func TestFetchLeavesCredentialsOut(t *testing.T) {
	_, err := newTestStore(t, nil).Fetch(context.Background(), "https://user:secret@example.com/x?token=t")
	wantError(t, err, ErrNotFound, "not fetched here")
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "token=t") {
		t.Errorf("the error tells a secret: %v", err)
	}
}
