package spec

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetsThatAreAppendedStayAndAreResolved(t *testing.T) {
	s := mustLoad(t, map[string]string{"helmfile.yaml": `
releases:
- {name: ref, chart: c, set: [{name: a, value: "ref+vault://x1"}]}
- {name: plain, chart: c, set: [{name: a, value: "x,y"}]}
`}, LoadOptions{Secrets: &vault{}, ReleaseSet: []string{"cli=ref+vault://x2,l={ref+vault://x3,p}"}})
	added := []SetValue{
		{Kind: SetRaw, Value: "n=1"},
		{Kind: SetRaw, Value: `r=ref+vault://x\,4#/k,e=a\,b`},
		{Kind: SetString, Name: "s", Value: "x-ref+vault://x5+-y"},
		{Kind: SetLiteral, Name: "t", Value: "ref+echo://a,b"},
		{Kind: SetFile, Name: "f", Value: "/x/ref+f"},
		{Kind: SetRaw, Value: `b=ref+env://BACKSLASH`},
	}
	s.loaded.loader.secrets.opts.LookupEnv = func(string) (string, bool) { return `a\{b`, true }
	show := func(set []SetValue) []string {
		var out []string
		for _, v := range set {
			out = append(out, strings.TrimPrefix(fmt.Sprint(v.Kind, " ", v.Name, "=", v.Value), "set-raw ="))
		}
		return out
	}
	tail := []string{
		"cli=secret of vault://x2,l={secret of vault://x3,p}", "n=1", `r=secret of vault://x\,4#/k,e=a\,b`, `b=a\\\{b`,
		"set-string s=x-secret of vault://x5-y", "set-file f=/x/ref+f", "set-literal t=a,b",
	}
	for i, first := range []string{"set a=secret of vault://x1", `set a=x\,y`} {
		r := s.Releases[i]
		before := len(r.Set)
		r.Set = append(r.Set, added...)
		got, err := s.SetOf(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]string{first}, tail...), show(got)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", r.ID.Name, diff)
		}
		if r.Set[before+1].Value != added[1].Value {
			t.Errorf("%s: the release holds the secret", r.ID.Name)
		}
	}
	r := s.Releases[1]
	r.Set = append(r.Set, SetValue{Kind: SetRaw, Value: "a=ref+vault://none?token=hidden#/k"})
	s = mustLoad(t, map[string]string{"helmfile.yaml": "releases: [{name: r, chart: c}, {name: plain, chart: c}]\n"}, LoadOptions{})
	if _, err := s.SetOf(context.Background(), r); err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "resolving ref+vault://none") {
		t.Errorf("error %v", err)
	}
}

// TestSetsCountInHelmsOrder holds the kinds against what helmfile 1.8.0 with
// Helm 4.3.1 renders: Helm reads flags of one kind after those of another.
func TestSetsCountInHelmsOrder(t *testing.T) {
	s := mustLoad(t, map[string]string{"f.txt": "x", "helmfile.yaml": `
releases:
- name: r
  chart: c
  set: [{name: a, file: f.txt}, {name: a, value: typed}]
  setString: [{name: b, value: text}]
  env: [{name: b, value: HOME}]
`}, LoadOptions{LookupEnv: func(string) (string, bool) { return "home", true }, ReleaseSet: []string{"b=cli"}})
	r := s.Releases[0]
	r.Set = append(r.Set, SetValue{Kind: SetLiteral, Name: "a"}, SetValue{Kind: SetJSON, Value: "a=1"})
	set, err := s.SetOf(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range set {
		got = append(got, string(v.Kind))
	}
	want := []string{"set-json", "set", "set", "set-raw", "set-string", "set-file", "set-literal"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
