package plan

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// world is an input with files, needs, CRDs, namespaces, installs, upgrades and
// deletions, without cycles.
func world(r *rand.Rand) Input {
	in := Input{Have: state.Snapshot{}, Want: map[spec.ReleaseID]*state.Revision{}}
	for i := range 1 + r.IntN(5) {
		f := spec.File{Path: fmt.Sprintf("%c%d.yaml", 'a'+rune(r.IntN(3)), i), FileOrder: r.IntN(4) > 0}
		for d := range i {
			if r.IntN(3) == 0 {
				f.Depends = append(f.Depends, d)
			}
		}
		in.Files = append(in.Files, f)
	}
	for i := range 1 + r.IntN(12) {
		name := fmt.Sprintf("r%02d", i)
		one := spec.Release{ID: id(name), Index: i, File: min(i*len(in.Files)/12, len(in.Files)-1), Installed: r.IntN(5) > 0}
		one.ID.Namespace = fmt.Sprintf("n%d", r.IntN(3))
		for _, other := range in.Releases {
			if r.IntN(6) == 0 {
				one.Needs = append(one.Needs, spec.Need{ID: other.ID})
			}
		}
		in.Releases = append(in.Releases, one)
		if one.Installed {
			want := revision(name, fmt.Sprint("new", r.IntN(2)))
			want.Stream = append(want.Stream, extra(r)...)
			want.Values = map[string]any{"a": value(r, 3), "b": value(r, 3)}
			in.Want[one.ID] = want
		}
		if r.IntN(2) == 0 {
			have := deployed(name, fmt.Sprint("new", r.IntN(2)))
			have.ID = one.ID
			have.History[0].Stream = append(have.History[0].Stream, extra(r)...)
			in.Have[one.ID] = have
		}
	}
	return in
}

func extra(r *rand.Rand) string {
	return []string{crdStream, crStream, fmt.Sprintf("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n%d}\n", r.IntN(3)), "", ""}[r.IntN(5)]
}

// shuffled is the same input in another order: of releases, files and maps.
func shuffled(r *rand.Rand, in Input) Input {
	out := in
	out.Releases = slices.Clone(in.Releases)
	r.Shuffle(len(out.Releases), func(i, j int) { out.Releases[i], out.Releases[j] = out.Releases[j], out.Releases[i] })
	place := r.Perm(len(in.Files)) // of each file
	out.Files = make([]spec.File, len(in.Files))
	for i, f := range in.Files {
		f.Depends = slices.Clone(f.Depends)
		for j, d := range f.Depends {
			f.Depends[j] = place[d]
		}
		r.Shuffle(len(f.Depends), func(a, b int) { f.Depends[a], f.Depends[b] = f.Depends[b], f.Depends[a] })
		out.Files[place[i]] = f
	}
	for i := range out.Releases {
		out.Releases[i].File = place[out.Releases[i].File]
	}
	out.Have, out.Want = state.Snapshot{}, map[spec.ReleaseID]*state.Revision{}
	for _, i := range r.Perm(len(in.Releases)) {
		id := in.Releases[i].ID
		if have, ok := in.Have[id]; ok {
			out.Have[id] = have
		}
		if want, ok := in.Want[id]; ok {
			again := *want
			again.Values = maps.Clone(want.Values)
			out.Want[id] = &again
		}
	}
	return out
}

func encoded(t *testing.T, in Input) []byte {
	t.Helper()
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	data, err := Encode(saved(t, p))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEqualInputsGiveEqualBytesInWhateverOrderTheyCome(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		in := world(r)
		want := encoded(t, in)
		for range 3 {
			if got := encoded(t, shuffled(r, in)); !bytes.Equal(want, got) {
				t.Fatalf("seed %d (-in order +shuffled):\n%s", seed, cmp.Diff(string(want), string(got)))
			}
		}
		s, err := Decode(want)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if again, err := Encode(s); err != nil || !bytes.Equal(want, again) {
			t.Fatalf("seed %d: decoded and encoded again it is not the same (%v)", seed, err)
		}
	}
}

// TestReleasesThatAreStillTheSameComeOutAsTheyWere plans some releases anew
// although nothing is another one: plan, file and verdict have to be the same.
func TestReleasesThatAreStillTheSameComeOutAsTheyWere(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 8))
		in := world(r)
		p, err := Build(in)
		if err != nil {
			t.Fatal(err)
		}
		s := saved(t, p)
		s.Hooks = nil // they are of no release of this plan
		anew := map[spec.ReleaseID]bool{}
		some := in
		some.Releases = nil
		for _, one := range in.Releases {
			if slices.Contains(s.Touched(), one.ID) && r.IntN(2) == 0 {
				anew[one.ID] = true
				one.Index, one.File = r.IntN(99), 0 // files may be others by now
				some.Releases = append(some.Releases, one)
			}
		}
		some.Files = []spec.File{{Path: "now.yaml"}}
		fresh, err := Build(some)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := s.Without(anew).Onto(in.Have)
		if err != nil {
			t.Fatal(err)
		}
		renewed, err := s.Renew(rest, fresh)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(p.Edges, renewed.Edges); d != "" {
			t.Fatalf("seed %d: edges (-reviewed +renewed):\n%s", seed, d)
		}
		next, err := s.Renewed(renewed, fresh, originOf(s))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s, next); d != "" {
			t.Fatalf("seed %d (-reviewed +renewed):\n%s", seed, d)
		}
		for _, step := range fresh.Steps {
			at := slices.IndexFunc(s.Plan.Steps, func(x Step) bool { return x.Release.ID == step.Release.ID })
			one, err := Renewal{Reviewed: s.Plan.Steps[at], New: step}.Compared(in.Policy.Diff)
			if err != nil || !one.AsReviewed() {
				t.Fatalf("seed %d: %s is not as reviewed: %+v, %v", seed, step.Release.ID, one, err)
			}
		}
	}
}

func originOf(s *Saved) Origin {
	return Origin{Flotilla: s.Flotilla, Created: s.Created, Files: s.Files, Secrets: s.Secrets, Made: s.Made, Clusters: s.Clusters, Owner: s.Owner}
}

func TestARenewedPlanHasTheEdgesOfItsSteps(t *testing.T) {
	in := input("db:\nweb: db\ncache:")
	in.Files = []spec.File{{Path: "first.yaml", FileOrder: true}, {Path: "second.yaml", FileOrder: true, Depends: []int{0}}}
	in.Releases[2].File = 1 // cache
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	s := saved(t, p)
	web, cache := in.Releases[1], in.Releases[2]
	web.Needs, web.Installed = nil, true
	cache.Installed = false
	have := state.Snapshot{cache.ID: deployed("cache", "x"), web.ID: deployed("web", "x")}
	fresh, err := Build(Input{Releases: []spec.Release{web, cache}, Files: in.Files, Have: have, Want: in.Want})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := s.Without(map[spec.ReleaseID]bool{web.ID: true, cache.ID: true}).Onto(have)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Renew(rest, fresh)
	if err != nil {
		t.Fatal(err)
	}
	const want = `db before applied first.yaml (file order)
web before applied first.yaml (file order)
applied first.yaml before applied second.yaml (file order)
deleted second.yaml before deleted first.yaml (file order)
cache before deleted second.yaml (file order)
`
	if d := cmp.Diff(want, edges(got)); d != "" {
		t.Errorf("edges (-want +got):\n%s", d)
	}
	if _, err := s.Renew(rest, &Plan{}); err == nil {
		t.Error("a release that was not planned anew is left out")
	}
}

func TestWhatIsNotAsReviewed(t *testing.T) {
	reviewed := func() Step {
		in := input("web:")
		in.Releases[0].Options.Wait = true
		in.Want[id("web")].Values = map[string]any{"n": 5.0}
		p, err := Build(in)
		if err != nil {
			t.Fatal(err)
		}
		return p.Steps[0]
	}
	tests := []struct {
		name   string
		change func(*Step)
		want   []string // of Other
		shown  int      // changes of content and effect
	}{
		{"nothing", func(*Step) {}, nil, 0},
		{"it is there already", func(s *Step) { s.Action, s.Changes = ActionNone, nil }, nil, 0},
		{"another action", func(s *Step) { s.Action = ActionUpgrade }, []string{"upgrade instead of install"}, 0},
		{"another chart", func(s *Step) { s.After.Chart.Version = "2" }, []string{"chart web-2 instead of web-1.0.0"}, 0},
		{"another content of the chart", func(s *Step) { s.After.Chart.Digest = "sha256:2" }, []string{"another content of the chart web-1.0.0"}, 0},
		{"the type of a value", func(s *Step) { s.After.Values = map[string]any{"n": int64(5)} }, []string{"other values"}, 0},
		{"an object", func(s *Step) { s.After.Stream = revision("web", "other").Stream }, nil, 1},
		{"a comment", func(s *Step) { s.After.Stream = append(s.After.Stream, "# more\n"...) }, []string{"the same objects, written in another way"}, 0},
		{"notes", func(s *Step) { s.After.Notes = "x" }, []string{"other notes"}, 0},
		{"labels", func(s *Step) { s.After.Labels = map[string]string{"a": "b"} }, []string{"other labels on the record"}, 0},
		{"a CRD", func(s *Step) { s.After.CRDs = []state.CRDFile{{Path: "x"}} }, []string{"other files in crds/"}, 0},
		{"options", func(s *Step) { s.Release.Options.Wait = false }, []string{"other options"}, 0},
		{"needs", func(s *Step) { s.Release.Needs = []spec.Need{{ID: id("db")}} }, []string{"other needs"}, 0},
		{"what applying reverts", func(s *Step) { s.Changes[0].Before = "x" }, nil, 1},
		{"it is not wanted any more", func(s *Step) { s.After, s.Action = nil, ActionNone }, []string{"it is not wanted any more"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := reviewed()
			tt.change(&now)
			got, err := Renewal{Reviewed: trimmed(reviewed()), New: now}.Compared(Input{}.Policy.Diff)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got.Other); d != "" {
				t.Errorf("in words (-want +got):\n%s", d)
			}
			if shown := len(got.Content) + len(got.Effect); shown != tt.shown {
				t.Errorf("%d changes, want %d: %+v", shown, tt.shown, got)
			}
			if want := len(tt.want)+tt.shown == 0; got.AsReviewed() != want {
				t.Errorf("as reviewed: %t", got.AsReviewed())
			}
		})
	}
}

func TestFilesAreComparedByTheirPlaceBesideTheStateFile(t *testing.T) {
	s := &Saved{Made: Made{File: "/a/helmfile.yaml"}, Files: []SourceFile{{"/a/helmfile.yaml", "1"}, {"/a/v/x.yaml", "1"}, {"/a/v/y.yaml", "1"}, {"/a/v/y.yaml", "2"}, {"/a/old.yaml", "1"}}}
	got := s.FileMoves([]SourceFile{{"/b/flotilla.yaml", "1"}, {"/b/v/x.yaml", "2"}, {"/b/v/y.yaml", "2"}, {"/b/new.yaml", "1"}}, Made{File: "/b/flotilla.yaml"})
	want := []FileMove{{"/a/old.yaml", FileGone}, {"/b/new.yaml", FileNew}, {"/b/v/x.yaml", FileChanged}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("moves (-want +got):\n%s", d)
	}
}

func TestHooksOfAReleaseAreCompared(t *testing.T) {
	one := []StepHooks{{Release: id("web"), Hooks: []hooks.Frozen{{Argv: []string{"a"}}}}}
	other := []StepHooks{{Release: id("web"), Hooks: []hooks.Frozen{{Argv: []string{"b"}}}}, {Release: id("db")}}
	if !SameHooks(one, one, id("web")) || SameHooks(one, other, id("web")) || SameHooks(one, nil, id("web")) || !SameHooks(one, other, id("db")) {
		t.Error("hooks are not compared by what they start")
	}
}

func TestAPlanForAnotherClusterIsRefused(t *testing.T) {
	s := &Saved{Clusters: []state.ClusterID{{Context: "a", UID: "1"}, {Context: "b", UID: "2"}}}
	if err := s.Elsewhere([]state.ClusterID{{Context: "a", UID: "1"}}); err != nil {
		t.Errorf("the same cluster: %v", err)
	}
	err := s.Elsewhere([]state.ClusterID{{Context: "a", UID: "1"}, {Context: "b", UID: "3"}})
	if d := cmp.Diff(true, err != nil && cmp.Equal(err.Error()[:10], "context b:")); d != "" {
		t.Errorf("another cluster: %v", err)
	}
}
