package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube/fake"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n"

func render(t testing.TB, e *Engine, in RenderInput) *state.Revision {
	t.Helper()
	in.Offline = true
	rev, err := e.Render(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func TestRenderGivesWhatHelmTemplateGives(t *testing.T) {
	dir := createdChart(t)
	r := releaseOf(dir, "shop")
	got := render(t, offline(t), RenderInput{Release: r, Values: map[string]any{"replicaCount": 3}})

	c, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	in := action.NewInstall(action.NewConfiguration())
	in.ReleaseName, in.Namespace, in.DryRunStrategy, in.Replace = "shop", "default", action.DryRunClient, true
	made, err := in.Run(c, map[string]any{"replicaCount": 3})
	if err != nil {
		t.Fatal(err)
	}
	helm := made.(*v1.Release)
	if diff := cmp.Diff(helm.Manifest, string(got.Stream)); diff != "" {
		t.Errorf("stream (-helm +flotilla):\n%s", diff)
	}
	if helm.Info.Notes != got.Notes || got.Notes == "" {
		t.Errorf("notes: helm has %q, flotilla %q", helm.Info.Notes, got.Notes)
	}
	var helmHooks []state.Hook
	for _, h := range helm.Hooks {
		helmHooks = append(helmHooks, toHook(h))
	}
	if diff := cmp.Diff(helmHooks, got.Hooks); diff != "" || len(got.Hooks) == 0 {
		t.Errorf("hooks (-helm +flotilla):\n%s", diff)
	}
}

func TestSetsGoOnTopOfValuesAsOnHelmsCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a,b=c")
	if err := os.WriteFile(file, []byte("from, a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := map[string]any{"keep": "x", "deep": map[string]any{"a": "1", "list": []any{"p", "q"}}}
	got, err := withSets(base, []spec.SetValue{
		{Kind: spec.SetTyped, Name: "deep.a", Value: "2"},
		{Kind: spec.SetTyped, Name: "deep.list[1]", Value: "z"},
		{Kind: spec.SetString, Name: "text", Value: "2"},
		{Kind: spec.SetTyped, Name: "many", Value: "{a,b}"},
		{Kind: spec.SetLiteral, Name: "literal", Value: "a,b={c}"},
		{Kind: spec.SetFile, Name: "file", Value: file},
		{Kind: spec.SetRaw, Value: "raw=true,other.x=null"},
		{Kind: spec.SetJSON, Value: `json.list=[1,"2"],gone=null`},
		{Kind: spec.SetJSON, Value: `{"json": {"more": true}, "top": "x"}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"keep": "x", "deep": map[string]any{"a": int64(2), "list": []any{"p", "z"}},
		"text": "2", "many": []any{"a", "b"}, "literal": "a,b={c}", "file": "from, a file\n",
		"raw": true, "other": map[string]any{"x": nil},
		"json": map[string]any{"list": []any{float64(1), "2"}, "more": true}, "gone": nil, "top": "x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if base["deep"].(map[string]any)["a"] != "1" || base["deep"].(map[string]any)["list"].([]any)[1] != "q" {
		t.Errorf("the caller's values were changed: %v", base)
	}
}

func TestWrongSetsAreAllToldWithTheirPlaceAndWithoutTheirValue(t *testing.T) {
	_, err := withSets(nil, []spec.SetValue{
		{Kind: spec.SetTyped, Name: "a[-1]", Value: "hunter2", Pos: spec.Pos{File: "helmfile.yaml", Line: 3}},
		{Kind: "strange", Name: "b", Value: "hunter2", Pos: spec.Pos{File: "helmfile.yaml", Line: 9}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	var mistake *spec.Error
	if !errors.As(err, &mistake) || mistake.Pos.Line != 3 {
		t.Errorf("first mistake is not at line 3: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "helmfile.yaml:9") || strings.Contains(text, "hunter2") {
		t.Errorf("error is %q", text)
	}
}

func TestTemplateErrorsNameReleaseAndLine(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": "a: 1\nb: {{ required \"tell me b\" .Values.b }}\n"})
	_, err := offline(t).Render(context.Background(), RenderInput{Release: releaseOf(dir, "one"), Offline: true})
	if err == nil || !strings.Contains(err.Error(), "default/one") || !strings.Contains(err.Error(), "demo/templates/a.yaml:2:6") ||
		!strings.Contains(err.Error(), "tell me b") {
		t.Errorf("error is %v", err)
	}
}

func TestRenderRefusesWhatHelmRefuses(t *testing.T) {
	template := configMap + "  a: b\n"
	tests := []struct {
		name  string
		files map[string]string
		value map[string]any
		want  string
	}{
		{"values that break the schema", map[string]string{
			"values.schema.json": `{"properties":{"n":{"type":"integer"}}}`, "templates/a.yaml": template,
		}, map[string]any{"n": "x"}, "/n"},
		{"a library chart", map[string]string{
			"Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\ntype: library\n",
		}, nil, "library charts are not installable"},
		{"a chart for another Kubernetes", map[string]string{
			"Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\nkubeVersion: '>=9.0.0'\n", "templates/a.yaml": template,
		}, nil, "kubeVersion >=9.0.0"},
		{"YAML that cannot be parsed", map[string]string{"templates/a.yaml": "a: b: c\n"}, nil, "demo/templates/a.yaml"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := writeChart(t, test.files)
			_, err := offline(t).Render(context.Background(), RenderInput{Release: releaseOf(dir, "one"), Values: test.value, Offline: true})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestTheComingOperationDecidesWhatTemplatesSee(t *testing.T) {
	dir := writeChart(t, map[string]string{
		"templates/a.yaml": configMap + "  a: '{{ .Release.IsInstall }} {{ .Release.IsUpgrade }} {{ .Release.Revision }}'\n",
	})
	tests := []struct {
		name    string
		history []state.Revision
		want    string
	}{
		{"absent", nil, "true false 1"},
		{"deployed", []state.Revision{{Number: 4, Status: state.StatusDeployed}}, "false true 5"},
		{"failed at first install", []state.Revision{{Number: 1, Status: state.StatusFailed}}, "false true 2"},
		{"pending", []state.Revision{{Number: 2, Status: state.StatusPendingUpgrade}}, "false true 3"},
		{"uninstalled with history", []state.Revision{{Number: 7, Status: state.StatusUninstalled}}, "true false 1"},
		{"uninstall broken off", []state.Revision{{Number: 7, Status: state.StatusUninstalling}}, "true false 1"},
	}
	e := offline(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rev := render(t, e, RenderInput{Release: releaseOf(dir, "one"), Have: state.Release{History: test.history}})
			if !strings.Contains(string(rev.Stream), "'"+test.want+"'") {
				t.Errorf("stream is %s, want %q in it", rev.Stream, test.want)
			}
		})
	}
}

func TestOfflineCapabilitiesCanBeGiven(t *testing.T) {
	dir := writeChart(t, map[string]string{
		"templates/a.yaml": configMap + "  a: '{{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions.Has \"x.io/v1\" }} {{ lookup \"v1\" \"Secret\" \"\" \"a\" }}'\n",
	})
	r := releaseOf(dir, "one")
	r.Options.KubeVersion, r.Options.APIVersions = "1.33.4", []string{"x.io/v1"}
	rev := render(t, offline(t), RenderInput{Release: r})
	if !strings.Contains(string(rev.Stream), "'v1.33.4 true map[]'") {
		t.Errorf("stream is %s", rev.Stream)
	}
}

func TestCRDsComeApartFromTheStreamUnlessAskedFor(t *testing.T) {
	dir := sharedChart(t, "crds")
	plain := render(t, offline(t), RenderInput{Release: releaseOf(dir, "one")})
	if len(plain.CRDs) != 1 || strings.Contains(string(plain.Stream), "CustomResourceDefinition") {
		t.Errorf("CRDs are %v, stream is %s", plain.CRDs, plain.Stream)
	}
	shown := render(t, offline(t), RenderInput{Release: releaseOf(dir, "one"), IncludeCRDs: true})
	if !strings.HasPrefix(string(shown.Stream), "---\n# Source: "+plain.CRDs[0].Path+"\n") || !strings.HasSuffix(string(shown.Stream), string(plain.Stream)) {
		t.Errorf("stream is %s", shown.Stream)
	}
}

func TestPostRendererSeesAndChangesHooksToo(t *testing.T) {
	dir := writeChart(t, map[string]string{
		"templates/a.yaml": configMap + "  a: before\n",
		"templates/h.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations:\n    helm.sh/hook: pre-install\ndata:\n  a: before\n",
	})
	script := filepath.Join(t.TempDir(), "post")
	text := "#!/bin/sh\nsed \"s/before/$1/\"\nprintf -- '---\\napiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: extra\\n'\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil { // it is run
		t.Fatal(err)
	}
	r := releaseOf(dir, "one")
	r.Options.PostRenderer, r.Options.PostRendererArgs = script, []string{"after"}
	rev := render(t, offline(t), RenderInput{Release: r})
	if !strings.Contains(string(rev.Stream), "# Source: demo/templates/a.yaml") || !strings.Contains(string(rev.Stream), "a: after") ||
		!strings.Contains(string(rev.Stream), "name: extra") || !strings.Contains(rev.Hooks[0].Manifest, "a: after") {
		t.Errorf("stream is %s, hooks are %v", rev.Stream, rev.Hooks)
	}
	if err := storeFrozen(t, rev); err != nil {
		t.Errorf("storing it: %v", err)
	}
}

func TestFailingPostRendererTellsWhatItSaid(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"})
	r := releaseOf(dir, "one")
	r.Options.PostRenderer, r.Options.PostRendererArgs = "/bin/sh", []string{"-c", "echo no kustomization >&2; exit 3"}
	_, err := offline(t).Render(context.Background(), RenderInput{Release: r, Offline: true})
	if !errors.Is(err, ErrPostRenderer) || !strings.Contains(err.Error(), "no kustomization") {
		t.Errorf("error is %v", err)
	}
}

// storeFrozen lets Helm install want from its frozen chart into memory and
// compares what is stored.
func storeFrozen(t testing.TB, want *state.Revision) error {
	t.Helper()
	c, err := offline(t).opts.Charts.Get(context.Background(), releaseOf(writeChart(t, map[string]string{}), "x").Chart)
	if err != nil {
		t.Fatal(err)
	}
	real, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := freeze(real.Metadata, want)
	if err != nil {
		return err
	}
	memory := driver.NewMemory()
	memory.SetNamespace("default")
	stored := &records{Driver: memory, ctx: context.Background(), name: "one", frozen: frozen, real: real, want: want}
	config := action.NewConfiguration()
	config.Releases = storage.Init(stored)
	config.KubeClient = &fake.PrintingKubeClient{Out: io.Discard, LogOutput: io.Discard}
	if config.Capabilities, err = offlineCapabilities(spec.Options{}); err != nil {
		t.Fatal(err)
	}
	in := action.NewInstall(config)
	in.ReleaseName, in.Namespace, in.DisableHooks = "one", "default", true
	in.SkipCRDs = true
	if _, err := in.Run(frozen, copyMap(want.Values)); err != nil {
		return err
	}
	made, err := stored.get("one", 1)
	if err != nil {
		return err
	}
	if made.Manifest != string(want.Stream) || made.Info.Notes != want.Notes || made.Chart != real {
		return fmt.Errorf("stored %q with notes %q, want %q with %q", made.Manifest, made.Info.Notes, want.Stream, want.Notes)
	}
	return nil
}

func TestFrozenChartStoresTheRenderedBytes(t *testing.T) {
	hook := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: post-install}"
	tests := []struct {
		name  string
		files map[string]string
	}{
		{"random values and certificates", map[string]string{"templates/a.yaml": configMap +
			"  a: {{ randAlphaNum 12 }}\n  ca: {{ (genCA \"x\" 1).Cert | b64enc }}\n", "templates/NOTES.txt": "{{ randAlphaNum 9 }}"}},
		{"text that looks like a template", map[string]string{"templates/a.yaml": configMap +
			"  a: '{{ \"{{\" }} .Values.x }} {{ \"{{{{-\" }} {{ \"}}\" }}'\n"}},
		{"a document without a newline at its end that moves to the front", map[string]string{
			"templates/a.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\n---\n" + configMap + "  a: b\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: s",
			"templates/b.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n\n\n",
		}},
		{"hooks among the objects of one file", map[string]string{
			"templates/a.yaml": configMap + "  a: b\n---\n" + hook + "\n---\n" + hook,
		}},
		{"comments and separators with blanks", map[string]string{
			"templates/a.yaml": "# Source: not/this.yaml\n--- \n# c\n" + configMap + "  a: |\n    x\n    # Source: y\n    z\n---\n# nothing\n---\n" + configMap + "  b: c\n",
		}},
		{"nothing at all", map[string]string{"templates/a.yaml": "{{ if false }}x{{ end }}\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := writeChart(t, test.files)
			want := render(t, offline(t), RenderInput{Release: releaseOf(dir, "one"), Values: map[string]any{"k": "v"}})
			if err := storeFrozen(t, want); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARecordThatDiffersFromTheReviewedOneIsRefused(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"})
	want := render(t, offline(t), RenderInput{Release: releaseOf(dir, "one")})
	want.Hooks = []state.Hook{{Path: "demo/templates/h.yaml", Manifest: "a: not a hook at all\n"}}
	if err := storeFrozen(t, want); !errors.Is(err, ErrNotFrozen) {
		t.Errorf("error is %v, want %v", err, ErrNotFrozen)
	}
}

func TestRenderIsSafeInParallel(t *testing.T) {
	e, dir := offline(t), createdChart(t)
	streams := make([]string, 16)
	var group sync.WaitGroup
	for i := range streams {
		group.Go(func() {
			r := releaseOf(dir, "shop")
			r.Set = []spec.SetValue{{Kind: spec.SetTyped, Name: "replicaCount", Value: fmt.Sprint(i)}}
			rev, err := e.Render(context.Background(), RenderInput{Release: r, Offline: true})
			if err != nil {
				t.Error(err)
				return
			}
			streams[i] = string(rev.Stream)
		})
	}
	group.Wait()
	for i, stream := range streams {
		if !strings.Contains(stream, fmt.Sprintf("replicas: %d\n", i)) {
			t.Errorf("render %d has not its own values: %s", i, stream)
		}
	}
}

func TestLintTellsWhatHelmLintTells(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: {{ .Values.a.b }}\n", "values.yaml": "{}\n"})
	messages, err := offline(t).Lint(context.Background(), RenderInput{Release: releaseOf(dir, "one")})
	if err != nil {
		t.Fatal(err)
	}
	bySeverity := map[Severity]int{}
	for _, m := range messages {
		bySeverity[m.Severity]++
	}
	if bySeverity[SeverityError] == 0 || bySeverity[SeverityInfo] == 0 {
		t.Errorf("messages are %v: want the template's error and the missing icon", messages)
	}
	fine, err := offline(t).Lint(context.Background(), RenderInput{Release: releaseOf(dir, "one"), Values: map[string]any{"a": map[string]any{"b": "c"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fine {
		if m.Severity == SeverityError {
			t.Errorf("with values it still fails: %v", m)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	e, dir := offline(b), createdChart(b)
	r := releaseOf(dir, "shop")
	for b.Loop() {
		render(b, e, RenderInput{Release: r, Values: map[string]any{"replicaCount": 2}})
	}
}
