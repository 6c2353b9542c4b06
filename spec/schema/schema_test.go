package schema

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDecodeTellsEveryMistakeWithItsPlace(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"an unknown key with the nearest one", "releases:\n- name: a\n  chrat: x\n", []string{`f.yaml:3:3: releases[0].chrat: unknown key "chrat", did you mean "chart"?`}},
		{"another case of a known key", "Releases: []\n", []string{`f.yaml:1:1: Releases: unknown key "Releases", did you mean "releases"?`}},
		{"a small map lists its keys", "missingFileHandlerConfig: {zzz: 1}\n", []string{`f.yaml:1:28: missingFileHandlerConfig.zzz: unknown key "zzz", known are ignoreMissingGitBranch`}},
		{"a key given twice", "releases: []\nreleases: []\n", []string{`f.yaml:2:1: key "releases" is given twice, first in line 1`}},
		{"wrong types, all of them", "releases:\n- {name: r, needs: other, labels: [a], wait: maybe, timeout: 1.5}\nvalues: {}\n", []string{
			`f.yaml:2:20: releases[0].needs: expected a list, found the string "other"`,
			`f.yaml:2:35: releases[0].labels: expected a map, found a list`,
			`f.yaml:2:46: releases[0].wait: expected true or false, found the string "maybe"`,
			`f.yaml:2:62: releases[0].timeout: expected a whole number, found the number 1.5`,
			`f.yaml:3:9: values: expected a list, found a map`,
		}},
		{"selectors without a path", "helmfiles: [{selectors: [a=b]}]\n", []string{`f.yaml:1:13: helmfiles[0]: selectors without a path`}},
		{"broken YAML", "releases: [\n", []string{`f.yaml:2: bad YAML: did not find expected node content`}},
		{"a bomb of aliases", bomb(), []string{`too large: more than 2097152 values once aliases are followed`}},
		{"deep nesting", "values: " + strings.Repeat("[", 300) + strings.Repeat("]", 300), []string{`too large: nested deeper than 200 levels`}},
		{"an anchor that holds itself", "values: &a [*a]\n", []string{`too large: nested deeper`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode([]byte(tt.text), InFile("f.yaml"))
			if err == nil {
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("got %d mistakes, want %d:\n%v", len(lines), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("got %q, want it to hold %q", lines[i], want)
				}
			}
		})
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 9; i++ {
		p := string(rune('0' + i - 1))
		b.WriteString("a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [*a" + p + strings.Repeat(", *a"+p, 9) + "]\n")
	}
	return b.String()
}

func TestDecodeTakesWhatHelmfileTakes(t *testing.T) {
	text := `
helmfiles: [one.yaml, {path: two.yaml, selectors: []}]
defaultInherit: base
templates:
  t: &t {wait: true, labels: &l {a: x}}
releases:
- <<: *t
  name: 123
  namespace: true
  labels: {<<: *l, b: 1.0}
  inherit: {template: base}
  installed: no
  values: [v.yaml, {d: 2020-01-01, o: 012}]
`
	st, err := Decode([]byte(text), InFile("f.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := st.Releases[0]
	no, yes := false, true
	want := Release{
		Pos: Pos{"f.yaml", 7, 3}, Name: "123", Namespace: "true", Wait: &yes, Installed: &no,
		Labels:  map[string]string{"a": "x", "b": "1.0"},
		Inherit: Inherits{{Pos: Pos{"f.yaml", 11, 12}, Template: "base"}},
		Values: []Entry{
			{Pos: Pos{"f.yaml", 13, 12}, Value: "v.yaml"},
			{Pos: Pos{"f.yaml", 13, 20}, Value: map[string]any{"d": time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), "o": 10}},
		},
	}
	if diff := cmp.Diff(want, r, cmpopts.IgnoreFields(Entry{}, "Source")); diff != "" {
		t.Errorf("release (-want +got)\n%s", diff)
	}
	if got := st.Helmfiles; got[0].Path != "one.yaml" || got[0].Selectors != nil || got[1].Selectors == nil {
		t.Errorf("helmfiles: %+v", got)
	}
	if diff := cmp.Diff(Names{"base"}, st.DefaultInherit); diff != "" {
		t.Error(diff)
	}
}

func TestMergeStructs(t *testing.T) {
	yes, no, zero := true, false, 0
	base := State{
		HelmDefaults: HelmDefaults{Wait: true, Timeout: 10, CreateNamespace: &yes},
		APIVersions:  []string{"v1"}, CommonLabels: map[string]string{"a": "1", "b": "1"},
		Releases: []Release{{Name: "one", Wait: &yes}},
	}
	over := State{
		HelmDefaults: HelmDefaults{Wait: false, Timeout: 0, Force: true, CreateNamespace: &no, HistoryMax: &zero},
		APIVersions:  []string{"v2"}, CommonLabels: map[string]string{"b": "2"},
		Releases: []Release{{Name: "two"}},
	}
	want := HelmDefaults{Wait: true, Timeout: 10, Force: true, CreateNamespace: &yes, HistoryMax: &zero}
	for _, lists := range []Lists{ReplaceLists, AppendLists} {
		got := base
		Merge(&got, &over, lists)
		if diff := cmp.Diff(want, got.HelmDefaults); diff != "" {
			t.Errorf("%s: a zero value overrides nothing (-want +got)\n%s", lists, diff)
		}
		if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, got.CommonLabels); diff != "" {
			t.Errorf("%s: maps merge by key (-want +got)\n%s", lists, diff)
		}
		names := []string{"two"}
		if lists == AppendLists {
			names = []string{"one", "two"}
		}
		var have []string
		for _, r := range got.Releases {
			have = append(have, r.Name)
		}
		if diff := cmp.Diff(names, have); diff != "" {
			t.Errorf("%s: lists (-want +got)\n%s", lists, diff)
		}
	}
	if !*base.Releases[0].Wait || base.CommonLabels["b"] != "1" {
		t.Error("the merge changed its source")
	}
}

func TestMergeEnvironmentsPutsTheLaterLayerFirstUnderFallback(t *testing.T) {
	entry := func(s string) []Entry { return []Entry{{Value: s}} }
	tests := []struct {
		name, strategy string
		want           []Entry
	}{
		{"override", "", append(entry("base"), entry("own")...)},
		{"fallback", "fallback", append(entry("own"), entry("base")...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := MergeEnvironments(map[string]Environment{"e": {Values: entry("base"), KubeContext: "c"}},
				map[string]Environment{"e": {Values: entry("own"), MergeStrategy: tt.strategy}})
			if diff := cmp.Diff(tt.want, got["e"].Values); diff != "" || got["e"].KubeContext != "c" {
				t.Errorf("context %q (-want +got)\n%s", got["e"].KubeContext, diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("releases: [{name: a, chart: b}]")
	f.Add("a: &a {<<: *a}")
	f.Add("values: [{x: !!binary aGk=}]")
	f.Fuzz(func(t *testing.T, text string) {
		st, err := Decode([]byte(text), InFile("f"))
		if st == nil {
			t.Fatalf("no state, error %v", err)
		}
		if err == nil {
			if _, err := Marshal(st); err != nil {
				t.Errorf("a state that was read cannot be printed: %v", err)
			}
		}
	})
}
