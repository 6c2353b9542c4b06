package main

import (
	"bytes"
	"context"
	"os"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/file"
	"github.com/flotilla-sh/flotilla/state"
	kube "github.com/flotilla-sh/flotilla/state/cluster"
)

// asPlanned is the command "asplanned FILE": the newest record of every release
// that a saved plan writes holds the bytes of the plan.
func asPlanned(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: asplanned FILE")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	saved, _, err := file.Unpack(data)
	ts.Check(err)
	clusters := kube.New(kube.Options{Kubeconfig: ts.Getenv("KUBECONFIG")})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	have, err := clusters.Read(ctx, saved.Touched())
	ts.Check(err)
	compared := 0
	for _, step := range saved.Plan.Steps {
		if !step.Action.Writes() || step.After == nil {
			continue
		}
		last := have[step.Release.ID].Last()
		if last == nil {
			ts.Fatalf("%s is not in the cluster", step.Release.ID)
		}
		checkRecord(ts, step, last)
		compared++
	}
	if compared == 0 {
		ts.Fatalf("the plan writes nothing that could be compared")
	}
}

func checkRecord(ts *testscript.TestScript, step plan.Step, last *state.Revision) {
	want := step.After
	if !bytes.Equal(want.Stream, last.Stream) {
		ts.Fatalf("%s: the manifest (-planned +stored):\n%s", step.Release.ID, cmp.Diff(string(want.Stream), string(last.Stream)))
	}
	text := func(h state.Hook) string { return h.Path + "\n" + h.Manifest }
	same := slices.EqualFunc(want.Hooks, last.Hooks, func(a, b state.Hook) bool { return text(a) == text(b) })
	if !same || want.Notes != last.Notes {
		ts.Fatalf("%s: hooks or notes are not those of the plan:\n%s", step.Release.ID, cmp.Diff(want.Hooks, last.Hooks))
	}
}

// ageKey is the command "agekey NAME": it writes a new identity to the file NAME
// and puts its recipient into the variable NAME.
func ageKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: agekey NAME")
	}
	identity, err := age.GenerateX25519Identity()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(identity.String()+"\n"), 0o600))
	ts.Setenv(args[0], identity.Recipient().String())
}
