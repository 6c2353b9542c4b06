package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func TestRestoreUpgradesToWhatIsDeployed(t *testing.T) {
	id := func(name string) spec.ReleaseID { return spec.ReleaseID{Namespace: "n", Name: name} }
	deployed := &state.Revision{Number: 3, Status: state.StatusDeployed, Stream: []byte("x")}
	have := state.Release{Phase: state.PhaseDeployed, History: []state.Revision{*deployed}}
	changes := []diff.Change{{Op: diff.OpChange}}
	p, err := Restore([]Restoration{
		{Release: spec.Release{ID: id("web"), Index: 0, Needs: []spec.Need{{ID: id("fine")}}}, Have: have, Changes: changes},
		{Release: spec.Release{ID: id("fine"), Index: 1, Needs: []spec.Need{{ID: id("db")}}}, Have: have},
		{Release: spec.Release{ID: id("db"), Index: 2}, Have: have, Changes: changes},
		{Release: spec.Release{ID: id("absent"), Index: 3}},
	}, []spec.File{{Parent: -1}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Steps {
		after := ""
		if s.After != nil {
			after = fmt.Sprintf(" to %d", s.After.Number)
		}
		got = append(got, fmt.Sprintf("%s %s from %d%s: %s", s.Release.ID.Name, s.Action, s.Base, after, s.Reason))
	}
	want := []string{"db upgrade from 3 to 3: drifted", "fine none from 3: unchanged", "web upgrade from 3 to 3: drifted", "absent none from 0: unchanged"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	undo, _ := p.Undo(map[spec.ReleaseID]bool{id("web"): true}, map[spec.ReleaseID]state.Trace{id("web"): {Revision: 4}})
	if len(undo.Steps) != 1 || undo.Steps[0].Action != ActionRollback || undo.Steps[0].After.Number != 3 {
		t.Errorf("the undo is %s", strings.TrimSpace(fmt.Sprint(undo.Steps)))
	}
}
