package spec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyKeepsHelmfilesMeaning(t *testing.T) {
	tests := []struct {
		name, verify, defaults string
		provenance             bool
		gates                  int
		built                  string // the key verify as "build" prints it
	}{
		{"true is the provenance of the chart", "verify: true", "", true, 0, "  verify: true\n"},
		{"false is not", "verify: false", "", false, 0, "  verify: false\n"},
		{"a word of YAML 1.1", "verify: yes", "", true, 0, "  verify: true\n"},
		{"the default of the file holds", "", "verify: true", true, 0, ""},
		{"the release wins over it", "verify: false", "verify: true", false, 0, "  verify: false\n"},
		{"a template", "verifyTemplate: '{{ eq .Release.Name \"web\" }}'", "", true, 0, "  verify: true\n"},
		{"a list are gates, and says nothing about provenance", "verify: [{test: true}]", "verify: true", true, 1, "    verify:\n      - test: true\n"},
		{"a map has both", "verify: {provenance: true, gates: [{test: true}, {command: x}]}", "", true, 2,
			"    verify:\n      provenance: true\n      gates:\n        - test: true\n        - command:\n            - x\n"},
		{"a template beside gates", "verify: [{test: {only: [a]}}]\n  verifyTemplate: 'true'", "", true, 1,
			"    verify:\n      provenance: true\n      gates:\n        - test:\n            only:\n              - a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustLoad(t, map[string]string{"helmfile.yaml": "helmDefaults: {" + tt.defaults + "}\nreleases:\n- name: web\n  chart: ./c\n  " + tt.verify + "\n"}, LoadOptions{})
			r := s.Releases[0]
			if r.Chart.Verify != tt.provenance || len(r.Verify) != tt.gates {
				t.Errorf("provenance %t, gates %+v", r.Chart.Verify, r.Verify)
			}
			built, err := s.StateOf(0, s.Releases)
			if err != nil {
				t.Fatal(err)
			}
			if tt.built != "" && !strings.Contains(string(built), tt.built) || tt.built == "" && strings.Contains(string(built), "\n  verify:") && tt.defaults == "" {
				t.Errorf("built %s, want %s", built, tt.built)
			}
			again := mustLoad(t, map[string]string{"helmfile.yaml": string(built)}, LoadOptions{})
			if got := again.Releases[0]; got.Chart.Verify != tt.provenance || len(got.Verify) != tt.gates {
				t.Errorf("what was built has provenance %t, gates %+v", got.Chart.Verify, got.Verify)
			}
		})
	}
}

func TestGatesAreRead(t *testing.T) {
	s := mustLoad(t, map[string]string{"helmfile.yaml": `
templates:
  tested:
    verify: [{test: true, showlogs: true}]
releases:
- name: web
  chart: ./c
  inherit: [{template: tested}]
  verify:
  - http: {url: "https://{{ .Release.Name }}/health"}
  - name: errors
    prometheus: {url: http://prom, query: up, threshold: ">= 1", onNoData: pass}
    within: 90
    for: 2m
  - {command: ./smoke.sh, args: [a], env: {A: b}, timeout: 7s, interval: 1m}
`}, LoadOptions{})
	var got []Gate
	for _, g := range s.Releases[0].Verify {
		g.Pos = Pos{Line: g.Pos.Line}
		got = append(got, g)
	}
	want := []Gate{
		{Kind: GateTest, Pos: Pos{Line: 4}, Interval: 2 * time.Second, Test: ChartTest{Logs: true}},
		{Kind: GateHTTP, Pos: Pos{Line: 10}, Within: time.Minute, Interval: 2 * time.Second, Timeout: 10 * time.Second,
			HTTP: HTTPProbe{Reach: Reach{URL: "https://{{ .Release.Name }}/health"}, Method: "GET", Status: []string{"2xx"}}},
		{Kind: GatePrometheus, Name: "errors", Pos: Pos{Line: 11}, Within: 90 * time.Second, For: 2 * time.Minute, Interval: 15 * time.Second, Timeout: 10 * time.Second,
			Prometheus: PrometheusQuery{Reach: Reach{URL: "http://prom"}, Query: "up", Threshold: ">= 1", NoDataPass: true}},
		{Kind: GateCommand, Pos: Pos{Line: 15}, Interval: time.Minute, Timeout: 7 * time.Second,
			Command: GateCommandRun{Argv: []string{"./smoke.sh", "a"}, Env: map[string]string{"A": "b"}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("gates (-want +got):\n%s", d)
	}
}

func TestGatesOfAGroupAreThoseOfAllFiles(t *testing.T) {
	var warned []string
	s := mustLoad(t, map[string]string{
		"helmfile.yaml": `
helmfiles: [nested.yaml]
groups:
  shop: {verify: [{http: {url: http://top}}]}
  typo: {verify: [{command: x}]}
releases:
- {name: web, chart: ./c, atomicGroup: shop}
- {name: alone, chart: ./c}
`,
		"nested.yaml": "groups: {shop: {verify: [{http: {url: http://nested}}]}}\nreleases: [{name: db, chart: ./c, atomicGroup: shop}]\n",
	}, LoadOptions{Warn: func(text string) { warned = append(warned, text) }})
	got := map[string][]string{}
	for _, r := range s.Releases {
		for _, g := range r.GroupVerify {
			got[r.ID.Name] = append(got[r.ID.Name], g.Group+" "+g.HTTP.URL+" of "+strings.TrimPrefix(s.Files[g.File].Path, s.Files[g.File].Dir+"/"))
		}
	}
	both := []string{"shop http://nested of nested.yaml", "shop http://top of helmfile.yaml"}
	if d := cmp.Diff(map[string][]string{"web": both, "db": both}, got); d != "" {
		t.Errorf("gates (-want +got):\n%s", d)
	}
	if len(warned) != 1 || !strings.HasSuffix(warned[0], "groups.typo has no effect: no release has atomicGroup: typo") {
		t.Errorf("warnings %q", warned)
	}
}

func TestGatesThatAreWrong(t *testing.T) {
	tests := []struct{ name, verify, want string }{
		{"nothing", "[{name: x}]", "expected exactly one of http, prometheus, test and command, found []"},
		{"two things", "[{test: true, command: x}]", "found [command test]"},
		{"a text", "hello", `expected true or false (check the chart's provenance), or a list of gates, found`},
		{"a key that is none", "[{http: {uri: x}}]", "url"},
		{"no address", "[{http: {url: 'user:hunter22@host/x'}}]", `http.url: "host/x" is no address of a server`},
		{"a scheme that is none", "[{http: {url: 'ftp://user:hunter22@host'}}]", `http.url: "ftp://host" is no address`},
		{"a status that is none", "[{http: {url: http://x, status: [200, okay]}}]", `http.status: "okay" is no status`},
		{"an expression that is none", "[{http: {url: http://x, matches: '('}}]", "http.matches: error parsing regexp"},
		{"certificates both ways", "[{http: {url: http://x, caFile: ca.pem, insecureSkipTLSVerify: true}}]", "exclude each other"},
		{"no query", "[{prometheus: {url: http://x, threshold: '< 1'}}]", "prometheus.query: is empty"},
		{"no comparison", "[{prometheus: {url: http://x, query: up, threshold: '1'}}]", `prometheus.threshold: "1" is no comparison`},
		{"no number", "[{prometheus: {url: http://x, query: up, threshold: '< many'}}]", `"many" is no number`},
		{"an answer to no data that is none", "[{prometheus: {url: http://x, query: up, threshold: '< 1', onNoData: maybe}}]", `onNoData: "maybe" is unknown`},
		{"a duration that is none", "[{command: x, timeout: soon}]", `timeout: expected a duration such as 30s or 2m, found "soon"`},
		{"no interval", "[{command: x, interval: 0}]", "interval: must be more than nothing"},
		{"a soak of a test", "[{test: true, for: 2m}]", "do not go with test"},
		{"a test that is none", "[{test: false}]", "false does nothing"},
		{"arguments of nothing", "[{test: true, args: [x]}]", "args and env are for a command"},
		{"an empty command", "[{command: []}]", "expected exactly one"},
		{"an empty program", "[{command: ''}]", "command: is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, map[string]string{"helmfile.yaml": "releases:\n- name: web\n  chart: ./c\n  verify: " + tt.verify + "\n"}, LoadOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "helmfile.yaml:4:") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter22") {
				t.Errorf("the error %v has a password", err)
			}
		})
	}
	_, err := load(t, map[string]string{"helmfile.yaml": "groups: {g: {verify: [{test: true}]}}\nreleases: []\n"}, LoadOptions{})
	if err == nil || !strings.Contains(err.Error(), "helmfile.yaml:1:23: groups.g.verify[0]: a group has no chart") {
		t.Errorf("error %v", err)
	}
}

func TestThreshold(t *testing.T) {
	for text, holds := range map[string][]bool{ // for 0, 1 and 2
		"< 1": {true, false, false}, "<=1": {true, true, false}, " > 1 ": {false, false, true}, ">=1.0": {false, true, true},
		"== 1e0": {false, true, false}, "!=1": {true, false, true},
	} {
		limit, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		for value, want := range holds {
			if limit.Holds(float64(value)) != want {
				t.Errorf("%d %s: not %t", value, text, want)
			}
		}
	}
}
