package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(rs []Release) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.ID.String())
	}
	return strings.Join(out, " ")
}

func TestSelect(t *testing.T) {
	graph := map[string]string{"helmfile.yaml": `
values: [{off: {enabled: false}}]
releases:
- {name: a, chart: r/one, labels: {t: x}}
- {name: b, chart: c, namespace: n, labels: {t: y}, needs: [/a]}
- {name: c, chart: c, labels: {t: x}, needs: [n/b]}
- {name: d, chart: c, condition: off.enabled}
- {name: e, chart: c, labels: {t: e}, needs: [d]}
`}
	graph["helmfile.yaml"] = strings.Replace(graph["helmfile.yaml"], "[/a]", `["/a"]`, 1)
	nested := map[string]string{
		"helmfile.yaml": "helmfiles: [{path: s.yaml, selectors: [t=a]}, {path: p.yaml}]\nreleases: [{name: top, chart: c}]\n",
		"s.yaml":        "releases: [{name: s1, chart: c, labels: {t: a}}, {name: s2, chart: c}]\n",
		"p.yaml":        "releases: [{name: p1, chart: c, labels: {t: b}}, {name: s2, namespace: x, chart: c, needs: [\"/top\"]}]\n",
	}
	tests := []struct {
		name     string
		files    map[string]string
		selector []string
		needs    NeedsPolicy
		want     string // ids, or part of the error
	}{
		{"everything but what its condition switches off", graph, nil, NeedsSkip, "a n/b c e"},
		{"a label, needs outside are skipped", graph, []string{"t=x"}, NeedsSkip, "a c"},
		{"terms are alternatives, commas join", graph, []string{"t=x,name=c", "t=e"}, "", "c e"},
		{"a negation holds without the label", graph, []string{"t!=x"}, NeedsSkip, "n/b e"},
		{"namespace is empty unless set", graph, []string{"namespace=default"}, NeedsSkip, "no releases match namespace=default"},
		{"the chart label is its last part", graph, []string{"chart=one"}, NeedsSkip, "a"},
		{"include pulls the closure", graph, []string{"name=c"}, NeedsInclude, "a n/b c"},
		{"include pulls even what is switched off", graph, []string{"name=e"}, NeedsInclude, "d e"},
		{"require names the selector to add", graph, []string{"t=x"}, NeedsRequire, "--selector name=b"},
		{"an unknown policy", graph, nil, "maybe", `"maybe" is unknown`},
		{"own selectors replace those of the run", nested, []string{"name=s2"}, NeedsSkip, "s1 x/s2"},
		{"selectors that contradict exclude the file", nested, []string{"t=b"}, NeedsSkip, "p1"},
		{"a need in another file", map[string]string{"helmfile.yaml": "helmfiles: [p.yaml]\nreleases: [{name: top, chart: c}]\n", "p.yaml": "releases: [{name: p, chart: c, needs: [top]}]\n"}, []string{"name=p"}, NeedsInclude, "p top"},
		{"an undefined need", map[string]string{"helmfile.yaml": "releases: [{name: a, chart: c, needs: [nope]}]\n"}, nil, NeedsSkip, `helmfile.yaml:1:40: needs: release "a" needs "nope", but no release named "nope"`},
		{"ignored needs", map[string]string{"helmfile.yaml": "releases: [{name: a, chart: c, needs: [nope]}]\n"}, nil, NeedsIgnore, "a"},
		{"a cycle", map[string]string{"helmfile.yaml": "releases: [{name: a, chart: c, needs: [b]}, {name: b, chart: c, needs: [a]}]\n"}, nil, NeedsSkip, "needs form a cycle: a -> b -> a"},
		{"a need on itself", map[string]string{"helmfile.yaml": "releases: [{name: a, chart: c, needs: [a]}]\n"}, nil, NeedsSkip, "a -> a"},
		{"duplicates", map[string]string{"helmfile.yaml": "releases:\n- {name: a, chart: c}\n- {name: a, chart: d}\n"}, nil, NeedsSkip, `helmfile.yaml:3:3: releases.a: found duplicate releases with ID "a", the other one is at`},
		{"duplicates split by a selector", map[string]string{"helmfile.yaml": "releases:\n- {name: a, chart: c}\n- {name: a, chart: d}\n"}, []string{"chart=d"}, NeedsSkip, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustLoad(t, tt.files, LoadOptions{})
			sel, err := ParseSelector(tt.selector)
			if err != nil {
				t.Fatal(err)
			}
			rs, err := s.Select(sel, tt.needs)
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if got := names(rs); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNamespaceFlagKeepsQualifiedNeeds(t *testing.T) {
	s := mustLoad(t, map[string]string{"helmfile.yaml": "releases: [{name: a, namespace: one, chart: c}, {name: b, namespace: two, chart: c, needs: [one/a]}]\n"}, LoadOptions{Namespace: "over"})
	if got := s.Releases[1].Needs[0].ID; got != s.Releases[0].ID {
		t.Errorf("the need is %q, the release %q", got, s.Releases[0].ID)
	}
}

func TestNeedOnWhatIsNotInstalledWarns(t *testing.T) {
	var warnings []string
	s := mustLoad(t, map[string]string{"helmfile.yaml": "releases: [{name: a, chart: c, installed: false}, {name: b, chart: c, needs: [a]}]\n"},
		LoadOptions{Warn: func(w string) { warnings = append(warnings, w) }})
	if _, err := s.Select(Selector{}, NeedsSkip); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "installed: false") {
		t.Errorf("error %v, warnings %q", err, warnings)
	}
}

func TestBind(t *testing.T) {
	s := mustLoad(t, map[string]string{"helmfile.yaml": `
releases:
- {name: a, chart: c}
- {name: b, chart: c, kubeContext: other, needs: [main/default/a]}
- {name: c, chart: c, namespace: n, needs: ["/a", a]}
- {name: a, namespace: n, chart: c}
`}, LoadOptions{})
	bound, err := s.Bind(func(name string) (string, string, error) {
		if name == "" {
			return "main", "default", nil
		}
		return name, name + "-ns", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(bound.Releases), "main/default/a other/other-ns/b main/n/c main/n/a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := bound.CheckNeeds(); err != nil {
		t.Errorf("needs of the bound state: %v", err)
	}
	if got := bound.LabelsOf(bound.Releases[0])["namespace"]; got != "" {
		t.Errorf("the namespace label is %q after Bind, want it empty as before", got)
	}
	if s.Releases[0].ID.Context != "" {
		t.Error("Bind changed the original")
	}
	broken := errors.New("no cluster")
	if _, err := s.Bind(func(string) (string, string, error) { return "", "", broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want the resolver's", err)
	}
}

func TestParseSelector(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"conditions", "a=b,c!=d/e.f-g_h+i", "a=b,c!=d/e.f-g_h+i"},
		{"double equals is no operator of helmfile", "a==b", `bad selector "a==b": expected k=v or k!=v, found "a==b"`},
		{"an empty value", "a=", `bad selector "a=": expected k=v or k!=v, found "a="`},
		{"an empty part", "a=b,", `bad selector "a=b,": expected k=v or k!=v, found ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sel, err := ParseSelector([]string{tt.in})
			got := sel.String()
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzParseSelector(f *testing.F) {
	f.Add("a=b,c!=d")
	f.Add("==,!=")
	f.Fuzz(func(t *testing.T, text string) {
		sel, err := ParseSelector([]string{text})
		if err == nil && sel.String() != text {
			t.Errorf("%q prints as %q", text, sel.String())
		}
	})
}
