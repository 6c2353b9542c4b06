package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

func TestHelmArgsChangeReleases(t *testing.T) {
	file := spec.File{Path: "/w/helmfile.yaml", Dir: "/w"}
	tests := []struct {
		name string
		args string
		want spec.Release
	}{
		{"sets of every kind", "--set a=1,b=2 --set-string c=x=y --set-file d=f.txt --set-literal e=,", spec.Release{Set: []spec.SetValue{
			{Kind: spec.SetRaw, Value: "a=1,b=2"}, {Kind: spec.SetString, Name: "c", Value: "x=y"},
			{Kind: spec.SetFile, Name: "d", Value: "/w/f.txt"}, {Kind: spec.SetLiteral, Name: "e", Value: ","}}}},
		{"JSON", `--set-json a={"b":1},c=[2] --set-json={"d":null}`, spec.Release{Set: []spec.SetValue{
			{Kind: spec.SetJSON, Value: `a={"b":1},c=[2]`}, {Kind: spec.SetJSON, Value: `{"d":null}`}}}},
		{"labels of the record", "--labels a=1,b=2 -l b=3", spec.Release{Options: spec.Options{RecordLabels: map[string]string{"a": "1", "b": "3"}}}},
		{"values of the user alone are reused", "--reset-then-reuse-values", spec.Release{Options: spec.Options{ResetThenReuseValues: true}}},
		{"values files", "-f a.yaml,/b.yaml --values=c.yaml", spec.Release{Values: []spec.ValuesSource{{Path: "/w/a.yaml"}, {Path: "/b.yaml"}, {Path: "/w/c.yaml"}}}},
		{"bare flags", "--wait --atomic --force --skip-crds=false", spec.Release{Options: spec.Options{Wait: true, DeleteWait: true, RollbackOnFailure: true, ForceReplace: true}}},
		{"a strategy of waiting", "--wait=legacy", spec.Release{Options: spec.Options{Wait: true, DeleteWait: true, Track: spec.Track{Mode: "helm-legacy"}}}},
		{"durations, also of uninstalling", "--timeout 5m", spec.Release{Options: spec.Options{Timeout: 5 * time.Minute, DeleteTimeout: 5 * time.Minute}}},
		{"bare seconds", "--timeout=90", spec.Release{Options: spec.Options{Timeout: 90 * time.Second, DeleteTimeout: 90 * time.Second}}},
		{"how objects are deleted", "--cascade foreground", spec.Release{Options: spec.Options{Cascade: "foreground"}}},
		{"lists", "-a x/v1 --api-versions=y/v1 --post-renderer-args=--flag", spec.Release{Options: spec.Options{APIVersions: []string{"x/v1", "y/v1"}, PostRendererArgs: []string{"--flag"}}}},
		{"the chart", "--plain-http --devel --insecure-skip-tls-verify", spec.Release{Chart: spec.Chart{PlainHTTP: true, Devel: true, InsecureSkipTLSVerify: true}}},
		{"hooks", "--no-hooks", spec.Release{Options: spec.Options{DisableHooks: true}}},
		{"flags that always hold", "--install --hide-notes --dependency-update", spec.Release{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call, err := helmText{args: tt.args}.parse(file)
			if err != nil {
				t.Fatal(err)
			}
			var got spec.Release
			for _, change := range call.changes {
				change(&got)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(call.unknown) > 0 {
				t.Errorf("unknown: %q", call.unknown)
			}
		})
	}
}

func TestSyncArgsSayNothingOfUninstalling(t *testing.T) {
	call, err := helmText{sync: "--wait --timeout 5m", heeds: []helmList{listSync}}.parse(spec.File{})
	if err != nil {
		t.Fatal(err)
	}
	got := spec.Release{Options: spec.Options{DeleteTimeout: time.Second}}
	for _, change := range call.changes {
		change(&got)
	}
	want := spec.Release{Options: spec.Options{Wait: true, Timeout: 5 * time.Minute, DeleteTimeout: time.Second}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHelmArgsDoNotShareLists keeps two releases from writing into one array.
func TestHelmArgsDoNotShareLists(t *testing.T) {
	call, err := helmText{args: "--set a=1"}.parse(spec.File{})
	if err != nil {
		t.Fatal(err)
	}
	shared := append(make([]spec.SetValue, 0, 8), spec.SetValue{Name: "own"})
	first, second := spec.Release{Set: shared}, spec.Release{Set: shared}
	call.changes[0](&first)
	first.Set[1].Value = "changed"
	call.changes[0](&second)
	if got := first.Set[1].Value; got != "changed" {
		t.Errorf("the second release wrote %q into the first one's list", got)
	}
}

func TestHelmArgsOfFilesAndCommandLine(t *testing.T) {
	file := spec.File{HelmArgs: spec.HelmArgs{
		Args: []string{"--set args=file"}, DiffArgs: []string{"--set", "diff=file", "--context", "7"},
		SyncArgs: []string{"--set sync=file"}, TemplateArgs: []string{"--set template=file"},
	}}
	tests := []struct {
		name string
		text helmText
		want string
	}{
		{"a command that heeds no list", helmText{}, "args=file"},
		{"both args hold, the file's last", helmText{args: "--set args=cli"}, "args=cli args=file"},
		{"a list of the file", helmText{heeds: []helmList{listSync}}, "args=file sync=file"},
		{"the command line in place of a list", helmText{sync: "--set sync=cli", heeds: []helmList{listSync}}, "args=file sync=cli"},
		{"diff", helmText{heeds: []helmList{listDiff, listRender}}, "args=file diff=file"},
		{"template", helmText{heeds: []helmList{listTemplate}}, "args=file template=file"},
		{"apply takes what is shown from diffArgs", helmText{heeds: []helmList{listShow}}, "args=file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call, err := tt.text.parse(file)
			if err != nil {
				t.Fatal(err)
			}
			var r spec.Release
			for _, change := range call.changes {
				change(&r)
			}
			var got []string
			for _, set := range r.Set {
				got = append(got, set.Value)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHelmArgsOfShowing(t *testing.T) {
	f := &fleet{}
	call, err := helmText{diff: "-C 1 --suppress Job --suppress-secrets --show-secrets --no-hooks", heeds: []helmList{listShow}}.parse(spec.File{})
	if err != nil {
		t.Fatal(err)
	}
	f.calls = []helmCall{call}
	want := planLook{
		show:    view.PlanOptions{Context: 1, Suppress: []string{"Pod", "Job", "Secret"}},
		compare: diff.Options{ShowSecrets: true, NoHooks: true},
	}
	got := f.look(diffFlags{showFlags: showFlags{Context: 3, Suppress: []string{"Pod"}}}, format{})
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(planLook{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(call.changes) > 0 {
		t.Error("flags for showing change releases")
	}
}

func TestSimulationsAreRefusedWhereTheClusterIsChanged(t *testing.T) {
	file := spec.File{Path: "f.yaml"}
	inFile := func(h spec.HelmArgs) spec.File { return spec.File{Path: "f.yaml", HelmArgs: h} }
	apply := []helmList{listShow, listSync}
	tests := []struct {
		name string
		file spec.File
		text helmText
		want string // the flag that is refused
	}{
		{"apply", file, helmText{args: "--dry-run", heeds: apply}, "--dry-run=client"},
		{"sync, in its own flags", file, helmText{sync: "--dry-run=server", heeds: apply}, "--dry-run=server"},
		{"the old spelling", file, helmText{args: "--dry-run=true", heeds: apply}, "--dry-run=true"},
		{"destroy and test", file, helmText{args: "--dry-run=client", acts: true}, "--dry-run=client"},
		{"args of a file", inFile(spec.HelmArgs{Args: []string{"--dry-run"}}), helmText{heeds: apply}, "--dry-run=client"},
		{"syncArgs of a file", inFile(spec.HelmArgs{SyncArgs: []string{"--dry-run"}}), helmText{heeds: apply}, "--dry-run=client"},
		{"the last one counts", file, helmText{args: "--dry-run=none --dry-run=server", heeds: apply}, "--dry-run=server"},
		{"none", file, helmText{args: "--dry-run --dry-run=none", heeds: apply}, ""},
		{"false", file, helmText{args: "--dry-run=false", acts: true}, ""},
		{"for the differences of apply", inFile(spec.HelmArgs{DiffArgs: []string{"--dry-run=server"}}), helmText{heeds: apply}, ""},
		{"diff and template", file, helmText{args: "--dry-run=server", heeds: []helmList{listDiff, listTemplate}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.text.parse(tt.file)
			if errors.Is(err, errSimulate) != (tt.want != "") || tt.want != "" && !strings.Contains(err.Error(), "f.yaml: flags of helm: "+tt.want+": ") {
				t.Errorf("got %v, want %q refused", err, tt.want)
			}
		})
	}
}

func TestLinesThatAreNotShownAreTheSameForApplyAndDiff(t *testing.T) {
	file := spec.File{HelmArgs: spec.HelmArgs{DiffArgs: []string{"--suppress-output-line-regex", "a.c"}}}
	for name, text := range map[string]helmText{
		"apply":                     {heeds: []helmList{listShow, listSync}},
		"diff":                      {heeds: []helmList{listDiff}},
		"flags of the command line": {args: "--suppress-output-line-regex=a.c", heeds: []helmList{listSync}},
	} {
		call, err := text.parse(file)
		if err != nil {
			t.Fatal(err)
		}
		f := &fleet{spec: &spec.Spec{Files: []spec.File{file}}, releases: make([]spec.Release, 1)}
		f.releases[0].Options.SuppressLines = []string{"own"}
		if err := (&session{globals: &Globals{}}).edit(f, request{raw: text}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"own", "a.c"}, f.releases[0].Options.SuppressLines); diff != "" || len(call.changes) > 0 {
			t.Errorf("%s: %d changes (-want +got):\n%s", name, len(call.changes), diff)
		}
	}
}

// TestTemplateArgsAreTheSameForApplyAndDiff: what diff shows is what apply
// installs.
func TestTemplateArgsAreTheSameForApplyAndDiff(t *testing.T) {
	for name, heeds := range map[string][]helmList{"apply": {listShow, listRender, listSync}, "diff": {listDiff, listRender}} {
		call, err := helmText{template: "--dry-run=server --set a=1 --no-hooks -C 2 --nosuch", heeds: heeds}.parse(spec.File{})
		if err != nil {
			t.Fatal(err)
		}
		if len(call.changes) > 0 || len(call.shows) != 2 {
			t.Errorf("%s: %d changes and %d ways to show, want 0 and 2", name, len(call.changes), len(call.shows))
		}
		if diff := cmp.Diff([]string{"--nosuch", "--set"}, call.unknown); diff != "" {
			t.Errorf("%s: without effect (-want +got):\n%s", name, diff)
		}
	}
}

func TestHelmArgsThatAreNone(t *testing.T) {
	call, err := helmText{args: "--nosuch value --other=x --debug --dry-run=server"}.parse(spec.File{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"--nosuch", "--other"}, call.unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	if !call.debug || !call.server {
		t.Errorf("debug %v, server %v: want both", call.debug, call.server)
	}
	for _, args := range []string{"--set", "--timeout soon", "--wait=maybe", "--history-max=x", "--server-side=x", "--dry-run=x", "--devel=x", "--cascade=sideways", "--suppress-output-line-regex=("} {
		if _, err := (helmText{args: args}).parse(spec.File{Path: "f.yaml"}); err == nil || !strings.Contains(err.Error(), "f.yaml: flags of helm: --") {
			t.Errorf("%s: got %v, want an error that names file and flag", args, err)
		}
	}
}
