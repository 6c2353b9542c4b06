package kustomize

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/flotilla-sh/flotilla/spec"
)

const (
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations: {helm.sh/hook: pre-install}\ndata: {k: '1'}\n"
	job       = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: run-\n"
)

func one(text string) []spec.Patch { return []spec.Patch{{Text: []byte(text)}} }

func TestPatch(t *testing.T) {
	target := map[string]string{"kind": "ConfigMap"}
	tests := []struct {
		name string
		docs string
		p    spec.Patches
		want string
		fail string
	}{
		{
			name: "JSON patches come first, then merge patches, then transformers",
			docs: configMap,
			p: spec.Patches{
				Transformers:   one("apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\nprefix: pre-\nfieldSpecs: [{path: metadata/name}]\n"),
				StrategicMerge: one("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: '3'}\n"),
				JSON:           []spec.Patch{{Target: target, Text: []byte("- {op: replace, path: /data/k, value: '2'}\n- {op: add, path: /data/j, value: '2'}\n")}},
			},
			want: "apiVersion: v1\ndata:\n  j: \"2\"\n  k: \"3\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install\n  name: pre-a\n",
		},
		{
			name: "a JSON patch for an object that is not there does nothing",
			docs: configMap,
			p:    spec.Patches{JSON: []spec.Patch{{Target: map[string]string{"kind": "Secret"}, Text: []byte("- {op: remove, path: /data}\n")}}},
			want: "apiVersion: v1\ndata:\n  k: \"1\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install\n  name: a\n",
		},
		{
			name: "a merge patch for an object that is not there is an error",
			docs: configMap,
			p:    spec.Patches{StrategicMerge: one("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n")},
			fail: "no matches for Id ConfigMap.v1.[noGrp]/b.[noNs]",
		},
		{
			name: "a merge patch may delete an object",
			docs: configMap + "---\n" + strings.Replace(configMap, "name: a", "name: b", 1),
			p:    spec.Patches{StrategicMerge: one("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n$patch: delete\n")},
			want: "apiVersion: v1\ndata:\n  k: \"1\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install\n  name: b\n",
		},
		{
			name: "a transformer reads the file that came with it",
			docs: configMap,
			p: spec.Patches{Transformers: []spec.Patch{{
				Text:  []byte("apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\npath: extra.yaml\n"),
				Files: map[string][]byte{"extra.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: null}\n")},
			}}},
			want: "apiVersion: v1\ndata: {}\nkind: ConfigMap\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install\n  name: a\n",
		},
		{
			name: "an object whose name the cluster generates is patched and stays without one",
			docs: job,
			p:    spec.Patches{Transformers: one("apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\nlabels: {x: y}\nfieldSpecs: [{path: metadata/labels, create: true}]\n---\napiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\nprefix: pre-\nfieldSpecs: [{path: metadata/name}]\n")},
			want: "apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: run-\n  labels:\n    x: \"y\"\n",
		},
		{
			name: "a transformer that names a URL is refused before anything is asked",
			docs: configMap,
			p:    spec.Patches{Transformers: one("apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\npath: https://user:secret@192.0.2.1/x.yaml?token=t\n")},
			fail: "path: https://user:xxxxx@192.0.2.1/x.yaml: remote files: not allowed",
		},
		{
			name: "a URL under a key in other letters, in the second document",
			docs: configMap,
			p: spec.Patches{Transformers: one("apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\nprefix: a-\n---\n" +
				"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: q}\nPath: https://192.0.2.1/x.yaml?token=t\n")},
			fail: "Path: https://192.0.2.1/x.yaml: remote files: not allowed",
		},
		{
			name: "a URL of targets is refused",
			docs: configMap,
			p:    spec.Patches{Transformers: one("apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: q}\nvalue: v\ntargetFilePath: https://192.0.2.1/x.yaml\n")},
			fail: "targetFilePath: https://192.0.2.1/x.yaml: remote files: not allowed",
		},
		{
			name: "a transformer that names a key twice cannot hide one",
			docs: configMap,
			p:    spec.Patches{Transformers: one("apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\npath: a.yaml\npath: https://192.0.2.1/x.yaml?token=t\n")},
			fail: "no map with each key once",
		},
		{
			name: "a transformer that is a program is refused",
			docs: configMap,
			p:    spec.Patches{Transformers: one("apiVersion: example.com/v1\nkind: Evil\nmetadata:\n  name: p\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: /bin/true}\n")},
			fail: "Evil",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := new(Builder).Patch(context.Background(), []byte(tt.docs), tt.p)
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Fatalf("got %v, want an error with %q", err, tt.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range objects {
				got = append(got, string(o.Text))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "---\n")); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
		})
	}
}

// write makes a folder of files and gives its path without symbolic links.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuild(t *testing.T) {
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: c, image: web}]}}}\n"
	tests := []struct {
		name    string
		files   map[string]string
		overlay Overlay
		fetched bool
		want    string
		refused bool
		fail    string
	}{
		{
			name:    "the release sets images, prefix, suffix and namespace",
			files:   map[string]string{"k/kustomization.yaml": "resources: [d.yaml]\n", "k/d.yaml": deployment},
			overlay: Overlay{Images: []types.Image{{Name: "web", NewName: "reg/web", NewTag: "2"}}, NamePrefix: "a-", NameSuffix: "-z", Namespace: "ns"},
			want: "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a-web-z\n  namespace: ns\nspec:\n" +
				"  template:\n    spec:\n      containers:\n      - image: reg/web:2\n        name: c\n",
		},
		{
			name: "a base above the folder, under every name of a kustomization",
			files: map[string]string{
				"k/Kustomization": "resources: [../base]\n", "base/kustomization.yml": "resources: [cm.yaml]\n", "base/cm.yaml": configMap,
			},
			want: "apiVersion: v1\ndata:\n  k: \"1\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install\n  name: a\n",
		},
		{
			name:  "a folder that looks like a URL is a folder where it is there",
			files: map[string]string{"k/kustomization.yaml": "resources: [github.com/a/b]\n", "k/github.com/a/b/kustomization.yaml": "resources: [cm.yaml]\n", "k/github.com/a/b/cm.yaml": configMap},
			want:  "apiVersion: v1\ndata:\n  k: \"1\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install\n  name: a\n",
		},
		{
			name:    "remote resources need a fetcher",
			files:   map[string]string{"k/kustomization.yaml": "resources: ['https://192.0.2.1/x.yaml?token=t']\n"},
			refused: true,
			fail:    "https://192.0.2.1/x.yaml: remote resources",
		},
		{
			name:    "remote files of a generator are refused",
			files:   map[string]string{"k/kustomization.yaml": "configMapGenerator: [{name: a, files: ['f=http://192.0.2.1/x']}]\n"},
			refused: true,
			fail:    "files: http://192.0.2.1/x: remote files",
		},
		{
			name:    "remote files in the configuration of a generator are refused",
			files:   map[string]string{"k/kustomization.yaml": "generators: [g.yaml]\n", "k/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nname: g\nenvs: ['http://192.0.2.1/x']\n"},
			refused: true,
			fail:    "envs: http://192.0.2.1/x: remote files",
		},
		{
			name:    "resources in other letters are refused",
			files:   map[string]string{"k/kustomization.yaml": "Resources: ['https://192.0.2.1/org/repo.git?ref=token']\n"},
			refused: true,
			fail:    "Resources: not allowed in a kustomization: write resources",
		},
		{
			name:    "charts in other letters are refused",
			files:   map[string]string{"k/kustomization.yaml": "helmcharts: [{name: x, repo: https://192.0.2.1}]\n"},
			refused: true,
			fail:    "write helmCharts",
		},
		{
			name:    "a resource that ends its line is no way to a repository",
			files:   map[string]string{"k/kustomization.yaml": "resources: [\"git@192.0.2.1:org/repo\\n\"]\n"},
			refused: true,
			fail:    "is no path",
		},
		{
			name:    "files in other letters cannot read outside of what was fetched",
			files:   map[string]string{"k/kustomization.yaml": "configMapGenerator: [{name: a, Files: ['f=../secret']}]\n", "secret": "s"},
			fetched: true,
			refused: true,
			fail:    "paths out of what was fetched",
		},
		{
			name: "a label in other letters is a label",
			files: map[string]string{
				"k/kustomization.yaml": "resources: [cm.yaml]\ncommonAnnotations: {Env: prod}\n", "k/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
			},
			want: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  annotations:\n    Env: prod\n  name: a\n",
		},
		{
			name: "the second document of an inline generator is looked at",
			files: map[string]string{
				"k/kustomization.yaml": "generators:\n- |\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: g}\n  literals: [a=b]\n  ---\n" +
					"  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: h}\n  files: [f=../secret]\n",
				"secret": "s",
			},
			fetched: true,
			refused: true,
			fail:    "paths out of what was fetched",
		},
		{
			name: "the files of a folder of generators are looked at",
			files: map[string]string{
				"k/kustomization.yaml": "generators: [g]\n", "k/g/kustomization.yaml": "resources: [g.yaml]\n",
				"k/g/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: h}\nname: h\nfiles: [f=../secret]\n", "secret": "s",
			},
			fetched: true,
			refused: true,
			fail:    "paths out of what was fetched",
		},
		{
			name: "the files of a folder of generators ask no network",
			files: map[string]string{
				"k/kustomization.yaml": "generators: [g]\n", "k/g/kustomization.yaml": "resources: [g.yaml]\n",
				"k/g/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: h}\nname: h\nenvs: ['http://192.0.2.1/x']\n",
			},
			refused: true,
			fail:    "envs: http://192.0.2.1/x: remote files",
		},
		{
			name: "a folder of generators may not make up what they are",
			files: map[string]string{
				"k/kustomization.yaml":   "generators: [g]\n",
				"k/g/kustomization.yaml": "resources: [g.yaml]\npatches: [{target: {kind: ConfigMapGenerator}, patch: '[{op: add, path: /envs, value: [\"http://192.0.2.1/x\"]}]'}]\n",
				"k/g/g.yaml":             "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: h}\nname: h\n",
			},
			refused: true,
			fail:    "patches: not allowed in a kustomization: a folder of generators",
		},
		{
			name: "a folder of generators generates",
			files: map[string]string{
				"k/kustomization.yaml": "generators: [g]\ngeneratorOptions: {disableNameSuffixHash: true}\n", "k/g/kustomization.yaml": "resources: [g.yaml]\n",
				"k/g/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: h}\nname: h\nliterals: [a=b]\noptions: {disableNameSuffixHash: true}\n",
			},
			want: "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: h\n",
		},
		{
			name:    "a generator from git is refused",
			files:   map[string]string{"k/kustomization.yaml": "generators: ['git@192.0.2.1:org/repo']\n"},
			refused: true,
			fail:    "remote files",
		},
		{
			name:    "charts in a kustomization are refused with what to do instead",
			files:   map[string]string{"k/kustomization.yaml": "helmCharts: [{name: x, repo: https://192.0.2.1}]\n"},
			refused: true,
			fail:    "make the chart a release of its own",
		},
		{
			name:    "what was fetched cannot read outside of itself",
			files:   map[string]string{"k/kustomization.yaml": "configMapGenerator: [{name: a, files: [../secret]}]\n", "secret": "s"},
			fetched: true,
			refused: true,
			fail:    "paths out of what was fetched",
		},
		{
			name:    "what was fetched may read all of its repository",
			files:   map[string]string{".git/HEAD": "", "k/kustomization.yaml": "resources: [../base/cm.yaml]\n", "base/cm.yaml": configMap},
			fetched: true,
			want:    "apiVersion: v1\ndata:\n  k: \"1\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install\n  name: a\n",
		},
		{
			name:  "a cycle is an error and no endless loop",
			files: map[string]string{"k/kustomization.yaml": "resources: [../k]\n"},
			fail:  "cycle detected",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			got, err := new(Builder).Build(context.Background(), Folder{Dir: filepath.Join(dir, "k"), Overlay: tt.overlay, Fetched: tt.fetched})
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Fatalf("got %v, want an error with %q", err, tt.fail)
				}
				if strings.Contains(err.Error(), "token") {
					t.Errorf("the error tells a secret: %v", err)
				}
				if errors.Is(err, ErrRefused) != tt.refused {
					t.Errorf("refused is %t: %v", !tt.refused, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoWayOutOfWhatWasFetched(t *testing.T) {
	dir := write(t, map[string]string{"k/kustomization.yaml": "resources: [in.yaml]\n", "secret.yaml": configMap})
	inside := filepath.Join(dir, "k")
	if err := os.Symlink(filepath.Join(dir, "secret.yaml"), filepath.Join(inside, "in.yaml")); err != nil {
		t.Fatal(err)
	}
	f, err := newFolder(context.Background(), Folder{Dir: inside, Fetched: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "secret.yaml"), filepath.Join(inside, "in.yaml"), inside + "/../secret.yaml"} {
		if text, err := f.ReadFile(path); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: read %q, error %v", path, text, err)
		}
	}
	if _, err := f.Open(filepath.Join(dir, "secret.yaml")); !errors.Is(err, ErrRefused) {
		t.Errorf("opened: %v", err)
	}
}

func TestOverlayOfNumbers(t *testing.T) {
	got, err := OverlayOf(map[string]any{"images": []any{map[string]any{"name": "web", "newTag": float64(20240101)}, map[string]any{"name": "api", "newTag": 1.25}}})
	if err != nil {
		t.Fatal(err)
	}
	want := Overlay{Images: []types.Image{{Name: "web", NewTag: "20240101"}, {Name: "api", NewTag: "1.25"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("overlay (-want +got):\n%s", diff)
	}
}

func TestRemoteResourcesAreFetched(t *testing.T) {
	remote := write(t, map[string]string{"sub/kustomization.yaml": "resources: [cm.yaml]\n", "sub/cm.yaml": configMap})
	var asked []string
	fetch := func(_ context.Context, url string) (string, error) {
		asked = append(asked, url)
		return filepath.Join(remote, "sub"), nil
	}
	dir := write(t, map[string]string{"kustomization.yaml": "resources: ['https://example.com/org/repo//sub?ref=v1']\nnamePrefix: p-\n"})
	got, err := new(Builder).Build(context.Background(), Folder{Dir: dir, Fetch: fetch})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), "name: p-a") {
		t.Errorf("got %s", got)
	}
	if diff := cmp.Diff([]string{"git::https://example.com/org/repo@sub?ref=v1"}, asked); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
}

func TestGetterURL(t *testing.T) {
	tests := []struct{ entry, want string }{
		{"https://github.com/org/repo", "git::https://github.com/org/repo@."},
		{"github.com/org/repo/sub/dir?ref=main", "git::https://github.com/org/repo@sub/dir?ref=main"},
		{"https://host/a/b.git/sub?version=v1", "git::https://host/a/b.git@sub?ref=v1"},
		{"git@github.com:org/repo//sub", "git::ssh://git@github.com/org/repo@sub"},
		{"ssh://git@host/org/repo.git", "git::ssh://git@host/org/repo.git@."},
		{"https://dev.azure.com/o/p/_git/r/sub", "git::https://dev.azure.com/o/p/_git/r@sub"},
		{"git::https://host/org/repo//sub", "git::https://host/org/repo@sub"},
		{"https://raw.example.com/a/b/c.yaml", "https://raw.example.com/a/b/c.yaml"},
		{"a:b.yaml", ""},
		{"file:///etc/repo", ""},
	}
	for _, tt := range tests {
		t.Run(tt.entry, func(t *testing.T) {
			got, ok := getterURL(tt.entry)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q %t, want %q", got, ok, tt.want)
			}
		})
	}
}

func TestCancelledBuild(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := new(Builder).Patch(ctx, []byte(configMap), spec.Patches{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkPatch(b *testing.B) {
	p := spec.Patches{StrategicMerge: one("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: '3'}\n")}
	for b.Loop() {
		if _, err := new(Builder).Patch(context.Background(), []byte(configMap), p); err != nil {
			b.Fatal(err)
		}
	}
}
