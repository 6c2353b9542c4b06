package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// gone is a release that is not declared any more; needs are what it needed when it
// was written.
func gone(name string, needs ...string) state.Release {
	r := deployed(name, "x")
	r.ID = spec.ReleaseID{Context: "c", Namespace: "n", Name: name}
	var all []spec.Need
	for _, n := range needs {
		all = append(all, spec.Need{ID: spec.ReleaseID{Context: "c", Namespace: "n", Name: n}})
	}
	r.History[0].Labels = map[string]string{state.NeedsLabel: state.NeedsValue(all), "tier": "old"}
	return r
}

func pruning(text string, against Level, undeclared ...state.Release) (*Plan, error) {
	in := input(text)
	in.Undeclared, in.Policy.Against = undeclared, against
	for _, r := range undeclared {
		in.Have[r.ID] = r
	}
	return Build(in)
}

func TestPruneComesLastAndDependentsFirst(t *testing.T) {
	p, err := pruning("web:\n-off:\nsame:", LevelRelease, gone("db"), gone("api", "db", "web"), gone("ui", "api"), gone("lone"))
	if err != nil {
		t.Fatal(err)
	}
	var steps, edges []string
	for _, s := range p.Steps {
		steps = append(steps, fmt.Sprintf("%s %s (%s)", s.Action, s.Release.ID.Name, s.Reason))
	}
	for _, e := range p.Edges {
		edges = append(edges, fmt.Sprintf("%s -> %s (%s)", e.From, e.To, e.Kind))
	}
	want := []string{"install web (not installed)", "uninstall off (installed: false)", "install same (not installed)",
		"uninstall ui (no longer declared)", "uninstall api (no longer declared)", "uninstall db (no longer declared)", "uninstall lone (no longer declared)"}
	if d := cmp.Diff(want[:1], steps[:1]); d != "" || len(steps) != len(want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	if d := cmp.Diff(want[3:], steps[3:]); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
	for _, edge := range []string{
		"c/n/api -> c/n/db (needs)", "c/n/ui -> c/n/api (needs)",
		"c/n/web -> everything that is declared (prune comes last)", "everything that is declared -> c/n/db (prune comes last)",
	} {
		if !strings.Contains(strings.Join(edges, "\n"), edge) {
			t.Errorf("no edge %q among\n%s", edge, strings.Join(edges, "\n"))
		}
	}
	if got := len(p.Pruned()); got != 4 {
		t.Errorf("%d pruned", got)
	}
}

func TestNeedsOfDifferentTimesDoNotLock(t *testing.T) {
	p, err := pruning("web:", LevelRelease, gone("a", "b"), gone("b", "c"), gone("c", "a"))
	if err != nil || len(p.Pruned()) != 3 {
		t.Errorf("plan %+v, %v", p, err)
	}
}

func TestPruneAtEveryLevelShowsWhatIsStored(t *testing.T) {
	for _, level := range []Level{LevelRelease, LevelLive, LevelServer} {
		p, err := pruning("web:", level, gone("db"))
		if err != nil {
			t.Fatal(err)
		}
		s := p.Pruned()[0]
		if s.Action != ActionUninstall || len(s.Changes) == 0 {
			t.Errorf("%s: %+v", level, s)
		}
	}
}

func TestABusyReleaseIsNotPruned(t *testing.T) {
	busy := gone("db")
	busy.Phase, busy.History[0].Status = state.PhasePending, state.StatusPendingUpgrade
	if _, err := pruning("web:", LevelRelease, busy); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v, want %v", err, ErrBusy)
	}
}

func TestAPlanThatPrunesCanBeSaved(t *testing.T) {
	p, err := pruning("web:", LevelRelease, gone("api", "db"), gone("db"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Save(Origin{Created: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.Plan.Edges, again.Plan.Edges); d != "" || len(again.Plan.Pruned()) != 2 {
		t.Errorf("edges (-want +got):\n%s", d)
	}
	onto, err := again.Onto(state.Snapshot{gone("api").ID: gone("api", "db"), gone("db").ID: gone("db")})
	if err != nil || len(onto.Pruned()) != 2 || onto.Pruned()[0].Have.Last() == nil {
		t.Errorf("onto %+v, %v", onto, err)
	}
}

func TestWhatHoldsData(t *testing.T) {
	object := func(kind, more string) string {
		return "---\n# Source: x\napiVersion: " + kind + "\nmetadata:\n  name: x\n" + more
	}
	const (
		claim = "v1\nkind: PersistentVolumeClaim"
		set   = "apps/v1\nkind: StatefulSet"
	)
	tests := []struct {
		name, stream string
		want         string
		unread       bool
	}{
		{"nothing", object("v1\nkind: ConfigMap", ""), "[]", false},
		{"a claim", object(claim, ""), "[n/PersistentVolumeClaim/x]", false},
		{"a claim that is kept", object(claim, "  annotations:\n    helm.sh/resource-policy: keep\n"), "[]", false},
		{"a set with claims", object(set, "spec:\n  volumeClaimTemplates:\n  - metadata:\n      name: v\n"), "[n/StatefulSet/x]", false},
		{"a set without", object(set, "spec:\n  serviceName: x\n"), "[]", false},
		{"a namespace", object("v1\nkind: Namespace", ""), "[Namespace/x]", false},
		{"a definition", object("apiextensions.k8s.io/v1\nkind: CustomResourceDefinition", ""), "[CustomResourceDefinition/x]", false},
		{"what cannot be read", "\tno: [yaml", "[]", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			have := gone("x")
			have.History[0].Stream = []byte(tt.stream)
			s := Step{Release: spec.Release{ID: have.ID}, Have: have, Before: &have.History[0]}
			objects, unread := s.Holds()
			if fmt.Sprint(objects) != tt.want || unread != tt.unread {
				t.Errorf("%v, unread %t; want %s, %t", objects, unread, tt.want, tt.unread)
			}
		})
	}
	t.Run("of a newer revision that failed", func(t *testing.T) {
		have := gone("x")
		have.History[0].Stream = []byte(object("v1\nkind: ConfigMap", ""))
		have.History = append(have.History, state.Revision{Number: 2, Status: state.StatusFailed, Stream: []byte(object(claim, ""))})
		if objects, _ := (Step{Release: spec.Release{ID: have.ID}, Have: have, Before: &have.History[0]}).Holds(); len(objects) != 1 {
			t.Errorf("%v", objects)
		}
	})
}
