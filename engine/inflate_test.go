package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const inner = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ .Release.Name }}'\n  namespace: '{{ .Release.Namespace }}'\n" +
	"data:\n  v: '{{ .Values.a }} {{ .Values.b }} {{ .Values.c }} {{ .Values.l }}'\n"

// chartFiles are a chart below a folder.
func chartFiles(below string, more map[string]string) map[string]string {
	files := map[string]string{
		below + "/Chart.yaml":           "apiVersion: v2\nname: app\nversion: 1.0.0\n",
		below + "/values.yaml":          "a: 1\nb: 1\nl: [1, 2]\n",
		below + "/templates/a.yaml":     inner,
		below + "/templates/h.yaml":     "apiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations: {helm.sh/hook: test}\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: pre-install}\n",
		below + "/crds/definition.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: boats.example.org\n",
	}
	for name, text := range more {
		files[name] = text
	}
	return files
}

// TestChartsOfAKustomization holds the entries of helmCharts against what
// helmfile 1.8.0 with kustomize 5 and Helm 4 installs for them; Helm sorts it.
func TestChartsOfAKustomization(t *testing.T) {
	tests := []struct {
		name  string
		k     string
		files map[string]string
		want  []string // "Kind/name" in order
		v     string
	}{
		{
			"a chart that is there, with values inline", "helmCharts: [{name: app, releaseName: r, valuesInline: {b: 2, c: 3}}]\n", nil,
			[]string{"ConfigMap/r", "Pod/hook", "Pod/test"}, "1 2 3 [1 2]",
		},
		{
			"the chart's own values win with valuesMerge: merge", "helmCharts: [{name: app, releaseName: r, valuesMerge: merge, valuesInline: {b: 2, c: 3}}]\n", nil,
			[]string{"ConfigMap/r", "Pod/hook", "Pod/test"}, "1 1 3 [1 2]",
		},
		{
			"values files", "helmCharts: [{name: app, releaseName: r, skipTests: true, valuesFile: v.yaml, additionalValuesFiles: [w.yaml], valuesInline: {b: 5}}]\n",
			map[string]string{"v.yaml": "a: 4\nb: 4\n", "w.yaml": "c: 6\n"},
			[]string{"ConfigMap/r", "Pod/hook"}, "4 5 6 [1 2]",
		},
		{
			"CRDs only when asked for, hooks not when told", "helmCharts: [{name: app, releaseName: r, includeCRDs: true, skipHooks: true}]\n", nil,
			[]string{"ConfigMap/r", "CustomResourceDefinition/boats.example.org"}, "1 1  [1 2]",
		},
		{
			"another home, with resources, changed like them", "helmGlobals: {chartHome: vendored}\nresources: [cm.yaml]\nnamePrefix: p-\nhelmCharts: [{name: app, releaseName: r, skipHooks: true}]\n",
			chartFiles("vendored/app", map[string]string{"cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n"}),
			[]string{"ConfigMap/p-r", "ConfigMap/p-own"}, "1 1  [1 2]",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := chartFiles("charts/app", tt.files)
			files["kustomization.yaml"] = tt.k
			rev := render(t, offline(t), RenderInput{Release: releaseOf(writeDir(t, "k", files), "outer")})
			var got []string
			for _, doc := range documentsOf(string(rev.Stream)) {
				var o struct {
					Kind     string
					Metadata struct{ Name string }
				}
				if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
					t.Fatal(err)
				}
				got = append(got, o.Kind+"/"+o.Metadata.Name)
			}
			for _, h := range rev.Hooks {
				got = append(got, h.Kind+"/"+h.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s\n%s", diff, rev.Stream)
			}
			if !strings.Contains(string(rev.Stream), "v: "+tt.v) && !strings.Contains(string(rev.Stream), "v: '"+tt.v+"'") {
				t.Errorf("v is not %q in\n%s", tt.v, rev.Stream)
			}
		})
	}
}

func TestChartsOfAKustomizationTakeItsNamespace(t *testing.T) {
	files := chartFiles("base/charts/app", nil)
	files["base/kustomization.yaml"] = "helmCharts: [{name: app, releaseName: r, skipHooks: true}]\n"
	files["kustomization.yaml"] = "namespace: outer\nresources: [base]\n"
	rev := render(t, offline(t), RenderInput{Release: releaseOf(writeDir(t, "k", files), "one")})
	if !strings.Contains(string(rev.Stream), "namespace: outer") {
		t.Errorf("the namespace of the outer kustomization is not the chart's:\n%s", rev.Stream)
	}
}

func TestChartsOfAKustomizationThatCannotBe(t *testing.T) {
	tests := []struct{ name, k, want string }{
		{"not there", "helmCharts: [{name: none}]\n", "no repo to fetch it from"},
		{"out of its folder", "helmCharts: [{name: ../app}]\n", "is no name of a chart"},
		{"a kustomization in place of a chart", "helmGlobals: {chartHome: ..}\nhelmCharts: [{name: k}]\n", "Chart.yaml"},
		{"an unknown merge", "helmCharts: [{name: app, valuesMerge: x}]\n", "expected merge, override or replace"},
		{"remote values", "helmCharts: [{name: app, valuesFile: 'https://192.0.2.1/v.yaml'}]\n", "remote files"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := chartFiles("charts/app", nil)
			files["kustomization.yaml"] = tt.k
			_, err := offline(t).Render(context.Background(), RenderInput{Release: releaseOf(writeDir(t, "k", files), "one"), Offline: true})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
