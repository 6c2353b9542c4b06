package spec

import (
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// TestMergeOfStructs has a row for each kind of value and a column for each
// place where whole parts of a state file are laid over each other.
func TestMergeOfStructs(t *testing.T) {
	const (
		zero    = "mergo skips zero values of structs, so that a part that does not name a key does not reset it; false, 0 and \"\" look the same"
		lists   = "bases and templates add to what includes them, a part corrects the parts before it"
		byKey   = "maps merge by key"
		under   = "helmDefaults: {wait: true, timeout: 5, historyMax: 3, createNamespace: true, cascade: orphan, args: [under]}\ncommonLabels: {a: under, b: under}\napiVersions: [under/v1]\nrepositories: [{name: under, url: 'http://u'}]\ntemplates: {t: {labels: {u: under}, wait: true}, only: {wait: true}}\nreleases: [{name: under, chart: c}]\n"
		over    = "helmDefaults: {wait: false, timeout: 0, historyMax: 0, createNamespace: false, cascade: '', force: true, args: [over]}\ncommonLabels: {b: over, c: over}\napiVersions: [over/v1]\nrepositories: [{name: over, url: 'http://o'}]\ntemplates: {t: {labels: {o: over}}}\nreleases: [{name: over, chart: c}]\n"
		inherit = "templates:\n  under: {chart: c, wait: true, timeout: 5, historyMax: 3, createNamespace: true, cascade: orphan, labels: {a: under, b: under}, apiVersions: [under/v1], postRendererArgs: [under]}\nreleases:\n- {name: r, inherit: [{template: under}], wait: false, timeout: 0, historyMax: 0, createNamespace: false, cascade: '', force: true, labels: {b: over, c: over}, apiVersions: [over/v1], postRendererArgs: [over]}\n"
	)
	parts := one(under + "---\n" + over)
	bases := map[string]string{"helmfile.yaml": "bases: [b.yaml]\n" + over, "b.yaml": under}
	templates := one(inherit)
	state := func(see func(schema.State) any) func(testing.TB, *Spec) any {
		return func(_ testing.TB, s *Spec) any { return see(s.loaded.files[0].file.state) }
	}
	defaults := state(func(s schema.State) any {
		h := s.HelmDefaults
		return []any{h.Wait, h.Timeout, *h.HistoryMax, *h.CreateNamespace, *h.Cascade, h.Force}
	})
	labels := state(func(s schema.State) any { return s.CommonLabels })
	versions := state(func(s schema.State) any { return s.APIVersions })
	repositories := state(func(s schema.State) any {
		var out []string
		for _, r := range s.Repositories {
			out = append(out, r.Name)
		}
		return strings.Join(out, " ")
	})
	entries := state(func(s schema.State) any {
		return []any{len(s.Templates), s.Templates["t"].Labels}
	})
	check(t, []quirk{
		{name: "parts: false, zero and empty text override nothing", why: zero, files: parts, see: defaults, want: []any{true, 5, 3, true, "orphan", true}},
		{name: "bases: false, zero and empty text override nothing", why: zero, files: bases, see: defaults, want: []any{true, 5, 3, true, "orphan", true}},
		{name: "inherit: false, zero and empty text override nothing", why: zero, files: templates, see: func(_ testing.TB, s *Spec) any {
			o := s.Releases[0].Options
			return []any{o.Wait, o.Timeout.Seconds(), o.HistoryMax, o.CreateNamespace, o.Cascade, o.ForceReplace}
		}, want: []any{true, 5.0, 3, true, "orphan", true}},
		{name: "parts: maps merge", why: byKey, files: parts, see: labels, want: map[string]string{"a": "under", "b": "over", "c": "over"}},
		{name: "bases: maps merge", why: byKey, files: bases, see: labels, want: map[string]string{"a": "under", "b": "over", "c": "over"}},
		{name: "inherit: maps merge", why: byKey, files: templates, see: func(_ testing.TB, s *Spec) any { return s.Releases[0].Labels }, want: map[string]string{"a": "under", "b": "over", "c": "over"}},
		{name: "parts: a template of one name replaces the other", why: "the entries of a map are whole", files: parts, see: entries, want: []any{2, map[string]string{"o": "over"}}},
		{name: "bases: a template of one name replaces the other", why: "the entries of a map are whole", files: bases, see: entries, want: []any{2, map[string]string{"o": "over"}}},
		{name: "parts: lists are replaced", why: lists, files: parts, see: versions, want: []string{"over/v1"}},
		{name: "bases: lists are appended, those of the base first", why: lists, files: bases, see: versions, want: []string{"under/v1", "over/v1"}},
		{name: "inherit: lists are appended, those of the template first", why: lists, files: templates, see: func(_ testing.TB, s *Spec) any { return s.Releases[0].Options.PostRendererArgs }, want: []string{"under", "over"}},
		{name: "parts: only the releases of the last part that has any survive", why: lists, files: parts, see: releases, want: "over"},
		{name: "bases: releases of the base come first", why: lists, files: bases, see: releases, want: "under over"},
		{name: "parts: repositories are replaced", why: lists, files: parts, see: repositories, want: "over"},
		{name: "bases: repositories are appended", why: lists, files: bases, see: repositories, want: "under over"},
		{name: "an empty list replaces nothing", why: zero, files: one("releases: [{name: a, chart: c}]\n---\nreleases: []\n"), see: releases, want: "a"},
		{name: "inherits: a nested file fills what it leaves out with its parent's", why: "the parent is a lower layer, by the same engine", files: map[string]string{
			"helmfile.yaml": "helmDefaults: {wait: true, timeout: 5}\ncommonLabels: {a: up, b: up}\nhelmfiles: [{path: s.yaml, inherits: [helmDefaults, commonLabels]}]\n",
			"s.yaml":        "helmDefaults: {wait: false, force: true}\ncommonLabels: {b: own}\nreleases: [{name: a, chart: c}]\n"},
			see: func(_ testing.TB, s *Spec) any {
				r := s.Releases[0]
				return []any{r.Options.Wait, r.Options.Timeout.Seconds(), r.Options.ForceReplace, r.Labels}
			}, want: []any{true, 5.0, true, map[string]string{"a": "up", "b": "own"}}},
		{name: "nothing is inherited without being asked for", why: "a nested file is a file of its own, which must also load alone", files: map[string]string{
			"helmfile.yaml": "helmDefaults: {wait: true}\nvalues: [{k: up}]\ncommonLabels: {a: up}\nhelmfiles: [s.yaml]\n",
			"s.yaml":        "releases: [{name: 'a-{{ .Values | get \"k\" \"none\" }}', chart: c}]\n"},
			see: func(_ testing.TB, s *Spec) any {
				r := s.Releases[0]
				return []any{r.ID.Name, r.Options.Wait, len(r.Labels)}
			}, want: []any{"a-none", false, 0}},
	})
}

// TestLayersOfStateValues goes through the layers of .Values from the lowest to
// the highest; each case has two of them.
func TestLayersOfStateValues(t *testing.T) {
	const (
		layers = "a layer closer to the one who starts the run wins"
		order  = "the command line is laid under the file before its first part, and what a part says is laid over what was there; the next part is laid over the sum"
		sparse = "layers are kept apart until they are used and merged sparsely then"
	)
	file := map[string]string{"f.yaml": "k: file\nl: [f]\n", "g.yaml": "k: last\n"}
	with := func(text string) map[string]string {
		return map[string]string{"helmfile.yaml": text, "f.yaml": file["f.yaml"], "g.yaml": file["g.yaml"],
			"v.hcl": "values {\n  k = \"hcl\"\n}\n", "w.hcl": "values {\n  m = hv.k\n}\n"}
	}
	files := LoadOptions{StateValuesFiles: []string{"f.yaml"}}
	check(t, []quirk{
		{name: "top-level values of the file beat those of a base", why: layers, files: map[string]string{"helmfile.yaml": "bases: [b.yaml]\nvalues: [{k: own}]\n", "b.yaml": "values: [{k: base, b: 1}]\n"}, see: stateValues, want: m{"k": "own", "b": 1}},
		{name: "top-level values of a later part beat those of an earlier one, null as well", why: "they are one list, merged with override", files: one("values: [{k: 1, n: 1}]\n---\nvalues: [{k: 2, n: null}]\n"), see: stateValues, want: m{"k": 2, "n": nil}},
		{name: "environment values beat top-level values that are written later", why: "top-level values are the defaults of all environments, wherever they stand", files: one("environments: {default: {values: [{k: env}]}}\n---\nvalues: [{k: top}]\n"), see: stateValues, want: m{"k": "env"}},
		{name: "environment values of the file beat those of a base, null as well", why: "the two lists become one, merged with override", files: map[string]string{"helmfile.yaml": "bases: [b.yaml]\nenvironments: {default: {values: [{k: own, n: null, l: [9]}]}}\n", "b.yaml": "environments: {default: {values: [{k: base, n: 1, l: [1, 2]}]}}\n"}, see: stateValues, want: m{"k": "own", "n": nil, "l": []any{9}}},
		{name: "environment values of a later part beat those of an earlier one, but null does not", why: sparse, files: one("environments: {default: {values: [{k: 1, n: 1, l: [1, 2]}]}}\n---\nenvironments: {default: {values: [{k: 2, n: null, l: [9]}]}}\n"), see: stateValues, want: m{"k": 2, "n": 1, "l": []any{9}}},
		{name: "a list with a null changes elements of an earlier part", why: sparse, files: one("environments: {default: {values: [{l: [1, 2, 3]}]}}\n---\nenvironments: {default: {values: [{l: [null, 8]}]}}\n"), see: stateValues, want: m{"l": []any{1, 8, 3}}},
		{name: "HCL beats entries of the list that come after it", why: "all files in HCL are one unit, because they refer to each other, and come last", files: with("environments: {default: {values: [w.hcl, v.hcl, {k: yaml}]}}\n"), see: stateValues, want: m{"k": "hcl", "m": "hcl"}},
		{name: "in a file of one part environment values beat --state-values-file", why: order, files: with("environments: {default: {values: [{k: env, l: [1, 2]}]}}\n"), opts: files, see: stateValues, want: m{"k": "env", "l": []any{1, 2}}},
		{name: "in a file of two parts --state-values-file beats environment values", why: order, files: with("environments: {default: {values: [{k: env, l: [1, 2]}]}}\n---\nreleases: [{name: a, chart: c}]\n"), opts: files, see: stateValues, want: m{"k": "file", "l": []any{"f"}}},
		{name: "--state-values-file beats top-level values in any case", why: "it counts as environment values", files: with("values: [{k: top}]\n"), opts: files, see: stateValues, want: m{"k": "file", "l": []any{"f"}}},
		{name: "the last --state-values-file wins", why: layers, files: with("values: [{k: top}]\n"), opts: LoadOptions{StateValuesFiles: []string{"f.yaml", "g.yaml"}}, see: stateValues, want: m{"k": "last", "l": []any{"f"}}},
		{name: "--state-values-set beats everything, in a file of one part, too", why: "it is a layer of its own above the others", files: with("environments: {default: {values: [{k: env, l: [1, 2]}]}}\n"), opts: LoadOptions{StateValuesFiles: []string{"f.yaml"}, StateValuesSet: []string{"k=set,l[1]=77"}}, see: stateValues, want: m{"k": "set", "l": []any{1, 77}}},
		{name: "--state-values-set fills a list that is not there with null", why: "an index is a place, and the places before it are there then", files: one("values: [{k: 1}]\n"), opts: LoadOptions{StateValuesSet: []string{"x[2]=z"}}, see: stateValues, want: m{"k": 1, "x": []any{nil, nil, "z"}}},
		{name: "--state-values-set beats --state-values-set-string", why: "the typed flags are laid over the others, whatever their order", files: one("values: [{k: 1}]\n"), opts: LoadOptions{StateValuesSet: []string{"k=2"}, StateValuesSetString: []string{"k=3"}}, see: stateValues, want: m{"k": 2}},
		{name: "--state-values-set-string with an empty text drops the key", why: "an empty text is no value for it", files: one("values: [{k: 1}]\n"), opts: LoadOptions{StateValuesSetString: []string{"e=,f=1"}}, see: stateValues, want: m{"k": 1, "f": "1"}},
		{name: "--state-values-set without = is an error", why: "helmfile panics here: a clear answer on purpose", files: one("values: [{k: 1}]\n"), opts: LoadOptions{StateValuesSet: []string{"k"}}, mistake: `--state-values-set "k": expected name=value`},
		{name: "what the command line says does not reach nested files", why: "only the name of the environment and selectors do; values are passed by the parent", files: map[string]string{"helmfile.yaml": "helmfiles: [s.yaml]\n", "s.yaml": "values: [{k: own}]\nreleases: [{name: 'a-{{ .Values.k }}', chart: c}]\n"}, opts: LoadOptions{StateValuesSet: []string{"k=set"}}, see: releases, want: "a-own"},
		{name: "values of a parent lose against environment values of a nested file of one part", why: order, files: map[string]string{"helmfile.yaml": "helmfiles: [{path: s.yaml, values: [{k: given}]}]\n", "s.yaml": "environments: {default: {values: [{k: env}]}}\n"}, see: func(_ testing.TB, s *Spec) any { return s.Files[0].Values["k"] }, want: "env"},
		{name: "and win over those of a nested file of two parts", why: order, files: map[string]string{"helmfile.yaml": "helmfiles: [{path: s.yaml, values: [{k: given}]}]\n", "s.yaml": "environments: {default: {values: [{k: env}]}}\n---\nreleases: [{name: 'a-{{ .Values.k }}', chart: c}]\n"}, see: releases, want: "a-given"},
	})
}

// TestLayersOfReleaseValues goes through the layers of a release's values from
// the lowest to the highest.
func TestLayersOfReleaseValues(t *testing.T) {
	files := map[string]string{
		"helmfile.yaml": "templates: {t: {valuesTemplate: [{a: tvt, b: tvt, c: tvt, d: tvt}], values: [{b: tv, c: tv, d: tv}]}}\nreleases:\n- name: r\n  chart: c\n  inherit: [{template: t}]\n  valuesTemplate: [{c: vt, d: vt, e: '{{ .Release.Name }}'}]\n  values: [{d: v, q: 1, l: [1, 2]}, v.yaml]\n  set: [{name: d, value: set}]\n  setTemplate: [{name: d, value: '{{ .Release.Name }}'}]\n",
		"v.yaml":        "q: null\nl: []\n", "cli.yaml": "e: cli\nd: cli\n",
	}
	opts := LoadOptions{ReleaseValues: []string{"cli.yaml"}, ReleaseSet: []string{"d=flag"}}
	check(t, []quirk{
		{name: "valuesTemplate below values, templates below the release within each, --values on top", why: "valuesTemplate is put in front of values after both were inherited", files: files, opts: opts, see: chartValues, want: m{"a": "tvt", "b": "tv", "c": "tv", "d": "cli", "e": "cli", "q": nil, "l": []any{}}},
		{name: "setTemplate below set below --set, all of them above the files", why: "Helm applies --set after all of its -f files", files: files, opts: opts, see: func(_ testing.TB, s *Spec) any {
			var out []string
			for _, v := range s.Releases[0].Set {
				out = append(out, v.Name+"="+v.Value)
			}
			return out
		}, want: []string{"d=r", "d=set", "=d=flag"}},
	})
}
