package spec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write puts files (path, text pairs) into a fresh folder.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
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

func load(t testing.TB, files map[string]string, opts LoadOptions) (*Spec, error) {
	t.Helper()
	opts.Dir = write(t, files)
	s, err := Load(context.Background(), "", opts)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), opts.Dir+"/", ""))
	}
	return s, err
}

func mustLoad(t testing.TB, files map[string]string, opts LoadOptions) *Spec {
	t.Helper()
	s, err := load(t, files, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type m = map[string]any

func TestStateValuesLayers(t *testing.T) {
	one, two := "a: 1\nl: [1, 2, 3]\nn: set\nf: true\n", "{a: 2, l: [null, 8], n: null, f: false}"
	tests := []struct {
		name  string
		files map[string]string
		opts  LoadOptions
		want  m
	}{
		{"entries of one list", map[string]string{"helmfile.yaml": "environments:\n  default: {values: [one.yaml, " + two + "]}\n", "one.yaml": one}, LoadOptions{}, m{"a": 2, "l": []any{nil, 8}, "n": nil, "f": false}},
		{"top-level values below environment values", map[string]string{"helmfile.yaml": "values: [one.yaml]\nenvironments:\n  default: {values: [" + two + "]}\n", "one.yaml": one}, LoadOptions{}, m{"a": 2, "l": []any{1, 8, 3}, "n": "set", "f": false}},
		{"a later part", map[string]string{"helmfile.yaml": "environments:\n  default: {values: [one.yaml]}\n---\nenvironments:\n  default: {values: [" + two + "]}\n", "one.yaml": one}, LoadOptions{}, m{"a": 2, "l": []any{1, 8, 3}, "n": "set", "f": false}},
		{"a base", map[string]string{"helmfile.yaml": "bases: [b.yaml]\nenvironments:\n  default: {values: [" + two + "]}\n", "b.yaml": "environments:\n  default: {values: [one.yaml]}\n", "one.yaml": one}, LoadOptions{}, m{"a": 2, "l": []any{nil, 8}, "n": nil, "f": false}},
		{"a values file flag loses against one part and wins against two: one", map[string]string{"helmfile.yaml": "environments:\n  default: {values: [{k: env}]}\n", "f.yaml": "k: file\n"}, LoadOptions{StateValuesFiles: []string{"f.yaml"}}, m{"k": "env"}},
		{"a values file flag loses against one part and wins against two: two", map[string]string{"helmfile.yaml": "environments:\n  default: {values: [{k: env}]}\n---\nhelmDefaults: {wait: true}\n", "f.yaml": "k: file\n"}, LoadOptions{StateValuesFiles: []string{"f.yaml"}}, m{"k": "file"}},
		{"a set flag changes one element", map[string]string{"helmfile.yaml": "values: [{l: [1, 2]}]\n"}, LoadOptions{StateValuesSet: []string{"l[1]=77,n=null"}}, m{"l": []any{1, 77}, "n": nil}},
		{"the strategy fallback", map[string]string{"helmfile.yaml": "environments:\n  default: {mergeStrategy: fallback, values: [{a: 0, b: null}, v.yaml.gotmpl]}\n", "v.yaml.gotmpl": "a: 1\nb: {{ .Values.a }}\n"}, LoadOptions{}, m{"a": 0, "b": 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustLoad(t, tt.files, tt.opts)
			if diff := cmp.Diff(tt.want, m(s.Files[0].Values)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestMistakes holds whole error pages.
func TestMistakes(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"an empty file", map[string]string{"helmfile.yaml": "# nothing\n"}, "helmfile.yaml: the file has no top-level keys"},
		{"environments and releases in one part", map[string]string{"helmfile.yaml": "environments: {}\nreleases: []\n"}, "helmfile.yaml:2:1: releases: environments and releases cannot be in one part: put a line --- between them"},
		{"bases after releases", map[string]string{"helmfile.yaml": "releases: []\nbases: [b.yaml]\n"}, "helmfile.yaml:2:1: bases: must come before releases"},
		{"a base inside a base", map[string]string{"helmfile.yaml": "bases: [b.yaml]\n", "b.yaml": "bases: [x.yaml]\n"}, "b.yaml:1:9: bases: a base may not have bases itself"},
		{"mistakes in several files and parts at once", map[string]string{
			"helmfile.yaml": "helmDefaults: {wiat: true}\n---\nhelmfiles: [sub.yaml, none.yaml]\nreleases:\n- {name: a, chart: ./c, need: []}\n",
		}, `helmfile.yaml:1:16: helmDefaults.wiat: unknown key "wiat", did you mean "wait"?
helmfile.yaml:5:25: releases[0].need: unknown key "need", did you mean "needs"?`},
		{"nested files that are not there, and one with a mistake", map[string]string{
			"helmfile.yaml": "helmfiles: [sub.yaml, none.yaml]\n", "sub.yaml": "relases: []\n",
		}, `sub.yaml:1:1: relases: unknown key "relases", did you mean "releases"?
helmfile.yaml:1:23: the state file none.yaml is not there`},
		{"a template error at its line of the second part", map[string]string{"helmfile.yaml.gotmpl": "values: [{a: 1}]\n---\nreleases:\n- {name: \"{{ .Values.b }}\", chart: c}\n"}, `helmfile.yaml.gotmpl:4:21: at <.Values.b>: map has no entry for key "b"`},
		{"an unknown key behind rendered lines", map[string]string{"helmfile.yaml.gotmpl": "releases:\n{{ range until 3 }}\n- {name: r{{ . }}, chart: c}\n{{ end }}\ncommonLables: {}\n"}, `helmfile.yaml.gotmpl:5:1: commonLables: unknown key "commonLables", did you mean "commonLabels"?`},
		{"a missing environment values file", map[string]string{"helmfile.yaml": "missingFileHandler: Warn\nenvironments:\n  default: {values: [no.yaml]}\n"}, "helmfile.yaml:3:22: the values file no.yaml is not there"},
		{"templates that never settle", map[string]string{"helmfile.yaml": "releases:\n- {name: \"x{{ .Release.Name }}\", chart: c}\n"}, "helmfile.yaml:2:3: releases.x{{ .Release.Name }}: recursive references can't be resolved: its templates still change after 6 rounds"},
		{"cyclic templates", map[string]string{"helmfile.yaml": "templates:\n  a: {inherit: [{template: b}]}\n  b: {inherit: [{template: a}]}\nreleases:\n- {name: r, chart: c, inherit: [{template: a}]}\n"}, "helmfile.yaml:3:17: inherit: templates inherit in a cycle: a -> b -> a"},
		{"a release without a chart, and a bad condition", map[string]string{"helmfile.yaml": "releases:\n- {name: r}\n- {name: s, chart: c, condition: no.enabled}\n"}, "helmfile.yaml:2:3: releases.r.chart: is empty: every release needs a chart\nhelmfile.yaml:3:3: releases.s.condition: the state values have no no"},
		{"a file that lists itself", map[string]string{"helmfile.yaml": "helmfiles: [helmfile.yaml]\n"}, "nested deeper than 64 files"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.files, LoadOptions{})
			if err == nil {
				t.Fatal("no error")
			}
			if tt.name == "a file that lists itself" {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string // base name, or part of the error
	}{
		{"helmfile's name", []string{"helmfile.yaml"}, "helmfile.yaml"},
		{"flotilla's name wins", []string{"helmfile.yaml", "flotilla.yaml"}, "flotilla.yaml"},
		{"a folder", []string{"helmfile.d/b.yaml"}, "b.yaml"},
		{"two of one family", []string{"helmfile.yaml", "helmfile.yaml.gotmpl"}, "both helmfile.yaml and helmfile.yaml.gotmpl"},
		{"a file and a folder", []string{"helmfile.yaml", "helmfile.d/a.yaml"}, "both helmfile.yaml and helmfile.d"},
		{"nothing", nil, "no state file found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{}
			for _, f := range tt.files {
				files[f] = "releases: []\n"
			}
			s, err := load(t, files, LoadOptions{})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = filepath.Base(s.Files[0].Path)
			}
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUndefinedEnvironmentSkipsTheFile(t *testing.T) {
	files := map[string]string{
		"helmfile.yaml": "helmfiles: [plain.yaml, {path: plain.yaml, values: [{k: v}]}, other.yaml]\nenvironments: {prod: {values: [{k: env}]}}\n",
		"plain.yaml":    "releases: [{name: '{{ .Values.k }}', chart: c}]\n",
		"other.yaml":    "environments: {dev: {}}\n",
	}
	s := mustLoad(t, files, LoadOptions{Environment: "prod"})
	if len(s.Files) != 2 || len(s.Releases) != 1 || s.Releases[0].ID.Name != "v" {
		t.Errorf("got %d files and %+v, want the nested file with values and its parent", len(s.Files), s.Releases)
	}
	s = mustLoad(t, files, LoadOptions{Environment: "none"})
	if _, err := s.Select(Selector{}, NeedsSkip); !errors.Is(err, ErrNothingMatched) {
		t.Errorf("error %v, want ErrNothingMatched", err)
	}
}

func TestInherit(t *testing.T) {
	s := mustLoad(t, map[string]string{"helmfile.yaml": `
defaultInherit: t1
templates:
  t1: {chart: ./chart, wait: true, timeout: 11, values: [{a: t1}], labels: {x: t1, y: t1}}
  t2: {timeout: 22, values: [{a: t2}], labels: {y: t2}}
commonLabels: {z: common}
releases:
- {name: r, wait: false, timeout: 33, inherit: [{template: t2}], values: [{a: r}], labels: {x: r, z: own}}
- {name: q, inherit: [{template: t2, except: [labels]}]}
`}, LoadOptions{})
	r, q := s.Releases[0], s.Releases[1]
	if !r.Options.Wait || r.Options.Timeout.Seconds() != 33 || q.Options.Timeout.Seconds() != 22 {
		t.Errorf("wait %v, timeouts %v and %v: true stays, the release's own wins", r.Options.Wait, r.Options.Timeout, q.Options.Timeout)
	}
	if diff := cmp.Diff(map[string]string{"x": "r", "y": "t2", "z": "common"}, r.Labels); diff != "" {
		t.Errorf("labels (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"x": "t1", "y": "t1", "z": "common"}, q.Labels); diff != "" {
		t.Errorf("excepted labels (-want +got)\n%s", diff)
	}
	var order []any
	for _, v := range r.Values {
		order = append(order, v.Inline["a"])
	}
	if diff := cmp.Diff([]any{"t1", "t2", "r"}, order); diff != "" {
		t.Errorf("values (-want +got)\n%s", diff)
	}
	if o := q.Options; o.HistoryMax != 10 || !o.CreateNamespace {
		t.Errorf("helmfile's defaults are missing: %+v", o)
	}
}

func TestFileOrder(t *testing.T) {
	files := map[string]string{
		"helmfile.yaml": "helmfiles: [a.yaml, b.yaml]\n", "a.yaml": "releases: [{name: a, chart: c}]\n",
		"b.yaml": "helmfiles: [c.yaml]\n", "c.yaml": "releases: [{name: c, chart: c}]\n",
	}
	s := mustLoad(t, files, LoadOptions{})
	var got []string
	for _, f := range s.Files {
		got = append(got, fmt.Sprint(filepath.Base(f.Path), f.Depends, f.Parent, f.FileOrder))
	}
	want := []string{"a.yaml[] 3 true", "c.yaml[0] 2 true", "b.yaml[1 0] 3 true", "helmfile.yaml[0 2] -1 true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for name, text := range map[string]string{"flotilla.yaml": "releases: []\n", "helmfile.yaml": "fileOrder: none\n"} {
		if s := mustLoad(t, map[string]string{name: text}, LoadOptions{}); s.Files[0].FileOrder {
			t.Errorf("%s has file order", name)
		}
	}
}

func TestSetOrderAndEscapes(t *testing.T) {
	s := mustLoad(t, map[string]string{"helmfile.yaml": `
releases:
- name: r
  chart: c
  set: [{name: a, value: "x,{y}"}, {name: l, values: [p, "q,r"]}, {name: f, file: f.txt}, {name: none}]
  setTemplate: [{name: t, value: "{{ .Release.Name }}"}]
  setString: [{name: s, value: "1"}]
  env: [{name: e, value: VAR}]
`}, LoadOptions{ReleaseSet: []string{"z=1,y=2"}, LookupEnv: func(name string) (string, bool) { return "v", name == "VAR" }})
	var got []string
	for _, v := range s.Releases[0].Set {
		got = append(got, string(v.Kind)+" "+v.Name+"="+strings.TrimPrefix(v.Value, s.Files[0].Dir))
	}
	want := []string{"set t=r", `set a=x\,\{y\}`, `set l={p,q\,r}`, "set-file f=/f.txt", "set-string s=1", "set e=v", "set-raw =z=1,y=2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestValuesOf(t *testing.T) {
	s := mustLoad(t, map[string]string{
		"helmfile.yaml": `
values: [{sv: state}]
releases:
- name: r
  chart: ./x
  namespace: ns
  valuesTemplate: [{vt: "{{ .Release.Name }}", k: vt}]
  values: [v/v.yaml.gotmpl, {k: v, lit: "{{ .Release.Name }}", n: null, ref: "ref+env://VAR"}]
- {name: missing, chart: c, values: [no.yaml]}
- {name: tolerated, chart: c, missingFileHandler: Warn, values: [no.yaml, {a: 1}]}
- {name: many, chart: c, values: ["v/*"]}
- {name: secret, chart: c, secrets: [s.yaml]}
- {name: vault, chart: c, values: [{a: "ref+vault://x#/y"}]}
`,
		"v/v.yaml.gotmpl": "file: {{ include \"p\" . }}\nns: {{ .Release.Namespace }}\nsv: {{ .Values.sv }}\nbig: 1000000\n",
		"v/_p.tpl":        `{{ define "p" }}{{ .Release.Labels.chart }}{{ end }}`,
		"cli.yaml":        "cli: true\n", "s.yaml": "a: 1\n",
	}, LoadOptions{ReleaseValues: []string{"cli.yaml"}, LookupEnv: func(name string) (string, bool) { return "secret", name == "VAR" }})
	ctx := context.Background()
	got, err := s.ValuesOf(ctx, s.Releases[0])
	if err != nil {
		t.Fatal(err)
	}
	want := m{"vt": "r", "k": "v", "file": "x", "ns": "ns", "sv": "state", "big": 1e6, "lit": "{{ .Release.Name }}", "n": nil, "ref": "secret", "cli": true}
	if diff := cmp.Diff(want, m(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, err := s.ValuesOf(ctx, s.Releases[2]); err != nil || got["a"] != 1.0 {
		t.Errorf("a tolerated file: %v, %v", got, err)
	}
	for i, part := range map[int]string{1: "the values file", 3: "matches 2 files", 4: "not encrypted with sops", 5: "resolving ref+vault://x#/y: this needs the program flotilla-secrets"} {
		if _, err := s.ValuesOf(ctx, s.Releases[i]); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %v, want %q", s.Releases[i].ID, err, part)
		}
	}
}

// What helm 4.3 makes of each file, seen with a chart that prints toJson .Values.
func TestValuesOfReadsValuesFilesAsHelmDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want m
	}{
		"words of YAML 1.1 are booleans": {
			"a: yes\nb: No\nc: ON\nd: off\ne: y\nf: n\nl: [yes, no]\n",
			m{"a": true, "b": false, "c": true, "d": false, "e": true, "f": false, "l": []any{true, false}},
		},
		"quoted and tagged words, and longer ones, are text": {
			"a: \"yes\"\nb: 'no'\nc: !!str on\nd: |-\n  off\ne: yesterday\n",
			m{"a": "yes", "b": "no", "c": "on", "d": "off", "e": "yesterday"},
		},
		"keys are named by their value": {
			"pos: {x: 1, y: 2}\non: 1\nNo: {n: 3}\n\"y\": 4\n0x10: 5\n1.50: 6\n1e3: 7\n",
			m{"pos": m{"x": 1.0, "true": 2.0}, "true": 1.0, "false": m{"false": 3.0}, "y": 4.0, "16": 5.0, "1.5": 6.0, "1000": 7.0},
		},
		"documents are merged": {
			"a: 1\nb: {c: 1, d: 1}\n---\n# nothing\n---\nb: {d: 2, e: null}\n",
			m{"a": 1.0, "b": m{"c": 1.0, "d": 2.0, "e": nil}},
		},
		"an anchor keeps the meaning of its word": {
			"a: &w no\nb: *w\nbase: &m {k: on}\nc: {<<: *m}\n",
			m{"a": false, "b": false, "base": m{"k": true}, "c": m{"k": true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustLoad(t, map[string]string{"helmfile.yaml": "releases: [{name: r, chart: c, values: [v.yaml]}]\n", "v.yaml": tt.file}, LoadOptions{})
			got, err := s.ValuesOf(context.Background(), s.Releases[0])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, m(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestValuesOfIsSafeForConcurrentUse(t *testing.T) {
	s := mustLoad(t, map[string]string{
		"helmfile.yaml": "values: [{m: {a: 1}}]\n---\nreleases:\n- {name: r, chart: c, values: [v.yaml.gotmpl]}\n- {name: s, chart: c, values: [v.yaml.gotmpl]}\n",
		"v.yaml.gotmpl": "{{ $_ := setValueAtPath \"m.b\" .Release.Name .Values }}b: {{ .Values.m.b }}\n",
	}, LoadOptions{})
	var group sync.WaitGroup
	for i := range 16 {
		r := s.Releases[i%2]
		group.Go(func() {
			got, err := s.ValuesOf(context.Background(), r)
			if err != nil || got["b"] != r.ID.Name {
				t.Errorf("%s: got %v, %v", r.ID, got, err)
			}
		})
	}
	group.Wait()
}

func FuzzLoad(f *testing.F) {
	f.Add("releases: [{name: '{{ .Environment.Name }}', chart: c, needs: [a/b]}]\n")
	f.Add("values: [{a: 1}]\n---\nreleases:\n- {name: r, chart: c, condition: a.enabled}\n")
	dir := f.TempDir() // nothing is in it, and nothing comes into it
	f.Fuzz(func(t *testing.T, text string) {
		off := func(name string) (string, bool) { return "true", name == "HELMFILE_DISABLE_INSECURE_FEATURES" }
		s, err := Load(context.Background(), "-", LoadOptions{
			Dir: dir, Stdin: strings.NewReader(text), NoExec: true, LookupEnv: off,
		})
		if (s == nil) == (err == nil) {
			t.Fatalf("spec %v, error %v: expected exactly one", s, err)
		}
		if s != nil {
			_ = s.CheckNeeds()
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var text strings.Builder
			text.WriteString("values: [{ns: x}]\n---\ntemplates:\n  t: {chart: ./c, namespace: \"{{ .Values.ns }}\", wait: true, labels: {n: \"{{ .Release.Name }}\"}}\nreleases:\n")
			for i := range n {
				fmt.Fprintf(&text, "- name: r%d\n  inherit: [{template: t}]\n  values: [{a: {b: %d}}, v.yaml]\n", i, i)
				if i > 0 {
					fmt.Fprintf(&text, "  needs: [r%d]\n", i-1)
				}
			}
			dir := write(b, map[string]string{"helmfile.yaml": text.String()})
			for b.Loop() {
				s, err := Load(context.Background(), "", LoadOptions{Dir: dir})
				if err != nil || len(s.Releases) != n {
					b.Fatal(err)
				}
			}
		})
	}
}
