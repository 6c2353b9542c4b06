package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func TestUndoTellsWhatNoPlanPutsBack(t *testing.T) {
	const job = "---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n"
	const claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: %s\n  annotations: {helm.sh/resource-policy: %s}\n"
	const space = "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: s\n"
	in := input("new:\nold:\n-gone:")
	in.Want[id("new")].Stream = []byte(job)
	in.Have[id("old")] = deployed("old", "before")
	in.Have[id("old")].History[0].Stream = fmt.Appendf(nil, claim, "data", "none")
	in.Have[id("gone")].History[0].Stream = fmt.Appendf(nil, claim+job+space+crdStream, "kept", "keep")
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	_, lost := p.Undo(map[spec.ReleaseID]bool{id("new"): true, id("old"): true, id("gone"): true},
		map[spec.ReleaseID]state.Trace{id("new"): {CRDs: []state.ObjectID{{Kind: "CustomResourceDefinition", Name: "new.example.org"}}}})
	var got []string
	for _, l := range lost {
		got = append(got, l.Release.Name+" "+l.Object.Kind+" "+l.Object.Name+": "+l.Why)
	}
	want := []string{
		"gone CustomResourceDefinition boats.example.org: objects of its kind may be gone",
		"gone Namespace s: what else was in it may be gone",
		"old PersistentVolumeClaim data: its data may be gone",
		"new CustomResourceDefinition new.example.org: Helm never deletes the CRDs of a chart",
		"new Job migrate: a Job may have run",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lost (-want +got):\n%s", d)
	}
}

func TestUndoTellsOfTheHooksThatItRunsItself(t *testing.T) {
	hook := func(name string, events ...state.HookEvent) []state.Hook {
		return []state.Hook{{Name: name, Kind: "Job", Events: events}}
	}
	in := input("new:\nold:\n-gone:")
	in.Want[id("new")].Hooks = hook("bye", state.HookPostDelete)
	in.Have[id("old")] = deployed("old", "before")
	in.Have[id("old")].History[0].Hooks = hook("back", state.HookPreRollback)
	in.Want[id("old")].Hooks = hook("of-what-is-left", state.HookPreRollback, state.HookPostRollback)
	in.Have[id("gone")].History[0].Hooks = hook("again", state.HookPostRollback)
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	touched := map[spec.ReleaseID]bool{id("new"): true, id("old"): true, id("gone"): true}
	_, lost := p.Undo(touched, nil)
	var got []string
	for _, l := range lost {
		got = append(got, l.Release.Name+": "+l.Object.Name)
	}
	if d := cmp.Diff([]string{"gone: again", "old: back", "new: bye"}, got); d != "" {
		t.Errorf("lost (-want +got):\n%s", d)
	}
	for i := range p.Steps {
		p.Steps[i].Release.Options.DisableHooks = true
	}
	if _, lost = p.Undo(touched, nil); lost != nil {
		t.Errorf("without hooks, nothing is lost, but %v", lost)
	}
}

func TestUndoTellsWhatAReinstallDeleted(t *testing.T) {
	const claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: %s\n  annotations: {helm.sh/resource-policy: %s}\n"
	const set = "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: %s}\nspec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: %s}}\n"
	const job = "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: same}\n"
	same := fmt.Sprintf(claim+claim+claim+set+set+job, "data", "none", "held", "keep", "now-held", "keep", "cache", "Delete", "db", "Retain")
	in := input("moved:")
	in.Have[id("moved")] = deployed("moved", "before")
	in.Have[id("moved")].History[0].Stream = []byte(strings.Replace(same, "now-held\n  annotations: {helm.sh/resource-policy: keep", "now-held\n  annotations: {helm.sh/resource-policy: no", 1))
	in.Want[id("moved")].Stream = []byte(same + string(in.Want[id("moved")].Stream))
	in.Want[id("moved")].Hooks = []state.Hook{{Name: "bye", Kind: "Job", Events: []state.HookEvent{state.HookPreDelete}}}
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		left state.Trace
		want []string
	}{
		"an upgrade": {state.Trace{Revision: 2}, nil},
		"a reinstall": {state.Trace{Revision: 3, Reinstalled: true}, []string{
			"Job bye: a hook may have run", "PersistentVolumeClaim data: its data may be gone",
			"StatefulSet cache: the data of its volume claims may be gone", "Job same: a Job may have run",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, lost := p.Undo(map[spec.ReleaseID]bool{id("moved"): true}, map[spec.ReleaseID]state.Trace{id("moved"): tt.left})
			var got []string
			for _, l := range lost {
				got = append(got, l.Object.Kind+" "+l.Object.Name+": "+l.Why)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("lost (-want +got):\n%s", d)
			}
		})
	}
}
