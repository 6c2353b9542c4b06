//go:build unix

package hooks_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
)

func TestGatesAreRenderedAsHooksAre(t *testing.T) {
	f := newFixture(t, nil)
	f.script(t, "ca.pem", "the certificate")
	const text = "{{.Release.Name}} {{.Values.size}} {{.Environment.Name}} {{.HelmfileCommand}}"
	const want = "web large prod apply"
	got, err := f.Gates(t.Context(), web(), []spec.Gate{
		{Kind: spec.GateHTTP, Name: text, HTTP: spec.HTTPProbe{
			Reach:  spec.Reach{URL: "http://{{.Release.Name}}/", Headers: map[string]string{"X": text}, CAFile: "{{print `ca`}}.pem"},
			Status: []string{"2xx"}, Body: text, Contains: text, Matches: text}},
		{Kind: spec.GatePrometheus, Prometheus: spec.PrometheusQuery{Reach: spec.Reach{URL: "http://prom"}, Query: text, Threshold: "< {{len .Values.size}}"}},
		{Kind: spec.GateCommand, Command: spec.GateCommandRun{Argv: []string{"echo", text}, Env: map[string]string{"A": text}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	diff := cmp.Diff([]spec.Gate{
		{Kind: spec.GateHTTP, Name: want, HTTP: spec.HTTPProbe{
			Reach:  spec.Reach{URL: "http://web/", Headers: map[string]string{"X": want}, CA: got[0].HTTP.CA},
			Status: []string{"2xx"}, Body: want, Contains: want, Matches: want}},
		{Kind: spec.GatePrometheus, Prometheus: spec.PrometheusQuery{Reach: spec.Reach{URL: "http://prom"}, Query: want, Threshold: "< 5"}},
		{Kind: spec.GateCommand, Command: spec.GateCommandRun{Argv: []string{"echo", want}, Env: map[string]string{"A": want}, Dir: f.dir}},
	}, got)
	if diff != "" || !strings.Contains(got[0].HTTP.CA, "the certificate") {
		t.Errorf("certificate %q, gates (-want +got):\n%s", got[0].HTTP.CA, diff)
	}
}

func TestGatesOfAGroupSeeNoRelease(t *testing.T) {
	f := newFixture(t, nil)
	got, err := f.Gates(t.Context(), nil, []spec.Gate{{Kind: spec.GateCommand, Command: spec.GateCommandRun{Argv: []string{"{{.Values.size}}"}}}})
	if err != nil || got[0].Command.Argv[0] != "large" {
		t.Errorf("got %+v, %v", got, err)
	}
	gate := spec.Gate{Kind: spec.GateCommand, Pos: spec.Pos{File: "f", Line: 3}, Command: spec.GateCommandRun{Argv: []string{"{{.Release.Name}}"}}}
	_, err = f.Gates(t.Context(), nil, []spec.Gate{gate})
	if err == nil || !strings.HasPrefix(err.Error(), "f:3: verify: rendering command: ") {
		t.Errorf("error %v", err)
	}
}

func TestWhatATemplateMakesOfAGateIsChecked(t *testing.T) {
	f := newFixture(t, nil)
	probe := func(change func(*spec.HTTPProbe)) spec.Gate {
		g := spec.Gate{Kind: spec.GateHTTP, HTTP: spec.HTTPProbe{Reach: spec.Reach{URL: "http://x"}, Status: []string{"2xx"}}}
		change(&g.HTTP)
		return g
	}
	tests := []struct {
		name string
		gate spec.Gate
		want string
	}{
		{"an address", probe(func(p *spec.HTTPProbe) { p.URL = "{{.Values.size}}" }), `http.url: "large" is no address`},
		{"an expression", probe(func(p *spec.HTTPProbe) { p.Matches = "{{print `(`}}" }), "http.matches: error parsing regexp"},
		{"a file that is not there", probe(func(p *spec.HTTPProbe) { p.CAFile = "no.pem" }), "caFile: open " + f.dir + "/no.pem"},
		{"a comparison", spec.Gate{Kind: spec.GatePrometheus, Prometheus: spec.PrometheusQuery{
			Reach: spec.Reach{URL: "http://x"}, Query: "up", Threshold: "{{.Values.size}}"}}, `"large" is no comparison`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := f.Gates(t.Context(), web(), []spec.Gate{tt.gate}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAProgramOfAGateIsStartedAsAHookIs(t *testing.T) {
	f := newFixture(t, nil)
	said, err := f.Start(t.Context(), hooks.Program{Name: "smoke", Argv: []string{"sh", "-c", "echo $A; exit 3"}, Env: []string{"A=b c"}, Dir: f.dir, Show: true})
	if err == nil || err.Error() != "exit status 3" {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff([]string{"b c"}, said); d != "" {
		t.Errorf("last lines (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"hook[verify] logs | b c"}, *f.lines); d != "" {
		t.Errorf("output (-want +got):\n%s", d)
	}
}

func TestSecretsOfAProgramAreHidden(t *testing.T) {
	f := newFixture(t, nil)
	said, err := f.Start(t.Context(), hooks.Program{Name: "smoke", Argv: []string{"sh", "-c", "echo with sesame; exit 3"}, Dir: f.dir, Show: true,
		Hide: func(line string) string { return strings.ReplaceAll(line, "sesame", spec.Masked) }})
	if err == nil {
		t.Fatal("the program did not fail")
	}
	if d := cmp.Diff([]string{"with (masked)"}, said); d != "" {
		t.Errorf("last lines (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"hook[verify] logs | with (masked)"}, *f.lines); d != "" {
		t.Errorf("output (-want +got):\n%s", d)
	}
}
