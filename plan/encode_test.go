package plan

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

var update = flag.Bool("update", false, "write the list of fields of saved plans anew")

func someGate(r *rand.Rand) spec.Gate {
	reach := spec.Reach{URL: "https://" + word(r), Headers: map[string]string{"X": word(r)}, CA: word(r), InsecureSkipTLSVerify: r.IntN(2) == 0}
	return spec.Gate{
		Kind: spec.GateHTTP, Name: word(r), Pos: spec.Pos{File: "f", Line: r.IntN(99)}, File: r.IntN(9), Group: word(r),
		Within: time.Duration(r.Int64N(1e12)), For: time.Duration(r.Int64N(1e12)), Interval: 1, Timeout: 2,
		HTTP:       spec.HTTPProbe{Reach: reach, Method: "GET", Body: word(r), Status: []string{"2xx"}, Contains: word(r), Matches: word(r)},
		Prometheus: spec.PrometheusQuery{Reach: reach, Query: word(r), Threshold: "< 1", NoDataPass: true},
		Test:       spec.ChartTest{Only: []string{word(r)}, Skip: []string{word(r)}, Logs: true},
		Command:    spec.GateCommandRun{Argv: []string{word(r)}, Env: map[string]string{"A": word(r)}, Dir: "/", ShowLogs: true},
	}
}

// arbitrary is a plan with random content in every field that is saved.
func arbitrary(r *rand.Rand) *Plan {
	var text strings.Builder
	for i := range 1 + r.IntN(6) {
		sign := []string{"", "-"}[r.IntN(2)]
		fmt.Fprintf(&text, "%sr%d: r%d\n", sign, i, r.IntN(6))
	}
	in := input(text.String())
	for i := range in.Releases {
		one := &in.Releases[i]
		one.Pos = spec.Pos{File: "helmfile.yaml", Line: r.IntN(99)}
		one.Labels = map[string]string{"tier": word(r)}
		one.AtomicGroup, one.Needs = word(r), nil
		one.Verify, one.GroupVerify = []spec.Gate{someGate(r)}, []spec.Gate{someGate(r), someGate(r)}
		one.Chart = spec.Chart{Ref: "secret-user:secret-password@repo/" + word(r)}
		one.Options = spec.Options{Wait: r.IntN(2) == 0, Timeout: time.Duration(r.Int64N(1e12)), HistoryMax: r.IntN(9),
			Description: word(r), PostRendererArgs: []string{"secret"}, Track: spec.Track{Kinds: []string{word(r)}}}
		if want := in.Want[one.ID]; want != nil {
			want.Values = map[string]any{"v": value(r, 4)}
			want.Notes, want.Labels = word(r), map[string]string{"l": word(r)}
			want.Hooks = []state.Hook{{Name: word(r), Kind: "Job", Path: word(r), Weight: r.IntN(9) - 4,
				Manifest: "kind: Job\napiVersion: batch/v1\nmetadata: {name: j}\n", Events: []state.HookEvent{state.HookPreInstall}}}
			want.CRDs = []state.CRDFile{{Path: word(r), Data: []byte(word(r) + "\n")}}
		}
		if r.IntN(2) == 0 {
			in.Have[one.ID] = deployed(one.ID.Name, fmt.Sprint("old", r.IntN(3)))
		}
	}
	p, err := Build(in)
	if err != nil {
		panic(err)
	}
	for i := range p.Steps {
		if o := (state.ObjectID{Kind: "ConfigMap", Name: word(r)}); r.IntN(2) == 0 {
			p.Steps[i].Drift = []live.Drift{{Change: diff.Change{Object: o, Op: diff.OpChange, Before: word(r), After: word(r)},
				Fields: []live.Field{{Path: word(r), Was: word(r), Is: word(r), By: word(r), At: now}}}}
			p.Steps[i].Seen = []live.Seen{{Object: o, Exists: r.IntN(2) == 0, Leaves: []live.Leaf{{Path: word(r), Value: word(r)}}}}
			p.Steps[i].Causes = []Cause{{Kind: CauseValue, Subject: word(r), Op: diff.OpAdd, After: word(r), Count: r.IntN(9), From: ValueOrigin{spec.Pos{File: word(r), Line: r.IntN(9)}, "set"}}}
			p.Steps[i].Objections = []Objection{{Object: o, Kind: ObjectionConflict, Field: word(r), Message: word(r)}}
		}
	}
	return p
}

func word(r *rand.Rand) string {
	words := []string{"a", "Zürich", "<&>", "\u2028", "a\nb\r\n\t\"'\\", "0", "true", "日本"}
	return words[r.IntN(len(words))]
}

func value(r *rand.Rand, depth int) any {
	switch n := r.IntN(10); {
	case n < 2 && depth > 0:
		m := map[string]any{}
		for range r.IntN(4) {
			m[word(r)] = value(r, depth-1)
		}
		return m
	case n < 4 && depth > 0:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, value(r, depth-1))
		}
		return list
	case n < 6:
		return []any{int64(math.MaxInt64), int64(-1 << 60), uint64(math.MaxUint64), int64(r.IntN(100)), int64(1<<53 + 1)}[r.IntN(5)]
	case n < 8:
		return []float64{0, 5, -2, 1e21, 1e-9, r.NormFloat64(), math.MaxFloat64}[r.IntN(7)]
	default:
		return []any{nil, true, false, word(r)}[r.IntN(4)]
	}
}

func saved(t *testing.T, p *Plan) *Saved {
	t.Helper()
	s, err := p.Save(Origin{
		Flotilla: "v1", Created: now, Files: []SourceFile{{"helmfile.yaml", "sha256:1"}}, Policy: SavedPolicy{ForcePending: true},
		Hooks:    []StepHooks{{Release: id("r0"), Hooks: []hooks.Frozen{{Event: spec.EventPreSync, Argv: []string{"echo", "<"}}}}},
		Secrets:  []string{"swordfish"},
		Made:     Made{Dir: "/srv/shop", File: "/srv/shop/helmfile.yaml", Flags: []Flag{{"environment", []string{"prod"}}, {"set", []string{"a=b", "c=\"d,e"}}}},
		Clusters: []state.ClusterID{{Context: "c", UID: "1", Server: "https://c", CA: "sha256:1", Records: "secrets"}},
		Owner:    spec.Owner{ID: "shop, environment prod", Namespace: "ops"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	for seed := range uint64(100) {
		want := saved(t, arbitrary(rand.New(rand.NewPCG(seed, 1))))
		data, err := Encode(want)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, err := Decode(data)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, data)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, d)
		}
		again, err := Encode(saved(t, arbitrary(rand.New(rand.NewPCG(seed, 1)))))
		if err != nil || string(again) != string(data) {
			t.Fatalf("seed %d: equal plans give other bytes (%v)", seed, err)
		}
		if strings.Contains(string(data), "secret-password") || strings.Contains(string(data), `"secret"`) {
			t.Fatalf("seed %d: a chart's address or a post-renderer's argument is in the plan", seed)
		}
	}
}

func TestEncodeRefusesWhatJSONWouldChange(t *testing.T) {
	tests := []struct {
		name   string
		change func(*state.Revision)
		want   string
	}{
		{"an object that is not UTF-8", func(r *state.Revision) { r.Stream = []byte("a\xff") }, "is not UTF-8"},
		{"a hook that is not UTF-8", func(r *state.Revision) { r.Hooks = []state.Hook{{Path: "t/h.yaml", Manifest: "\xff"}} }, "the hook t/h.yaml is not UTF-8"},
		{"a value that is not UTF-8", func(r *state.Revision) { r.Values = map[string]any{"a": []any{"\xff"}} }, "a: [0]: the value"},
		{"a value that is no number", func(r *state.Revision) { r.Values = map[string]any{"a": math.Inf(1)} }, "a: +Inf is no number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Build(input("web:"))
			if err != nil {
				t.Fatal(err)
			}
			s := saved(t, p)
			tt.change(s.Plan.Steps[0].After)
			_, err = Encode(s)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "c/n/web") {
				t.Errorf("error %v, want one with %q and the release", err, tt.want)
			}
		})
	}
}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	data, err := Encode(saved(t, &Plan{Mode: ModeApply}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"a field of a later version", strings.Replace(string(data), `"Flotilla"`, `"Later":1,"Flotilla"`, 1), "unknown field"},
		{"more than one plan", string(data) + "{}", "something follows"},
		{"half a plan", string(data[:len(data)/2]), "decoding the plan"},
	} {
		if _, err := Decode([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

func TestASavedPlanHoldsNoContentOfStoredRevisions(t *testing.T) {
	in := input("web:\n-old:")
	have := deployed("web", "content-of-before")
	have.History[0].Values = map[string]any{"k": "value-of-before"}
	in.Have[id("web")] = have
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Steps {
		p.Steps[i].Changes, p.Steps[i].Causes = nil, nil // they show what differs
	}
	data, err := Encode(saved(t, p))
	if err != nil || strings.Contains(string(data), "-of-before") {
		t.Errorf("%v: %s", err, data)
	}
}

// TestFormatOfSavedPlans lists every field that a saved plan is written with.
// When it fails, older programs cannot read new plans, or the other way round:
// raise file.Version, and then write the list anew with -update.
func TestFormatOfSavedPlans(t *testing.T) {
	var fields []string
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		kind := typ.Kind()
		if kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map {
			walk(typ.Elem())
		}
		if kind != reflect.Struct || seen[typ] || typ == reflect.TypeFor[time.Time]() {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			fields = append(fields, fmt.Sprintf("%s.%s %s", typ, f.Name, f.Type))
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[savedJSON[stepJSON]]())
	slices.Sort(fields)
	got := strings.ReplaceAll(strings.Join(fields, "\n")+"\n", "github.com/flotilla-sh/flotilla/", "")
	if *update {
		if err := os.WriteFile("testdata/format.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/format.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the fields of saved plans (-want +got):\n%s", d)
	}
	if !strings.Contains(got, reflect.TypeFor[diff.Change]().String()+".Before string") {
		t.Error("the list has no changes: the walk ends too early")
	}
}

func TestOnto(t *testing.T) {
	at := func(n int, status state.Status) state.Release {
		r := deployed("web", "x")
		r.History[0].Number, r.History[0].Status = n, status
		r.Phase = state.PhaseOf(status)
		return r
	}
	both := at(6, state.StatusDeployed)
	both.History = append(both.History, at(7, state.StatusFailed).History...)
	both.Phase = state.PhaseFailed
	older := both
	older.History = slices.Clone(both.History)
	older.History[0].Number = 5
	anew := at(6, state.StatusDeployed)
	anew.History[0].Deployed = now
	helm := at(7, state.StatusFailed)
	helm.History[0].Writer = "helm"
	absent := state.Release{ID: id("web"), Phase: state.PhaseAbsent}
	tests := []struct {
		name     string
		was, now state.Release
		want     string // empty: it is as it was
	}{
		{"nothing moved", at(6, state.StatusDeployed), at(6, state.StatusDeployed), ""},
		{"it is still absent", absent, absent, ""},
		{"another revision", at(6, state.StatusDeployed), at(7, state.StatusDeployed),
			"it was at revision 6 (deployed at 2026-01-02T02:04:05Z) and is at revision 7 (deployed at 2026-01-02T02:04:05Z)"},
		{"another program", at(6, state.StatusDeployed), helm,
			"it was at revision 6 (deployed at 2026-01-02T02:04:05Z) and is at revision 7 (failed by helm at 2026-01-02T02:04:05Z)"},
		{"another status", at(6, state.StatusDeployed), at(6, state.StatusFailed), "revision 6 (deployed at 2026-01-02T02:04:05Z) is failed now"},
		{"it is gone", at(6, state.StatusDeployed), absent, "revision 6 (deployed at 2026-01-02T02:04:05Z) is gone"},
		{"it is new", absent, at(1, state.StatusDeployed), "it was not installed, and revision 1 (deployed at 2026-01-02T02:04:05Z) is there now"},
		{"the same number, written anew", at(6, state.StatusDeployed), anew,
			"it was at revision 6 (deployed at 2026-01-02T02:04:05Z), and revision 6 (deployed at 2026-01-02T03:04:05Z) was written in its place"},
		{"the deployed revision behind a failed one", both, older, "revision 7 (failed at 2026-01-02T02:04:05Z) is as it was, but the revision that is deployed is not"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input("web:\nsame:")
			in.Have[id("web")] = tt.was
			in.Have[id("same")] = state.Release{ID: id("same"), Phase: state.PhaseDeployed, History: []state.Revision{*in.Want[id("same")]}}
			in.Have[id("same")].History[0].Status = state.StatusDeployed
			p, err := Build(in)
			if err != nil {
				t.Fatal(err)
			}
			s := saved(t, p)
			if got := s.Touched(); !slices.Equal(got, []spec.ReleaseID{id("web")}) {
				t.Fatalf("touches %v", got)
			}
			now := state.Snapshot{id("web"): tt.now} // same went away, which nothing here depends on
			onto, err := s.Onto(now)
			if still := p.Still(now); fmt.Sprint(still) != fmt.Sprint(err) {
				t.Errorf("still: %v, onto: %v", still, err)
			}
			if err := p.Unmoved(now); !errors.Is(err, state.ErrStale) {
				t.Errorf("unmoved: %v, want an error that names same", err)
			}
			if tt.want != "" {
				if !errors.Is(err, state.ErrStale) || err.Error() != "c/n/web: "+tt.want {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(onto.Steps, func(s Step) bool { return s.Release.ID == id("web") })
			want := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Release.ID == id("web") })
			if d := cmp.Diff(p.Steps[want], onto.Steps[at]); d != "" {
				t.Errorf("the step is not what was planned (-want +got):\n%s", d)
			}
		})
	}
}
