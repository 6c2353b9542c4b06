package plan

import (
	"fmt"
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
