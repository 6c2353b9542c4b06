package plan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func id(name string) spec.ReleaseID { return spec.ReleaseID{Context: "c", Namespace: "n", Name: name} }

// input reads a graph from lines such as "a: b c" (a needs b and c) and
// "-a: b" (a is to be uninstalled).
func input(text string) Input {
	in := Input{Have: state.Snapshot{}, Want: map[spec.ReleaseID]*state.Revision{}}
	for line := range strings.Lines(text) {
		name, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "" {
			continue
		}
		gone := strings.HasPrefix(name, "-")
		name = strings.TrimPrefix(name, "-")
		r := spec.Release{ID: id(name), Installed: !gone, Index: len(in.Releases)}
		for _, n := range strings.Fields(needs) {
			r.Needs = append(r.Needs, spec.Need{ID: id(n)})
		}
		in.Releases = append(in.Releases, r)
		if gone {
			in.Have[r.ID] = deployed(name, "old")
		} else {
			in.Want[r.ID] = revision(name, "new")
		}
	}
	return in
}

func revision(name, data string) *state.Revision {
	stream := fmt.Sprintf("---\n# Source: %s/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  k: %s\n", name, name, data)
	return &state.Revision{Chart: state.Chart{Name: name, Version: "1.0.0"}, Stream: []byte(stream)}
}

func deployed(name, data string) state.Release {
	r := revision(name, data)
	r.Number, r.Status, r.Deployed = 1, state.StatusDeployed, now.Add(-time.Hour)
	return state.Release{ID: id(name), Phase: state.PhaseDeployed, History: []state.Revision{*r}}
}

func names(p *Plan) string {
	var s []string
	for _, step := range p.Steps {
		s = append(s, step.Release.ID.Name)
	}
	return strings.Join(s, " ")
}

func edges(p *Plan) string {
	var b strings.Builder
	for _, e := range p.Edges {
		fmt.Fprintf(&b, "%s before %s (%s)\n", short(e.From), short(e.To), e.Kind)
	}
	return b.String()
}

func short(n Node) string {
	if n.Gate != "" {
		return n.Gate
	}
	return n.Release.Name
}

func TestOrder(t *testing.T) {
	tests := []struct{ name, graph, want string }{
		{"no needs: as declared", "b:\na:\nc:", "b a c"},
		{"what is needed comes first", "a: b\nb: c\nc:", "c b a"},
		{"ties are broken by declaration", "a: z\nb: z\nz:", "z a b"},
		{"deletions run the other way round", "-a: b\n-b:", "a b"},
		{"a deletion goes before what needs it", "a: b\n-b:", "b a"},
		{"a deletion goes before what it needs", "-a: b\nb:", "a b"},
		{"a mix of both has no cycle", "a: b c\nb:\n-c: b", "c b a"},
		{"needs outside the selection are no edges", "a: elsewhere", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Build(input(tt.graph))
			if err != nil {
				t.Fatal(err)
			}
			if got := names(p); got != tt.want {
				t.Errorf("order %q, want %q\n%s", got, tt.want, edges(p))
			}
		})
	}
}

func TestCycleIsPrintedAsAPath(t *testing.T) {
	_, err := Build(input("x:\na: b\nb: c\nc: a"))
	if !errors.Is(err, ErrCycle) || !strings.Contains(err.Error(), "c/n/a -> c/n/b -> c/n/c -> c/n/a") {
		t.Errorf("error %v", err)
	}
}

func TestFileOrder(t *testing.T) {
	in := input("late:\nearly:\n-lategone:\n-earlygone:")
	in.Files = []spec.File{{Path: "early.yaml", FileOrder: true}, {Path: "late.yaml", Depends: []int{0}, FileOrder: true}}
	for i := range in.Releases {
		in.Releases[i].File = 0
		if strings.HasPrefix(in.Releases[i].ID.Name, "late") {
			in.Releases[i].File = 1
		}
	}
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(p); got != "early late lategone earlygone" {
		t.Errorf("order %q\n%s", got, edges(p))
	}
	for i := range in.Files {
		in.Files[i].FileOrder = false
	}
	if p, err = Build(in); err != nil || len(p.Edges) > 0 || names(p) != "late early lategone earlygone" {
		t.Errorf("without file order: %q, edges %q, %v", names(p), edges(p), err)
	}
}

const crdStream = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.org}
spec: {group: example.org, names: {kind: Boat, plural: boats}}
`

const crStream = "---\napiVersion: example.org/v1\nkind: Boat\nmetadata:\n  name: b\n"

func TestInferredEdges(t *testing.T) {
	t.Run("a CRD comes before objects of its kind", func(t *testing.T) {
		in := input("fleet:\ncrds:")
		in.Want[id("fleet")].Stream = []byte(crStream)
		in.Want[id("crds")].CRDs = []state.CRDFile{{Path: "crds/boat.yaml", Data: []byte(crdStream)}}
		p, err := Build(in)
		if err != nil || names(p) != "crds fleet" || edges(p) != "crds before fleet (custom resource definition)\n" {
			t.Errorf("%q %q %v", names(p), edges(p), err)
		}
	})
	t.Run("a CRD in a hook comes before objects of its kind in a hook", func(t *testing.T) {
		in := input("fleet:\ncrds:")
		hooked := func(text string, event state.HookEvent) []state.Hook {
			return []state.Hook{{Manifest: text, Events: []state.HookEvent{event}}}
		}
		in.Want[id("fleet")].Hooks = hooked(crStream, state.HookPostInstall)
		in.Want[id("crds")].Hooks = hooked(crdStream, state.HookPreInstall)
		p, err := Build(in)
		if err != nil || names(p) != "crds fleet" {
			t.Errorf("%q %q %v", names(p), edges(p), err)
		}
		in.Want[id("crds")].Hooks = hooked(crdStream, state.HookPreDelete)
		if p, err = Build(in); err != nil || names(p) != "fleet crds" {
			t.Errorf("a hook that runs when the release goes: %q %q %v", names(p), edges(p), err)
		}
	})
	t.Run("an edge that would close a cycle is left out", func(t *testing.T) {
		in := input("fleet:\ncrds: fleet")
		in.Want[id("fleet")].Stream = []byte(crStream)
		in.Want[id("crds")].Stream = []byte(crdStream)
		p, err := Build(in)
		if err != nil || names(p) != "fleet crds" {
			t.Errorf("%q %q %v", names(p), edges(p), err)
		}
	})
	t.Run("a namespace comes before releases in it", func(t *testing.T) {
		in := input("a:\nspaces:")
		in.Want[id("spaces")].Stream = []byte("---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: \"n\"\n")
		p, err := Build(in)
		if err != nil || names(p) != "spaces a" {
			t.Errorf("%q %q %v", names(p), edges(p), err)
		}
	})
	for _, tt := range []struct{ name, stream, space, want string }{
		{"before objects in it", "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: far # away\n", "far", "spaces a"},
		{"before objects in it, however they are written", "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: far}\n", "far", "spaces a"},
		{"before objects of a List in it", "---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a, namespace: far}\n", "far", "spaces a"},
		{"not before a release that has the word elsewhere", "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n    namespace: far\ndata:\n  namespace: far\n", "far", "a spaces"},
	} {
		t.Run("a namespace comes "+tt.name, func(t *testing.T) {
			in := input("a:\nspaces:")
			in.Want[id("a")].Stream = []byte(tt.stream)
			in.Want[id("spaces")].Stream = []byte("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + tt.space + "}\n")
			p, err := Build(in)
			if err != nil || names(p) != tt.want {
				t.Errorf("%q %q %v", names(p), edges(p), err)
			}
		})
	}
	t.Run("definitions and objects in Lists", func(t *testing.T) {
		in := input("fleet:\ncrds:")
		list := func(stream string) []byte {
			doc := strings.TrimPrefix(stream, "---\n")
			return []byte("---\napiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(doc), "\n", "\n  ") + "\n")
		}
		in.Want[id("fleet")].Stream, in.Want[id("crds")].Stream = list(crStream), list(crdStream)
		p, err := Build(in)
		if err != nil || names(p) != "crds fleet" {
			t.Errorf("%q %q %v", names(p), edges(p), err)
		}
	})
}

func TestInferredEdgesOfDeletionsAreTurnedAround(t *testing.T) {
	in := input("-crds:\n-spaces:\n-fleet:")
	stored := func(name, stream string) { in.Have[id(name)].History[0].Stream = []byte(stream) }
	stored("crds", crdStream)
	stored("spaces", "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: \"n\"\n")
	stored("fleet", crStream)
	in.Policy.Mode = ModeDestroy
	p, err := Build(in)
	if err != nil || names(p) != "fleet crds spaces" {
		t.Errorf("order %q, edges\n%s%v", names(p), edges(p), err)
	}
}

func TestBuildIsStableUnderMapOrderAndRepetition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var lines []string
	for i := range 60 {
		line := fmt.Sprintf("r%02d:", i)
		for j := range i {
			if rng.IntN(8) == 0 {
				line += fmt.Sprintf(" r%02d", j)
			}
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	first, err := Build(input(text))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := Build(input(text))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(first, again); d != "" {
			t.Fatalf("plans differ (-first +again):\n%s", d)
		}
	}
}

func TestBusyReleasesAreAllNamed(t *testing.T) {
	in := input("a:\nb:")
	for _, n := range []string{"a", "b"} {
		have := deployed(n, "old")
		have.Phase = state.PhasePending
		have.History[0].Status = state.StatusPendingUpgrade
		have.History[0].Deployed = now.Add(-time.Minute)
		in.Have[id(n)] = have
	}
	_, err := Build(in)
	if !errors.Is(err, ErrBusy) || strings.Count(err.Error(), "pending-upgrade since 2026-01-02T03:03:05Z") != 2 {
		t.Errorf("error %v", err)
	}
	in.Policy.ForcePending = true
	if p, err := Build(in); err != nil || p.Steps[0].Reason != ReasonPending {
		t.Errorf("taken over: %v", err)
	}
}

func TestUndo(t *testing.T) {
	in := input("new:\nold: new\n-gone:\nsame:")
	in.Have[id("old")] = deployed("old", "before")
	in.Have[id("same")] = deployed("same", "new")
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	all := map[spec.ReleaseID]bool{}
	for _, s := range p.Steps {
		all[s.Release.ID] = true
	}
	undo, _ := p.Undo(all, map[spec.ReleaseID]state.Trace{id("old"): {Revision: 2, Status: state.StatusFailed}})
	var got []string
	for _, s := range undo.Steps {
		got = append(got, s.Release.ID.Name+" "+string(s.Action))
	}
	want := []string{"gone rollback", "old rollback", "new remove"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("undo (-want +got):\n%s", d)
	}
	if e := edges(undo); e != "old before new (needs)\n" {
		t.Errorf("edges %q", e)
	}
	if undo.Steps[1].After.Number != 1 {
		t.Errorf("old goes back to %+v", undo.Steps[1].After)
	}
	if left := undo.Steps[1].Left; left.Revision != 2 || left.Status != state.StatusFailed {
		t.Errorf("the undo of old expects %+v", left)
	}
}

func TestScopes(t *testing.T) {
	in := input("db:\napi: db\nweb: api\nother:\nmate:")
	in.Releases[1].AtomicGroup, in.Releases[4].AtomicGroup = "shop", "shop"
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	touched := map[spec.ReleaseID]bool{id("db"): true, id("api"): true, id("other"): true, id("mate"): true, id("web"): true}
	failed := map[spec.ReleaseID]bool{id("api"): true}
	for scope, want := range map[Scope]string{
		ScopePlan: "api db mate other web", ScopeGroup: "api mate web", ScopeRelease: "api", ScopeNone: "",
	} {
		var got []string
		for _, s := range p.Steps {
			if p.Touched(scope, touched, failed)[s.Release.ID] {
				got = append(got, s.Release.ID.Name)
			}
		}
		if g := sorted(got); g != want {
			t.Errorf("scope %s undoes %q, want %q", scope, g, want)
		}
	}
}

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Only the cluster tells that a release without a namespace or context means
// the same one as another that spells them out.
func TestTwoReleasesWithOneIDAreRefused(t *testing.T) {
	in := input("a:\nb:\n")
	in.Releases[1].ID = in.Releases[0].ID
	in.Releases[0].Pos, in.Releases[1].Pos = spec.Pos{File: "x.yaml", Line: 2}, spec.Pos{File: "y.yaml", Line: 3}
	_, err := Build(in)
	if err == nil || !strings.Contains(err.Error(), `y.yaml:3: found duplicate releases with ID "c/n/a", the other one is at x.yaml:2`) {
		t.Errorf("building: %v", err)
	}
}

func TestScopeGroupFollowsNeedsOfDeletions(t *testing.T) {
	in := input("-c: a\n-a: b\nb:")
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	all := map[spec.ReleaseID]bool{id("a"): true, id("b"): true, id("c"): true}
	if got := p.Touched(ScopeGroup, all, map[spec.ReleaseID]bool{id("b"): true}); !got[id("a")] || !got[id("c")] {
		t.Errorf("undoes %v", got)
	}
}

func TestADestroyMindsCyclesOnlyInFilesInWhichSomethingIsToBeDeleted(t *testing.T) {
	in := input("a: b\nb: a\nc:\n")
	in.Policy.Mode = ModeDestroy
	in.Files = []spec.File{{Path: "x.yaml"}, {Path: "y.yaml"}}
	p, err := Build(in)
	if err != nil || p.Changed() {
		t.Fatalf("nothing is there: %v", err)
	}
	in.Have[id("c")] = deployed("c", "old")
	if _, err := Build(in); !errors.Is(err, ErrCycle) {
		t.Errorf("something of the same file is there: %v", err)
	}
	in.Releases[2].File = 1
	if p, err = Build(in); err != nil || p.Count(ActionUninstall) != 1 {
		t.Errorf("something of another file is there: %v", err)
	}
}

func TestAStoredManifestThatCannotBeReadKeepsNobodyFromDeleting(t *testing.T) {
	in := input("-a:\nb:\n")
	in.Have[id("a")].History[0].Stream = []byte("---\n\tno: yaml\n")
	in.Have[id("b")] = deployed("b", "old")
	in.Have[id("b")].History[0].Stream = []byte("---\n\tno: yaml\n")
	if _, err := Build(in); err == nil || !strings.Contains(err.Error(), "comparing c/n/b") || strings.Contains(err.Error(), "c/n/a") {
		t.Errorf("an upgrade needs it, a deletion does not: %v", err)
	}
	in.Policy.Mode = ModeDestroy
	if p, err := Build(in); err != nil || p.Count(ActionUninstall) != 2 {
		t.Errorf("destroying: %v", err)
	}
}
