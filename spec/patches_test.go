package spec

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func patchesOf(t *testing.T, files map[string]string) (Patches, string, error) {
	t.Helper()
	s := mustLoad(t, files, LoadOptions{})
	r := s.Releases[0]
	values, err := s.ValuesOf(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.PatchesOf(context.Background(), r, values)
	return p, s.Files[0].Dir, err
}

func TestPatchesOf(t *testing.T) {
	target := map[string]string{"kind": "ConfigMap", "name": "a"}
	tests := []struct {
		name  string
		files map[string]string
		want  Patches
	}{
		{
			name: "inline entries of all kinds",
			files: map[string]string{"helmfile.yaml": `releases:
- name: r
  chart: ./c
  jsonPatches:
  - target: {kind: ConfigMap, name: a}
    patch: [{op: add, path: /data/k, value: v}]
  strategicMergePatches:
  - {kind: ConfigMap, metadata: {name: a}}
  transformers:
  - {apiVersion: builtin, kind: LabelTransformer, metadata: {name: l}}
`},
			want: Patches{
				JSON:           []Patch{{Target: target, Text: []byte("- op: add\n  path: /data/k\n  value: v\n")}},
				StrategicMerge: []Patch{{Text: []byte("kind: ConfigMap\nmetadata:\n  name: a\n")}},
				Transformers:   []Patch{{Text: []byte("apiVersion: builtin\nkind: LabelTransformer\nmetadata:\n  name: l\n")}},
			},
		},
		{
			name: "a patch without a target is for all objects",
			files: map[string]string{"helmfile.yaml": `releases:
- {name: r, chart: ./c, jsonPatches: [{patch: [{op: remove, path: /data}]}]}
`},
			want: Patches{JSON: []Patch{{Target: map[string]string{}, Text: []byte("- op: remove\n  path: /data\n")}}},
		},
		{
			name: "a template sees the release, state values and the release's own values, whole numbers as such",
			files: map[string]string{
				"helmfile.yaml": `values: [{env: prod, size: 1}]
releases:
- {name: r, namespace: ns, chart: ./c, values: [{size: 5000000}], strategicMergePatches: [p.yaml.gotmpl]}
`,
				"p.yaml.gotmpl": "kind: ConfigMap\nmetadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}\ndata: {size: \"{{ .Values.size }}\", env: {{ .StateValues.env }}}\n",
			},
			want: Patches{StrategicMerge: []Patch{{Text: []byte("kind: ConfigMap\nmetadata: {name: r, namespace: ns}\ndata: {size: \"5000000\", env: prod}\n")}}},
		},
		{
			name: "references to secrets are resolved in files, too",
			files: map[string]string{
				"helmfile.yaml": "releases:\n- {name: r, chart: ./c, strategicMergePatches: [p.yaml]}\n",
				"p.yaml":        "kind: Secret\nmetadata: {name: s}\n---\nkind: Secret\nmetadata: {name: t}\nstringData: {k: ref+echo://hidden}\n",
			},
			want: Patches{StrategicMerge: []Patch{{Text: []byte("kind: Secret\nmetadata:\n  name: s\n---\nkind: Secret\nmetadata:\n  name: t\nstringData:\n  k: hidden\n")}}},
		},
		{
			name: "path starts at the state file's folder, then at the entry's",
			files: map[string]string{
				"helmfile.yaml":     "releases:\n- {name: r, chart: ./c, jsonPatches: [sub/j.yaml], transformers: [sub/t.yaml]}\n",
				"sub/j.yaml":        "target: {kind: ConfigMap, name: a}\npath: both.yaml\n",
				"sub/t.yaml":        "kind: PatchTransformer\nmetadata: {name: p}\npath: only.yaml\n",
				"both.yaml":         "- {op: remove, path: /top}\n",
				"sub/both.yaml":     "- {op: remove, path: /sub}\n",
				"sub/only.yaml":     "kind: ConfigMap\n",
				"sub/unrelated.yml": "",
			},
			want: Patches{
				JSON: []Patch{{Target: target, Text: []byte("- {op: remove, path: /top}\n")}},
				Transformers: []Patch{{
					Text:  []byte("kind: PatchTransformer\nmetadata:\n  name: p\npath: transformer-file-0.yaml\n"),
					Files: map[string][]byte{"transformer-file-0.yaml": []byte("kind: ConfigMap\n")},
				}},
			},
		},
		{
			name: "a file that may be missing and is changes nothing",
			files: map[string]string{
				"helmfile.yaml": "releases:\n- {name: r, chart: ./c, missingFileHandler: Info, jsonPatches: [gone.yaml]}\n",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := patchesOf(t, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Pos" }, cmp.Ignore())); diff != "" {
				t.Errorf("patches (-want +got):\n%s", diff)
			}
			if got.Empty() != tt.want.Empty() {
				t.Errorf("Empty is %t", got.Empty())
			}
		})
	}
}

func TestPatchesOfMistakes(t *testing.T) {
	files := map[string]string{
		"helmfile.yaml": `releases:
- name: r
  chart: ./c
  jsonPatches:
  - target: {kind: ConfigMap}
  - {target: all, patch: []}
  - {target: {}, path: gone.yaml}
  - broken.yaml
  strategicMergePatches:
  - nameless.yaml
  - missing.yaml
  transformers:
  - text.yaml
`,
		"broken.yaml":   "target:\n  a: [\n",
		"nameless.yaml": "kind: ConfigMap\nmetadata: {name: a}\n---\n\nkind: ConfigMap\n",
		"text.yaml":     "only words\n",
	}
	_, dir, err := patchesOf(t, files)
	if err == nil {
		t.Fatal("got no error")
	}
	got := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	for _, want := range []string{
		`helmfile.yaml:5:5: jsonPatches: either "path" or "patch" must be set`,
		"helmfile.yaml:6:5: jsonPatches: target: expected a map, found string",
		"helmfile.yaml:7:5: jsonPatches: path: there is no file gone.yaml",
		"broken.yaml:",
		"nameless.yaml:5:1: strategicMergePatches: a strategic merge patch needs kind and metadata.name",
		"helmfile.yaml:11:5: the strategicMergePatches file missing.yaml is not there",
		"text.yaml:1:1: transformers: expected a transformer",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the error does not say %q:\n%s", want, got)
		}
	}
}

func TestRenderManifest(t *testing.T) {
	s := mustLoad(t, map[string]string{
		"helmfile.yaml":      "values: [{k: v}]\nreleases:\n- {name: r, chart: ./dir}\n",
		"dir/x.yaml.gotmpl":  "name: {{ .Release.Name }}\nk: {{ .Values.k }}\nb: {{ readFile \"b.txt\" }}\n",
		"dir/b.txt":          "text",
		"dir/bad.yml.gotmpl": "{{ .Nothing }}",
	}, LoadOptions{})
	dir := filepath.Join(s.Files[0].Dir, "dir")
	got, err := s.RenderManifest(context.Background(), s.Releases[0], dir, filepath.Join(dir, "x.yaml.gotmpl"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "name: r\nk: v\nb: text\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := s.RenderManifest(context.Background(), s.Releases[0], dir, filepath.Join(dir, "bad.yml.gotmpl")); err == nil || !strings.Contains(err.Error(), "bad.yml.gotmpl:1") {
		t.Errorf("got %v, want an error with its place", err)
	}
}

func TestManagedRepositoriesAndForcedGetters(t *testing.T) {
	var warnings []string
	files := map[string]string{"helmfile.yaml": "repositories: [{name: a, url: 'https://x', managed: acr}]\nreleases:\n- {name: r, chart: 'git::https://example.com/x.git@c', forceGoGetter: true}\n"}
	mustLoad(t, files, LoadOptions{Warn: func(text string) { warnings = append(warnings, text) }})
	if len(warnings) != 1 || !strings.Contains(warnings[0], "helmfile.yaml:1:16: repository a is managed by acr") || !strings.Contains(warnings[0], "az acr login --name a") {
		t.Errorf("warnings are %q", warnings)
	}
	files["helmfile.yaml"] = "repositories: [{name: a, url: 'https://x', managed: other}]\nreleases:\n- {name: r, chart: ./x, forceGoGetter: true}\n"
	_, err := load(t, files, LoadOptions{})
	for _, want := range []string{`1:16: repositories.a.managed: unknown managed type "other"`, `3:3: releases.r.forceGoGetter: "./x" is no URL`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
