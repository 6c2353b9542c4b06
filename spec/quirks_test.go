package spec

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// quirk is one behaviour of helmfile that files in the field rely on, seen with
// helmfile 1.8.0, and the reason for it there.
type quirk struct {
	name, why string
	files     map[string]string
	opts      LoadOptions
	see       func(t testing.TB, s *Spec) any // what is compared with want
	want      any
	mistake   string // part of the error, in place of see and want
}

func check(t *testing.T, quirks []quirk) {
	t.Helper()
	for _, q := range quirks {
		t.Run(q.name, func(t *testing.T) {
			s, err := load(t, q.files, q.opts)
			if q.mistake != "" {
				if err == nil || !strings.Contains(err.Error(), q.mistake) {
					t.Errorf("got the error %v, want one with %q: %s", err, q.mistake, q.why)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v, although %s", err, q.why)
			}
			if diff := cmp.Diff(q.want, q.see(t, s)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", q.why, diff)
			}
		})
	}
}

// one makes the files of a state that is one file.
func one(text string) map[string]string { return map[string]string{"helmfile.yaml": text} }

// stateValues sees .Values of the top file, which is loaded last.
func stateValues(_ testing.TB, s *Spec) any { return m(s.Files[len(s.Files)-1].Values) }

// releases sees the ids of all releases.
func releases(_ testing.TB, s *Spec) any { return names(s.Releases) }

// chartValues sees the values that the first release gives to its chart.
func chartValues(t testing.TB, s *Spec) any {
	got, err := s.ValuesOf(context.Background(), s.Releases[0])
	if err != nil {
		t.Fatal(err)
	}
	return m(got)
}

// selected sees the ids that a selector of the command line chooses, or why it
// chooses none.
func selected(needs NeedsPolicy, selectors ...string) func(testing.TB, *Spec) any {
	return func(t testing.TB, s *Spec) any {
		sel, err := ParseSelector(selectors)
		if err != nil {
			t.Fatal(err)
		}
		rs, err := s.Select(sel, needs)
		if err != nil {
			return err.Error()
		}
		return names(rs)
	}
}

// inlines sees the inline values of a release, layer by layer.
func inlines(i int) func(testing.TB, *Spec) any {
	return func(_ testing.TB, s *Spec) any {
		var out []m
		for _, v := range s.Releases[i].Values {
			out = append(out, v.Inline)
		}
		return out
	}
}

func TestQuirksOfReadingFiles(t *testing.T) {
	strict := "a key that is misspelt must not be ignored without a word"
	order := "the first parts are read for what later ones are rendered with"
	check(t, []quirk{
		{name: "an unknown key is an error", why: strict, files: one("releases: [{name: a, chart: c, chartt: d}]\n"), mistake: `unknown key "chartt"`},
		{name: "a key that is given twice is an error", why: strict, files: one("releases:\n- name: a\n  name: b\n  chart: c\n"), mistake: `key "name" is given twice`},
		{name: "an environment has no key defaults", why: "the documentation has one, the struct has none", files: one("environments:\n  default: {defaults: [a.yaml]}\n"), mistake: `unknown key "defaults"`},
		{name: "an empty file is an error", why: "it is more likely a mistake than a wish", files: one(""), mistake: "the file has no top-level keys"},
		{name: "a file of comments is an error", why: "it is as empty", files: one("# releases: []\n---\n# nothing\n"), mistake: "the file has no top-level keys"},
		{name: "environments and releases are in different parts", why: "releases are rendered with the values of environments in parts before them", files: one("environments: {default: {}}\nreleases: []\n"), mistake: "environments and releases cannot be in one part"},
		{name: "environments come before releases, also in a part of their own", why: order, files: one("releases: []\n---\nenvironments: {default: {}}\n"), mistake: "environments: must come before releases"},
		{name: "bases come before releases", why: order, files: one("releases: []\n---\nbases: [b.yaml]\n"), mistake: "bases: must come before releases"},
		{name: "a base has no bases", why: "their relative paths would have no single place to start from", files: map[string]string{"helmfile.yaml": "bases: [b.yaml]\n", "b.yaml": "bases: [c.yaml]\n", "c.yaml": "commonLabels: {a: b}\n"}, mistake: "a base may not have bases itself"},
		{name: "a pattern of nested files that matches none is an error", why: "since version 1 a misspelt path is not an empty fleet", files: one("helmfiles: ['sub/*.yaml']\n"), mistake: "the state file sub/*.yaml is not there"},
		{name: "unless missingFileHandler allows it", why: "the key of the file is about its nested files, too", files: one("missingFileHandler: Info\nhelmfiles: ['sub/*.yaml']\nreleases: [{name: a, chart: c}]\n"), see: releases, want: "a"},
		{name: "a plain file is not rendered, but fields of its releases are", why: "version 1 renders files once, and only those named .gotmpl; releases are templates of their own", files: one("values: [{v: x, l: '{{ .Values.v }}'}]\nreleases: [{name: 'r-{{ .Values.v }}', chart: 'c/{{ .Release.Name }}', namespace: '{{ .Environment.Name }}', values: [{k: '{{ .Values.v }}'}]}]\n"),
			see: func(_ testing.TB, s *Spec) any {
				r := s.Releases[0]
				return []any{r.ID.String(), r.Chart.Ref, r.Values[0].Inline["k"], s.Files[0].Values["l"]}
			}, want: []any{"default/r-x", "c/r-x", "{{ .Values.v }}", "{{ .Values.v }}"}},
		{name: "a path in a base starts from the file that includes it", why: "a base is merged as text of that file would be", files: map[string]string{
			"helmfile.yaml": "bases: [bases/b.yaml]\n", "bases/b.yaml": "environments: {default: {values: [v.yaml]}}\n",
			"v.yaml": "from: beside the file\n", "bases/v.yaml": "from: beside the base\n"}, see: stateValues, want: m{"from": "beside the file"}},
		{name: "a part that is separated by --- with blanks is a document of the same part", why: "parts are split at the literal line; what is left the decoder of YAML reads, and appends lists", files: one("releases: [{name: a, chart: c}]\n--- \nreleases: [{name: b, chart: c}]\n"), see: releases, want: "a b"},
		{name: "a date in inline values becomes a point in time", why: "the decoder of YAML makes it a time, which is written out for Helm", files: one("releases: [{name: a, chart: c, values: [{d: 2020-01-02, t: '2020-01-02'}]}]\n"), see: chartValues, want: m{"d": "2020-01-02T00:00:00Z", "t": "2020-01-02"}},
		{name: "a date in a values file stays text", why: "the file goes to Helm as it is, and Helm knows no times", files: map[string]string{"helmfile.yaml": "releases: [{name: a, chart: c, values: [v.yaml]}]\n", "v.yaml": "d: 2020-01-02\n"}, see: chartValues, want: m{"d": "2020-01-02"}},
		{name: "an environment that the file does not define leaves out the file and its nested files", why: "one tree of files may serve environments of which each file knows some", files: map[string]string{
			"helmfile.yaml": "helmfiles: [s.yaml]\nenvironments: {prod: {}}\n---\nreleases: [{name: top, chart: c}]\n", "s.yaml": "environments: {dev: {}}\n---\nreleases: [{name: s, chart: c}]\n"},
			opts: LoadOptions{Environment: "dev"}, see: selected(NeedsSkip), want: `no releases match in environment "dev"`},
		{name: "a file without environments knows only the default one", why: "the check is for the name, and default is the one that always exists", files: one("releases: [{name: a, chart: c}]\n"), opts: LoadOptions{Environment: "dev"}, see: selected(NeedsSkip), want: `no releases match in environment "dev"`},
		{name: "a nested file that is given values runs in any environment", why: "its parent is its environment then", files: map[string]string{
			"helmfile.yaml": "environments: {dev: {}}\n---\nhelmfiles: [{path: s.yaml, values: [{k: v}]}, p.yaml]\n", "s.yaml": "releases: [{name: 's-{{ .Values.k }}', chart: c}]\n", "p.yaml": "releases: [{name: p, chart: c}]\n"},
			opts: LoadOptions{Environment: "dev"}, see: releases, want: "s-v"},
		{name: "the key missingFileHandler of a file is not about values of environments", why: "they are loaded before the keys of their part count; an environment has the key itself", files: one("missingFileHandler: Warn\nenvironments: {default: {values: [no.yaml]}}\n"), mistake: "the values file no.yaml is not there"},
		{name: "missingFileHandler of an environment is", why: "it is the environment's own", files: one("environments: {default: {missingFileHandler: Debug, values: [no.yaml, {a: 1}]}}\n"), see: stateValues, want: m{"a": 1}},
		{name: "templates of an environment do not see earlier entries of their list", why: "the entries are merged after all of them are read", files: map[string]string{"helmfile.yaml": "environments: {default: {values: [{a: 1}, v.yaml.gotmpl]}}\n", "v.yaml.gotmpl": "b: {{ .Values | get \"a\" \"unseen\" }}\n"}, see: stateValues, want: m{"a": 1, "b": "unseen"}},
		{name: "a conditionTemplate makes a boolean", why: "unlike condition it is the answer, not a path to one", files: one("releases: [{name: a, chart: c, conditionTemplate: x.enabled}]\n"), mistake: "expected a template that makes true or false"},
	})
}

func TestQuirksOfInheritance(t *testing.T) {
	state := `
templates:
  first: {chart: c, wait: true, timeout: 11, labels: {x: first, y: first}, values: [{from: first}], set: [{name: s, value: first}]}
  second: {timeout: 22, labels: {y: second, z: second}, values: [{from: second}]}
  third: {inherit: [{template: first, except: [labels, values]}], wait: false}
releases:
- {name: a, inherit: [{template: first}, {template: second}], wait: false, timeout: 33, labels: {z: own}, values: [{from: own}]}
- {name: b, inherit: [{template: first}, {template: second}], timeout: 0}
- {name: c, inherit: [{template: third}]}
`
	mergo := "mergo lays structs over each other, and a zero value is no value for it"
	release := func(i int, see func(r Release) any) func(testing.TB, *Spec) any {
		return func(_ testing.TB, s *Spec) any { return see(s.Releases[i]) }
	}
	check(t, []quirk{
		{name: "wait true of a template beats wait false of the release", why: mergo, files: one(state), see: release(0, func(r Release) any { return r.Options.Wait }), want: true},
		{name: "a timeout of the release wins", why: "it is not zero", files: one(state), see: release(0, func(r Release) any { return r.Options.Timeout.Seconds() }), want: 33.0},
		{name: "a timeout of zero does not", why: mergo, files: one(state), see: release(1, func(r Release) any { return r.Options.Timeout.Seconds() }), want: 22.0},
		{name: "values are listed template by template, then the release's own", why: "lists are appended, so that later layers win key by key", files: one(state), see: inlines(0), want: []m{{"from": "first"}, {"from": "second"}, {"from": "own"}}},
		{name: "labels are merged, later templates and the release win", why: "maps merge by key", files: one(state), see: release(0, func(r Release) any { return r.Labels }), want: map[string]string{"x": "first", "y": "second", "z": "own"}},
		{name: "except leaves out fields of one template, with what it inherits itself", why: "a release can be like another one but for its values", files: one(state), see: release(2, func(r Release) any {
			return []any{r.Chart.Ref, len(r.Labels), len(r.Values), len(r.Set), r.Options.Wait}
		}), want: []any{"c", 0, 0, 1, true}},
		{name: "the state that build prints has templates as they were written", why: "helmfile shows there what releases did to them through shared pointers: not copied on purpose", files: one(state), see: func(_ testing.TB, s *Spec) any {
			return strings.Contains(finalState(s), "from: own") && strings.Count(finalState(s), "x: first") == 3
		}, want: true},
	})
}

func TestQuirksOfNestedFiles(t *testing.T) {
	files := map[string]string{
		"helmfile.yaml": "helmfiles: [{path: s.yaml, selectors: [t=a]}, {path: p.yaml}, {path: i.yaml, selectorsInherited: true}, {path: e.yaml, selectors: []}]\n",
		"s.yaml":        "releases: [{name: s1, chart: c, labels: {t: a}}, {name: s2, chart: c, labels: {t: b}}]\n",
		"p.yaml":        "releases: [{name: p1, chart: c, labels: {t: b}}, {name: p2, chart: c, labels: {t: a}}]\n",
		"i.yaml":        "releases: [{name: i1, chart: c, labels: {t: b}}, {name: i2, chart: c, labels: {t: a}}]\n",
		"e.yaml":        "releases: [{name: e1, chart: c, labels: {t: x}}]\n",
	}
	replace := "an entry that says what it wants is a call of its own; only a contradiction of one label proves that nothing is wanted"
	check(t, []quirk{
		{name: "without a selector each entry has its own", why: replace, files: files, see: selected(NeedsSkip), want: "s1 p1 p2 i1 i2 e1"},
		{name: "selectors of an entry replace those of the command line", why: replace, files: files, opts: LoadOptions{Selectors: []string{"name=s2"}}, see: selected(NeedsSkip, "name=s2"), want: "s1 e1"},
		{name: "unless both name one label with different values", why: replace, files: files, opts: LoadOptions{Selectors: []string{"t=b"}}, see: selected(NeedsSkip, "t=b"), want: "p1 i1 e1"},
		{name: "an entry without selectors inherits them", why: "so does one with selectorsInherited", files: files, opts: LoadOptions{Selectors: []string{"name=p2"}}, see: selected(NeedsSkip, "name=p2"), want: "s1 p2 e1"},
		{name: "with the experiment it takes everything", why: "explicit-selector-inheritance was meant to become the default", files: files, opts: LoadOptions{Selectors: []string{"name=i1"}, LookupEnv: func(k string) (string, bool) {
			return "explicit-selector-inheritance", k == "HELMFILE_EXPERIMENTAL"
		}}, see: selected(NeedsSkip, "name=i1"), want: "s1 p1 p2 i1 e1"},
	})
}

func TestQuirksOfSelection(t *testing.T) {
	state := one(`
values: [{on: {enabled: true}, off: {enabled: false}, leaf: {}}]
releases:
- {name: a, chart: r/one, namespace: n, labels: {t: x}}
- {name: b, chart: c}
- {name: c, chart: c, condition: on.enabled}
- {name: d, chart: c, condition: off.enabled}
- {name: e, chart: c, condition: leaf.enabled}
- {name: f, chart: c, needs: [d]}
`)
	check(t, []quirk{
		{name: "the label namespace is empty unless it is set", why: "the namespace of the context is not known when files are read", files: state, see: selected(NeedsSkip, "namespace=default"), want: `no releases match namespace=default in environment "default"`},
		{name: "a negation matches releases without the label", why: "the label is not that value", files: state, see: selected(NeedsSkip, "t!=x"), want: "b c f"},
		{name: "a condition whose leaf is missing is false", why: "enabled is the switch itself, which may be left out", files: state, see: func(_ testing.TB, s *Spec) any { return []bool{s.Releases[3].Enabled, s.Releases[4].Enabled} }, want: []bool{false, false}},
		{name: "a condition without the map that holds the leaf is an error", why: "the path is most likely misspelt", files: one("releases: [{name: a, chart: c, condition: no.enabled}]\n"), mistake: "the state values have no no"},
		{name: "what a condition switches off is declared but not selected", why: "list shows it with enabled=false, and it is never uninstalled", files: state, see: func(_ testing.TB, s *Spec) any {
			rs, err := s.Declared(Selector{})
			return []any{names(rs), err}
		}, want: []any{"n/a b c d e f", nil}},
		{name: "a release goes on without a need that a condition switches off", why: "that counts as not selected", files: state, see: selected(NeedsSkip, "name=f"), want: "f"},
		{name: "including needs includes even that one", why: "the closure of needs is taken before conditions are looked at", files: state, see: selected(NeedsInclude, "name=f"), want: "d f"},
	})
}

func TestQuirksOfNeeds(t *testing.T) {
	chain := one("releases: [{name: a, chart: c}, {name: b, chart: c, needs: [a]}, {name: c, chart: c, needs: [b]}]\n")
	check(t, []quirk{
		{name: "a need that nothing answers is an error", why: "it is most likely misspelt", files: one("releases: [{name: a, chart: c, needs: [b]}]\n"), see: func(_ testing.TB, s *Spec) any { return s.CheckNeeds() != nil }, want: true},
		{name: "a bare name is looked for in the own namespace and context", why: "ids are compared as text, and what is left out is one's own", files: one("releases: [{name: a, chart: c, namespace: one}, {name: b, chart: c, namespace: two, needs: [a]}]\n"), see: func(_ testing.TB, s *Spec) any { return s.Releases[1].Needs[0].ID }, want: ReleaseID{Namespace: "two", Name: "a"}},
		{name: "a context may hold slashes", why: "names of clusters in AWS do", files: one("releases: [{name: b, chart: c, needs: [arn:aws:eks:x:1:cluster/main/ns/a]}]\n"), see: func(_ testing.TB, s *Spec) any { return s.Releases[0].Needs[0].ID }, want: ReleaseID{Context: "arn:aws:eks:x:1:cluster/main", Namespace: "ns", Name: "a"}},
		{name: "--include-needs takes the whole closure", why: "its documentation says direct needs, but graphs are closed the same way for both flags", files: chain, see: selected(NeedsInclude, "name=c"), want: "a b c"},
		{name: "--skip-needs=false names the selector that is missing", why: "nothing is done out of order without being asked for", files: chain, see: func(t testing.TB, s *Spec) any {
			return strings.Contains(selected(NeedsRequire, "name=c")(t, s).(string), `release "c" needs "b", which is not selected: add --selector name=b`)
		}, want: true},
		{name: "a cycle is printed as a path", why: "the mistake is one of its edges", files: one("releases: [{name: a, chart: c, needs: [b]}, {name: b, chart: c, needs: [a]}]\n"), see: func(t testing.TB, s *Spec) any {
			return strings.Contains(selected(NeedsSkip)(t, s).(string), "a -> b -> a")
		}, want: true},
		{name: "two needs that name one release are one need", why: "helmfile panics here: a clear answer on purpose", files: one("releases: [{name: a, chart: c, namespace: n}, {name: b, chart: c, namespace: n, needs: [a, n/a]}]\n"), see: selected(NeedsSkip), want: "n/a n/b"},
		{name: "two releases with one id are an error", why: "one would overwrite the other", files: one("releases: [{name: a, chart: c}, {name: a, chart: d}]\n"), see: func(t testing.TB, s *Spec) any {
			_, err := s.Declared(Selector{})
			return strings.Count(selected(NeedsSkip)(t, s).(string)+err.Error(), `found duplicate releases with ID "a"`)
		}, want: 2},
		{name: "unless a selector takes only one of them", why: "files with a release for each of several regions rely on it", files: one("releases: [{name: a, chart: c}, {name: a, chart: d}]\n"), see: selected(NeedsSkip, "chart=d"), want: "a"},
		{name: "a switched-off double is one for commands that show what is declared", why: "they look before conditions are applied", files: one("releases: [{name: a, chart: c}, {name: a, chart: d, condition: 'false'}]\n"), see: func(t testing.TB, s *Spec) any {
			_, err := s.Declared(Selector{})
			return []any{selected(NeedsSkip)(t, s), err != nil}
		}, want: []any{"a", true}},
		{name: "--namespace keeps qualified needs", why: "in helmfile they name nothing any more: better on purpose", files: one("releases: [{name: a, namespace: one, chart: c}, {name: b, namespace: two, chart: c, needs: [one/a]}]\n"), opts: LoadOptions{Namespace: "over"}, see: func(_ testing.TB, s *Spec) any { return s.Releases[1].Needs[0].ID == s.Releases[0].ID }, want: true},
	})
}

func TestQuirksOfReleases(t *testing.T) {
	check(t, []quirk{
		{name: "a release creates its namespace, keeps 10 revisions and starts from the chart's values", why: "the flags that helmfile gives helm without being asked: --create-namespace, --history-max 10, --reset-values", files: one("releases: [{name: a, chart: c}]\n"), see: func(_ testing.TB, s *Spec) any {
			o := s.Releases[0].Options
			return []any{o.CreateNamespace, o.HistoryMax, o.ReuseValues}
		}, want: []any{true, 10, false}},
		{name: "references in values of an environment stay text until a release uses them", why: "only what goes to helm is resolved, so that a file can be read without the secret store", files: one("environments: {default: {values: [{k: 'ref+env://VAR'}]}}\n---\nreleases: [{name: a, chart: c, valuesTemplate: [{k: '{{ .Values.k }}', in: 'x-{{ .Values.k }}+-y'}]}]\n"), opts: LoadOptions{LookupEnv: func(k string) (string, bool) { return "secret", k == "VAR" }},
			see: func(t testing.TB, s *Spec) any {
				return []any{s.Files[0].Values["k"], strings.Contains(finalState(s), "secret"), chartValues(t, s)}
			}, want: []any{"ref+env://VAR", false, m{"k": "secret", "in": "x-secret-y"}}},
		{name: "a whole number may be written with a fraction of zero, no other fraction", why: "the decoder of YAML takes 5.0 for 5; that it also cuts 1.5 is not copied", files: one("releases: [{name: a, chart: c, timeout: 5.0}]\n"), see: func(_ testing.TB, s *Spec) any { return s.Releases[0].Options.Timeout.Seconds() }, want: 5.0},
		{name: "labels name, namespace and chart are helmfile's own", why: "selectors must be able to trust them", files: one("releases: [{name: a, chart: r/c, labels: {name: x, namespace: x, chart: x, own: x}}]\n"), see: func(_ testing.TB, s *Spec) any { return s.LabelsOf(s.Releases[0]) }, want: map[string]string{"name": "a", "namespace": "", "chart": "c", "own": "x"}},
		{name: "commonLabels win over a release's own", why: "they are what all releases have in common", files: one("commonLabels: {x: common}\nreleases: [{name: a, chart: c, labels: {x: own, y: own}}]\n"), see: func(_ testing.TB, s *Spec) any {
			return slices.Sorted(maps.Values(s.Releases[0].Labels))
		}, want: []string{"common", "own"}},
	})
}

// finalState is what build prints of the first file.
func finalState(s *Spec) string {
	text, err := s.StateOf(0, s.Releases)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
