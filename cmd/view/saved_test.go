package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

func TestASavedPlanSaysWhereItComesFrom(t *testing.T) {
	web, db := step("web", plan.ActionUpgrade, plan.ReasonChanged), step("db", plan.ActionNone, plan.ReasonUnchanged)
	p := &plan.Plan{Mode: plan.ModeApply, Steps: []plan.Step{web}, Edges: []plan.Edge{
		{From: plan.Node{Release: db.Release.ID}, To: plan.Node{Release: web.Release.ID}, Kind: plan.EdgeNeeds},
		{From: plan.Node{Gate: "applied a.yaml"}, To: plan.Node{Release: spec.ReleaseID{Name: "x"}}, Kind: plan.EdgeFileOrder},
	}}
	opts := PlanOptions{Saved: &plan.Saved{Flotilla: "v9", Created: at(7), Files: []plan.SourceFile{{Path: "a.yaml", Digest: "sha256:1"}}}}
	tests := []struct {
		format   Format
		out, err string
	}{
		{FormatHuman, "Plan: 0 to install, 1 to upgrade", "Planned at 2026-01-02T03:04:07Z by flotilla v9.\n"},
		{FormatJSON, `"mode":"apply","saved":{"flotilla":"v9","created":"2026-01-02T03:04:07Z","files":[{"path":"a.yaml","digest":"sha256:1"}]},"steps":`, ""},
		{FormatJSON, `"edges":[{"from":{"release":{"context":"c","namespace":"n","name":"db"}},"to":{"release":{"context":"c","namespace":"n","name":"web"}},"reason":"needs"},` +
			`{"from":{"gate":"applied a.yaml"},"to":{"release":{"name":"x"}},"reason":"file order"}]`, ""},
	}
	for _, tt := range tests {
		var out, err bytes.Buffer
		v, failed := New(tt.format, Streams{Out: &out, Err: &err}, func() time.Time { return at(0) })
		if failed != nil {
			t.Fatal(failed)
		}
		v.Plan(p, opts)
		if !strings.Contains(out.String(), tt.out) || err.String() != tt.err {
			t.Errorf("%s: printed %q and %q, want %q in it and %q", tt.format, out.String(), err.String(), tt.out, tt.err)
		}
	}
}
