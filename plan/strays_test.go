package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

// tried is a revision with objects of those names.
func tried(number int, status state.Status, objects string) state.Revision {
	r := state.Revision{Number: number, Status: status}
	for name := range strings.FieldsSeq(objects) {
		r.Stream = append(r.Stream, revision(name, fmt.Sprint("of ", number)).Stream...)
	}
	return r
}

func TestObjectsThatOnlyFailedRevisionsBroughtAreShownAsRemoved(t *testing.T) {
	const ok, bad, old = state.StatusDeployed, state.StatusFailed, state.StatusSuperseded
	tests := []struct {
		name    string
		phase   state.Phase
		history []state.Revision
		graph   string // of release a, which wants one object: a
		want    string
	}{
		{"an upgrade after a failed one", state.PhaseFailed, []state.Revision{tried(1, ok, "a first"), tried(2, bad, "a second")}, "a:", "remove first, remove second"},
		{"each once, also after several", state.PhaseFailed, []state.Revision{tried(1, ok, "a"), tried(2, bad, "a second"), tried(3, bad, "second third")}, "a:", "remove second, remove third"},
		{"none was ever deployed", state.PhaseFailed, []state.Revision{tried(1, bad, "first"), tried(2, bad, "second a")}, "a:", "remove first, remove second"},
		{"what was replaced long ago is gone", state.PhaseFailed, []state.Revision{tried(1, old, "older"), tried(2, ok, "a"), tried(3, bad, "third")}, "a:", "remove third"},
		{"an uninstall takes all", state.PhaseFailed, []state.Revision{tried(1, ok, "first"), tried(2, bad, "second")}, "-a:", "remove first, remove second"},
		{"what failed is superseded by what is deployed", state.PhaseDeployed, []state.Revision{tried(1, bad, "first"), tried(2, ok, "a")}, "a:", ""},
		{"what is wanted stays", state.PhaseFailed, []state.Revision{tried(1, ok, ""), tried(2, bad, "a")}, "a:", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(tt.graph)
			in.Have[id("a")] = state.Release{ID: id("a"), Phase: tt.phase, History: tt.history}
			p, err := Build(in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range p.Steps[0].Changes {
				if c.Op == diff.OpRemove {
					got = append(got, fmt.Sprint(c.Op, " ", c.Object.Name))
				}
			}
			slices.Sort(got)
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("changes %q, want %q", got, tt.want)
			}
		})
	}
}
