package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/engine/kustomize"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// labels is a transformer that labels everything.
const labels = "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\nlabels: {team: a}\nfieldSpecs: [{path: metadata/labels, create: true}]\n"

func patch(text string) []spec.Patch { return []spec.Patch{{Text: []byte(text)}} }

// writeDir writes a folder that need not be a chart.
func writeDir(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPatchesLeaveTheRestOfAReleaseRight(t *testing.T) {
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: %.example.com\nspec:\n  group: example.com\n"
	dir := writeChart(t, map[string]string{
		"templates/a.yaml":    configMap + "  revision: '{{ .Release.Revision }}'\n---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n  annotations:\n    helm.sh/hook: post-install\n    helm.sh/hook-weight: \"-5\"\n    helm.sh/hook-delete-policy: hook-succeeded\n",
		"templates/crd.yaml":  strings.Replace(crd, "%", "templated", 1),
		"templates/NOTES.txt": "Thank you for {{ .Release.Name }}",
		"crds/c.yaml":         strings.Replace(crd, "%", "installed", 1),
	})
	have := state.Release{History: []state.Revision{{Number: 3, Status: state.StatusDeployed}}}
	rev := render(t, offline(t), RenderInput{Release: releaseOf(dir, "one"), Have: have, Patches: spec.Patches{Transformers: patch(labels)}})

	stream := string(rev.Stream)
	if got := strings.Count(stream, "team: a"); got != 2 {
		t.Errorf("%d objects are labelled, want 2: %s", got, stream)
	}
	if !strings.Contains(stream, "# Source: demo/templates/patched_resources.yaml") || !strings.Contains(stream, `revision: "4"`) {
		t.Errorf("stream is %s", stream)
	}
	if !strings.Contains(stream, "name: templated.example.com") || strings.Contains(stream, "installed.example.com") {
		t.Errorf("the CRD of templates must stay one, that of crds/ must not become one: %s", stream)
	}
	if rev.Notes != "Thank you for one" {
		t.Errorf("notes are %q", rev.Notes)
	}
	if len(rev.Hooks) != 1 || rev.Hooks[0].Weight != -5 || !cmp.Equal(rev.Hooks[0].Events, []state.HookEvent{"post-install"}) ||
		!cmp.Equal(rev.Hooks[0].DeletePolicies, []string{"hook-succeeded"}) || !strings.Contains(rev.Hooks[0].Manifest, "team: a") {
		t.Errorf("hooks are %+v", rev.Hooks)
	}
	if len(rev.CRDs) != 1 || rev.CRDs[0].Path != "demo/crds/patched_crds.yaml" || !strings.Contains(string(rev.CRDs[0].Data), "team: a") {
		t.Errorf("CRDs are %v", rev.CRDs)
	}
	if err := storeFrozen(t, rev); err != nil {
		t.Errorf("storing it: %v", err)
	}
}

func TestPatchesComeBeforeThePostRenderer(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  k: v\n"})
	r := releaseOf(dir, "one")
	r.Options.PostRenderer, r.Options.PostRendererArgs = "/bin/sed", []string{"s/team: a/team: b/"}
	rev := render(t, offline(t), RenderInput{Release: r, Patches: spec.Patches{Transformers: patch(labels)}})
	if !strings.Contains(string(rev.Stream), "team: b") {
		t.Errorf("stream is %s", rev.Stream)
	}
}

func TestNoProgramIsStartedWhereThatIsForbidden(t *testing.T) {
	e := offline(t)
	e.opts.NoExec = true
	post := releaseOf(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  k: v\n"}), "one")
	post.Options.PostRenderer = "/bin/cat"
	remote := releaseOf(writeDir(t, "dir", map[string]string{"kustomization.yaml": "resources: ['https://192.0.2.1/org/repo//sub']\n"}), "two")
	for _, r := range []spec.Release{post, remote} {
		if _, err := e.Render(context.Background(), RenderInput{Release: r, Offline: true}); !errors.Is(err, ErrNoExec) {
			t.Errorf("%s: error is %v", r.ID, err)
		}
	}
}

func TestPatchesOfNothing(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": "{{ if .Values.on }}x{{ end }}\n"})
	rev := render(t, offline(t), RenderInput{Release: releaseOf(dir, "one"), Patches: spec.Patches{Transformers: patch(labels)}})
	if len(rev.Stream) != 0 {
		t.Errorf("stream is %s", rev.Stream)
	}
}

func TestAPatchThatMatchesNothingFailsAsInKustomize(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  k: v\n"})
	in := RenderInput{Release: releaseOf(dir, "one"), Offline: true, Patches: spec.Patches{
		StrategicMerge: patch("apiVersion: v1\nkind: Secret\nmetadata: {name: gone}\n"),
	}}
	_, err := offline(t).Render(context.Background(), in)
	if !errors.Is(err, kustomize.ErrBuild) || !strings.Contains(err.Error(), "rendering default/one: patching: ") {
		t.Errorf("error is %v", err)
	}
}

func TestForcedNamespaceFillsGapsOnly(t *testing.T) {
	object := func(name, more string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + more + "\n"
	}
	dir := writeChart(t, map[string]string{
		"templates/a.yaml":  "# told\n" + object("a", "") + "---\n" + object("b", "\n  namespace: own") + "---\n" + object("c", "\n  annotations: {helm.sh/hook: pre-install}"),
		"templates/_x.yaml": "not: [yaml",
	})
	r := releaseOf(dir, "one")
	r.Customize.ForceNamespace = "forced"
	rev := render(t, offline(t), RenderInput{Release: r})
	want := "---\n# Source: demo/templates/a.yaml\n# told\n" + object("a", "\n  namespace: forced") + "\n---\n# Source: demo/templates/a.yaml\n" + object("b", "\n  namespace: own") + "\n"
	if diff := cmp.Diff(strings.ReplaceAll(want, "\n\n", "\n"), strings.ReplaceAll(string(rev.Stream), "\n\n", "\n")); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
	if !strings.Contains(rev.Hooks[0].Manifest, "namespace: forced") {
		t.Errorf("hook is %s", rev.Hooks[0].Manifest)
	}
}

func TestFoldersThatAreNoCharts(t *testing.T) {
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      - image: web\n        name: c\n"
	data := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  text: '{{ .Values.k }}'\n"
	templates := func(_ context.Context, dir, file string) ([]byte, error) {
		rest, _ := filepath.Rel(dir, file)
		return []byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-" + strings.ReplaceAll(rest, ".", "-") + "\n"), nil
	}
	tests := []struct {
		name  string
		files map[string]string
		in    RenderInput
		want  string
		fail  string
	}{
		{
			name:  "a kustomization with what values and sets say of it",
			files: map[string]string{"kustomization.yml": "resources: [d.yaml]\n", "d.yaml": deployment},
			in: RenderInput{
				Values:  map[string]any{"images": []any{map[string]any{"name": "web", "newTag": 2.0}}, "namespace": "values"},
				Release: spec.Release{Set: []spec.SetValue{{Name: "namePrefix", Value: "p-"}}},
			},
			want: "---\n# Source: dir/templates/kustomized.yaml\n" + strings.NewReplacer("name: web\n", "name: p-web\n  namespace: values\n", "image: web", "image: web:2").Replace(deployment),
		},
		{
			name:  "the namespace of a release goes over that of its values",
			files: map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": data},
			in:    RenderInput{Namespace: "ns", Values: map[string]any{"namespace": "values"}},
			want:  "---\n# Source: dir/templates/kustomized.yaml\napiVersion: v1\ndata:\n  text: '{{ .Values.k }}'\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: ns\n",
		},
		{
			name:  "manifests at any depth are not read as templates and get the namespace of the release",
			files: map[string]string{"sub/a.yml": data, "README.md": "no", ".github/x.yaml": "no: object\n"},
			in:    RenderInput{Namespace: "ns"},
			want:  "---\n# Source: dir/templates/sub/a.yml\n" + strings.Replace(data, "name: a\n", "name: a\n  namespace: ns\n", 1),
		},
		{
			name:  "without a declared namespace objects keep none",
			files: map[string]string{"a.yaml": data},
			want:  "---\n# Source: dir/templates/a.yaml\n" + data,
		},
		{
			name:  "templates are rendered, and their output goes over a file of that name",
			files: map[string]string{"a.yaml": "replaced: yes\n", "a.yaml.gotmpl": "", "text.gotmpl": ""},
			in:    RenderInput{Template: templates},
			want:  "---\n# Source: dir/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-a-yaml-gotmpl\n",
		},
		{
			name:  "patches are applied to such a chart, too",
			files: map[string]string{"a.yaml": data},
			in:    RenderInput{Namespace: "ns", Patches: spec.Patches{JSON: []spec.Patch{{Target: map[string]string{"namespace": "ns"}, Text: []byte("- {op: remove, path: /data}\n")}}}},
			want:  "---\n# Source: dir/templates/patched_resources.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: ns\n",
		},
		{
			name:  "a forced namespace takes the place of the release's",
			files: map[string]string{"a.yaml": data},
			in:    RenderInput{Namespace: "ns", Release: spec.Release{Customize: spec.Customization{ForceNamespace: "forced"}}},
			want:  "---\n# Source: dir/templates/a.yaml\n" + strings.Replace(data, "name: a\n", "name: a\n  namespace: forced\n", 1),
		},
		{
			name:  "a list stays one",
			files: map[string]string{"a.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: a\n"},
			in:    RenderInput{Namespace: "ns"},
			want:  "---\n# Source: dir/templates/a.yaml\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: a\n",
		},
		{
			name:  "images must be a list of images",
			files: map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": data},
			in:    RenderInput{Values: map[string]any{"images": []any{"web:2"}}},
			fail:  "images[0] must be a map",
		},
		{
			name:  "a folder without manifests is not a chart",
			files: map[string]string{"README.md": "no"},
			fail:  "is not a chart: it has no Chart.yaml",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := releaseOf(writeDir(t, "dir", tt.files), "one")
			r.Set, r.Customize = tt.in.Release.Set, tt.in.Release.Customize
			tt.in.Release, tt.in.Offline = r, true
			rev, err := offline(t).Render(context.Background(), tt.in)
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Errorf("got %v, want an error with %q", err, tt.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.TrimSuffix(string(rev.Stream), "\n")); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
			if rev.Chart.Name != "dir" || rev.Chart.Version != "1.0.0" {
				t.Errorf("chart is %+v", rev.Chart)
			}
			if err := storeFrozen(t, rev); err != nil {
				t.Errorf("storing it: %v", err)
			}
		})
	}
}

func TestTheVersionOfAReleaseIsThatOfAMadeChart(t *testing.T) {
	r := releaseOf(writeDir(t, "dir", map[string]string{"a.yaml": configMap + "  k: v\n"}), "one")
	r.Chart.Version = "2.3.4"
	e := offline(t)
	c, err := e.Chart(context.Background(), RenderInput{Release: r})
	if err != nil {
		t.Fatal(err)
	}
	if c.Version != "2.3.4" {
		t.Errorf("version is %s", c.Version)
	}
	again, err := e.opts.Charts.Open(c.Digest)
	if err != nil || again.Name != "dir" {
		t.Errorf("opening it by its digest: %v, %v", again, err)
	}
	if messages, err := e.Lint(context.Background(), RenderInput{Release: r}); err != nil || len(messages) == 0 {
		t.Errorf("lint tells %v, %v", messages, err)
	}
}

func TestDependenciesOfARelease(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  of: chart\n"})
	extra := writeDir(t, "extra", map[string]string{
		"Chart.yaml":       "apiVersion: v2\nname: extra\nversion: 1.2.3\n",
		"templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Values.k | default \"none\" }}\n",
	})
	r := releaseOf(dir, "one")
	r.Customize.Dependencies = []spec.Dependency{{Chart: extra}, {Chart: extra, Alias: "second", Version: "1.x"}}
	tests := []struct {
		name   string
		values map[string]any
		want   []string
	}{
		{"all are on unless values say otherwise", nil, []string{"extra/templates/x.yaml", "second/templates/x.yaml"}},
		{"the condition is of the chart's name", map[string]any{"extra": map[string]any{"enabled": false}}, []string{"second/templates/x.yaml"}},
		{"or of the alias", map[string]any{"second": map[string]any{"enabled": false}}, []string{"extra/templates/x.yaml"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rev := render(t, offline(t), RenderInput{Release: r, Values: tt.values})
			var got []string
			for line := range strings.Lines(string(rev.Stream)) {
				if rest, ok := strings.CutPrefix(line, "# Source: demo/charts/"); ok {
					got = append(got, strings.TrimSpace(rest))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("templates (-want +got):\n%s", diff)
			}
			if err := storeFrozen(t, rev); err != nil {
				t.Errorf("storing it: %v", err)
			}
		})
	}
	t.Run("they get the namespace of a folder of manifests, and are below its templates", func(t *testing.T) {
		r := r
		r.Chart.Ref = writeDir(t, "dir", map[string]string{"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"})
		r.Customize.Dependencies = r.Customize.Dependencies[:1]
		rev := render(t, offline(t), RenderInput{Release: r, Namespace: "ns"})
		want := "# Source: dir/templates/charts/extra/templates/x.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one-none\n  namespace: ns\n"
		if got := string(rev.Stream); !strings.Contains(got, want) {
			t.Errorf("stream is %s", got)
		}
	})
}

func TestAScriptAsPostRendererIsThePluginOfItsNameOrItself(t *testing.T) {
	plugins := writeDir(t, "plugins", map[string]string{
		"mark/plugin.yaml": "apiVersion: v1\nname: mark\ntype: postrenderer/v1\nversion: 0.1.0\nruntime: subprocess\nruntimeConfig:\n  platformCommand:\n  - command: ${HELM_PLUGIN_DIR}/mark.sh\n",
		"mark/mark.sh":     "#!/bin/sh\nsed s/before/plugin-$1/\n",
	})
	if err := os.Chmod(filepath.Join(plugins, "mark", "mark.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HELM_PLUGINS", plugins)
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  k: before\n"})
	script := filepath.Join(filepath.Dir(dir), "bin", "own.sh")
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("#!/bin/sh\nsed s/before/script-$1/\n"), 0o755); err != nil { // it is run
		t.Fatal(err)
	}
	tests := []struct{ name, renderer, want string }{
		{"the plugin by its name", "mark", "k: plugin-x"},
		{"the plugin by the path of a script of its name", "../somewhere/mark.bash", "k: plugin-x"},
		{"a script from the state file's folder where there is no plugin", "./bin/own.sh", "k: script-x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := releaseOf(dir, "one")
			r.Options.PostRenderer, r.Options.PostRendererArgs = tt.renderer, []string{"x"}
			if got := string(render(t, offline(t), RenderInput{Release: r}).Stream); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What a script starts holds its output open, and outlives the script.
func TestACancelledPostRendererEndsWithAllThatItStarted(t *testing.T) {
	script := "#!/bin/sh\ntouch \"$0.up\"\nsleep 600\ncat\n"
	plugins := writeDir(t, "plugins", map[string]string{
		"slow/plugin.yaml": "apiVersion: v1\ntype: postrenderer/v1\nname: slow\nversion: 1.0.0\nruntime: subprocess\n" +
			"runtimeConfig:\n  platformCommand:\n  - command: ${HELM_PLUGIN_DIR}/run.sh\n",
		"slow/run.sh": script,
	})
	t.Setenv("HELM_PLUGINS", plugins)
	run := filepath.Join(plugins, "slow", "run.sh")
	if err := os.Chmod(run, 0o755); err != nil { // it is run
		t.Fatal(err)
	}
	for name, command := range map[string]string{"a program": run, "a plugin": "slow"} {
		t.Run(name, func(t *testing.T) {
			r := releaseOf(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  k: v\n"}), "one")
			r.Options.PostRenderer = command
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() {
				_, err := offline(t).Render(ctx, RenderInput{Release: r, Offline: true})
				ended <- err
			}()
			for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				if os.Remove(run+".up") == nil {
					break
				}
			}
			stop()
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error is %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("it has not ended")
			}
		})
	}
}
