package view

import (
	"bytes"
	"encoding/json"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/cmd/view/viewtest"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

var _ = flag.Bool("update", false, "write the expected views in testdata anew")

// fleetBefore and fleetAfter hold one change of every kind that a view tells apart.
const (
	fleetBefore = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, helm.sh/chart: web-1.0.0}}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: web, helm.sh/chart: web-1.0.0}}
    spec:
      containers:
      - {name: web, image: 'registry.example.org/team/web:1.0.0', args: [--verbose, --listen=0.0.0.0:8080]}
      - {name: side, image: side:7}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-5dbecbcc, labels: {helm.sh/chart: web-1.0.0}}
data: {motd: hello, level: info}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data:
  greeting: 'a wide 世界 and a very long line that no column of a terminal holds, which ends with the word before'
  table: "one\ttwo\nthree\tfour\n"
---
apiVersion: v1
kind: Secret
metadata: {name: key-5dbecbcc}
stringData: {token: hunter2}
---
{apiVersion: v1, kind: Service, metadata: {name: web, labels: {helm.sh/chart: web-1.0.0}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, labels: {helm.sh/chart: web-1.0.0}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: old}, data: {a: b}}
`
	fleetAfter = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, helm.sh/chart: web-1.1.0}}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web, helm.sh/chart: web-1.1.0}}
    spec:
      containers:
      - {name: web, image: 'registry.example.org/team/web:1.1.0', args: [--verbose, --listen=0.0.0.0:9090], env: [{name: MODE, value: fast}]}
      - {name: side, image: side:7}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-6b3ae9a0, labels: {helm.sh/chart: web-1.1.0}}
data: {motd: hello, level: debug}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data:
  greeting: 'a wide 世界 and a very long line that no column of a terminal holds, which ends with the word 之后'
  table: "one\ttwo\nthree\tfive\n"
---
apiVersion: v1
kind: Secret
metadata: {name: key-6b3ae9a0}
stringData: {token: hunter33}
---
{apiVersion: v1, kind: Service, metadata: {name: web, labels: {helm.sh/chart: web-1.1.0}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, labels: {helm.sh/chart: web-1.1.0}}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: new}, spec: {schedule: '@daily'}}
`
)

func fleetPlan(t *testing.T) *plan.Plan {
	t.Helper()
	hook := func(image string) state.Hook {
		return state.Hook{Path: "hook.yaml", Manifest: "{apiVersion: batch/v1, kind: Job, metadata: {name: migrate}, spec: {image: '" + image + "'}}\n"}
	}
	before := &state.Revision{Number: 4, Chart: state.Chart{Name: "web", Version: "1.0.0"}, Stream: []byte(fleetBefore), Hooks: []state.Hook{hook("m:1")}}
	after := &state.Revision{Chart: state.Chart{Name: "web", Version: "1.1.0"}, Stream: []byte(fleetAfter), Hooks: []state.Hook{hook("m:2")}}
	id := spec.ReleaseID{Namespace: "n", Name: "web"}
	changes, err := diff.Revisions(before, after, diff.Options{Namespace: "n"})
	if err != nil {
		t.Fatal(err)
	}
	s := plan.Step{Release: spec.Release{ID: id}, Action: plan.ActionUpgrade, Reason: plan.ReasonChanged, Before: before, After: after, Changes: changes}
	return &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{s}}
}

func TestViewsOfChanges(t *testing.T) {
	tests := []struct {
		name    string // of the file in testdata
		opts    PlanOptions
		streams Streams
	}{
		{"unified", PlanOptions{Context: 1}, Streams{}},
		{"unified_colour", PlanOptions{Context: 1}, Streams{Color: true}},
		{"folded", PlanOptions{Context: 1, FoldLabels: true}, Streams{}},
		{"side_by_side", PlanOptions{Context: 1, FoldLabels: true, Form: FormSideBySide}, Streams{Columns: func() int { return 90 }}},
		{"side_by_side_colour", PlanOptions{Context: 1, FoldLabels: true, Form: FormSideBySide}, Streams{Color: true, Columns: func() int { return 90 }}},
		{"side_by_side_without_terminal", PlanOptions{Context: 0, Form: FormSideBySide}, Streams{Columns: func() int { return 0 }}},
		{"paths", PlanOptions{Context: 1, Form: FormPaths}, Streams{}},
		{"paths_colour", PlanOptions{Context: 1, FoldLabels: true, Form: FormPaths}, Streams{Color: true}},
		{"names", PlanOptions{Names: true, FoldLabels: true}, Streams{}},
		{"suppressed", PlanOptions{Context: 0, Suppress: []string{"ConfigMap", "Secret"}}, Streams{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.streams.Out, tt.streams.Err = &out, &out
			v, err := New(FormatHuman, tt.streams, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			v.Plan(fleetPlan(t), tt.opts)
			golden(t, tt.name, out.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	viewtest.Golden(t, filepath.Join("testdata", name+".golden"), got)
}

// TestColoursEndWhereTheyBegin: a line that is cut, or shown by a pager from its
// middle, must not colour what follows.
func TestColoursEndWhereTheyBegin(t *testing.T) {
	for _, form := range []Form{FormUnified, FormSideBySide, FormPaths} {
		var out bytes.Buffer
		v, err := New(FormatHuman, Streams{Out: &out, Err: &out, Color: true, Columns: func() int { return 60 }}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		v.Plan(fleetPlan(t), PlanOptions{Context: 3, Form: form, FoldLabels: true})
		for line := range strings.Lines(out.String()) {
			open := false
			for _, part := range strings.Split(line, "\x1b[")[1:] {
				code, _, _ := strings.Cut(part, "m")
				if (code == "0") != open {
					t.Fatalf("%q: a colour begins in another, or ends twice: %q", form, line)
				}
				open = code != "0"
			}
			if open {
				t.Fatalf("%q: a colour does not end: %q", form, line)
			}
		}
	}
}

func TestColumnsFitTheTerminal(t *testing.T) {
	for _, columns := range []int{60, 61, 90, 200} {
		var out bytes.Buffer
		v, err := New(FormatHuman, Streams{Out: &out, Err: &out, Columns: func() int { return columns }}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		v.Plan(fleetPlan(t), PlanOptions{Context: -1, Form: FormSideBySide})
		gutter := -1
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			left, _, inColumns := strings.Cut(line, "│")
			if !inColumns {
				continue
			}
			if w := columnsOf(line); w > columns {
				t.Errorf("%d columns: %d in %q", columns, w, line)
			}
			if w := columnsOf(left); gutter < 0 {
				gutter = w
			} else if w != gutter {
				t.Errorf("%d columns: the second begins at %d and %d: %q", columns, gutter, w, line)
			}
			if strings.Contains(line, "\t") {
				t.Errorf("a tab is left: %q", line)
			}
		}
		if gutter < 0 {
			t.Errorf("%d columns: nothing is in columns", columns)
		}
	}
}

// TestYAMLHasWhatJSONHas: one structure, two ways to write it.
func TestYAMLHasWhatJSONHas(t *testing.T) {
	show := func(v View) {
		v.Plan(fleetPlan(t), PlanOptions{Context: 1, FoldLabels: true, Suppress: []string{"Job"}})
		v.Report(exampleReport(), plan.ModeApply)
	}
	lines, _ := render(t, FormatJSON, show)
	documents, _ := render(t, FormatYAML, show)
	var want, got []any
	for line := range strings.Lines(lines) {
		var value any
		if err := json.Unmarshal([]byte(line), &value); err != nil {
			t.Fatal(err)
		}
		want = append(want, value)
	}
	for text := range strings.SplitSeq(strings.TrimPrefix(documents, "---\n"), "\n---\n") {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		got = append(got, value)
	}
	if d := cmp.Diff(want, got); d != "" || len(want) != 2 {
		t.Errorf("%d documents (-JSON +YAML):\n%s", len(want), d)
	}
}

// TestMovesInJSONAreTwoChangesThatNameEachOther keeps programs that know no
// moves right about what comes and goes.
func TestMovesInJSONAreTwoChangesThatNameEachOther(t *testing.T) {
	out, _ := render(t, FormatJSON, func(v View) { v.Plan(fleetPlan(t), PlanOptions{Context: 0}) })
	var p struct {
		Steps []struct {
			Changes []struct {
				Op, Kind, Name, Before, After, Diff string
				MovedFrom, MovedTo                  *struct{ Name string }
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range p.Steps[0].Changes {
		switch {
		case c.MovedTo != nil:
			got = append(got, c.Op+" "+c.Name+" -> "+c.MovedTo.Name)
			if c.Before == "" || c.After != "" {
				t.Errorf("%s: before %q, after %q", c.Name, c.Before, c.After)
			}
		case c.MovedFrom != nil:
			got = append(got, c.Op+" "+c.Name+" <- "+c.MovedFrom.Name)
			if c.Before != "" || c.After == "" {
				t.Errorf("%s: before %q, after %q", c.Name, c.Before, c.After)
			}
		}
	}
	want := []string{"remove web-5dbecbcc -> web-6b3ae9a0", "add web-6b3ae9a0 <- web-5dbecbcc", "remove key-5dbecbcc -> key-6b3ae9a0", "add key-6b3ae9a0 <- key-5dbecbcc"}
	if d := cmp.Diff(want, got); d != "" || strings.Contains(out, "hunter") {
		t.Errorf("(-want +got):\n%s\n%s", d, out)
	}
}

func TestFoldLines(t *testing.T) {
	label := diff.Label{Key: "helm.sh/chart", Before: "a-1", After: "a-2"}
	id := func(name string) state.ObjectID {
		return state.ObjectID{Kind: "Deployment", Namespace: "n", Name: name}
	}
	tests := []struct {
		name string
		fold diff.Fold
		want string
	}{
		{"one object", diff.Fold{Labels: []diff.Label{label}, Objects: []state.ObjectID{id("a")}}, "n/Deployment/a differs only in labels: helm.sh/chart a-1 -> a-2"},
		{"several, of which some make new pods", diff.Fold{Labels: []diff.Label{label, {Key: "x", Before: "1", After: "2"}}, Objects: []state.ObjectID{id("a"), id("b"), id("c")}, Pods: []state.ObjectID{id("a"), id("b")}},
			"3 objects differ only in labels: helm.sh/chart a-1 -> a-2, x 1 -> 2; new pods for Deployment/a, Deployment/b"},
		{"many that make new pods", diff.Fold{Labels: []diff.Label{label}, Objects: []state.ObjectID{id("a"), id("b"), id("c"), id("d"), id("e"), id("f")}, Pods: []state.ObjectID{id("a"), id("b"), id("c"), id("d"), id("e"), id("f")}},
			"6 objects differ only in labels: helm.sh/chart a-1 -> a-2; new pods for Deployment/a, Deployment/b, Deployment/c, Deployment/d, 2 more"},
		{"one that differs elsewhere, too", diff.Fold{Labels: []diff.Label{label}, Others: 1}, "1 object above also differs in labels: helm.sh/chart a-1 -> a-2"},
		{"two that do", diff.Fold{Labels: []diff.Label{label}, Others: 2}, "2 objects above also differ in labels: helm.sh/chart a-1 -> a-2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := foldLine(tt.fold); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
