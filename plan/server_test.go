package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func TestTheServerIsAskedInTheWayInWhichHelmApplies(t *testing.T) {
	tests := []struct {
		name    string
		action  Action
		stored  string // apply method of the stored revision
		options spec.Options
		want    state.ApplyMethod
	}{
		{"an install", ActionInstall, "", spec.Options{}, state.ApplyServerSide},
		{"an install from the client", ActionInstall, "", spec.Options{ServerSide: "false"}, state.ApplyClientSide},
		{"an upgrade goes on as before", ActionUpgrade, "ssa", spec.Options{}, state.ApplyServerSide},
		{"an upgrade of a release of Helm 3", ActionUpgrade, "", spec.Options{ServerSide: "auto"}, state.ApplyClientSide},
		{"a release that moves to server-side apply", ActionUpgrade, "csa", spec.Options{ServerSide: "true"}, state.ApplyClientSide},
		{"an upgrade that replaces", ActionUpgrade, "ssa", spec.Options{ForceReplace: true}, state.ApplyReplace},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Step{Action: tt.action, Release: spec.Release{Options: tt.options}}
			if tt.action == ActionUpgrade {
				s.Have.History = []state.Revision{{Number: 1, ApplyMethod: tt.stored}}
			}
			if got := s.method(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAnswersBecomeObjections(t *testing.T) {
	cm := state.ObjectID{Kind: "ConfigMap", Namespace: "n", Name: "web"}
	secret := state.ObjectID{Kind: "Secret", Namespace: "n", Name: "web"}
	tests := []struct {
		name    string
		object  state.ObjectID
		options spec.Options
		answer  state.Answer
		want    []Objection
	}{
		{"what is fine", cm, spec.Options{}, state.Answer{Object: map[string]any{}}, nil},
		{"a conflict", cm, spec.Options{}, state.Answer{Conflicts: []state.Fault{{Field: ".data.k", Message: "by x"}}}, []Objection{{cm, ObjectionConflict, ".data.k", "by x"}}},
		{"a refusal", cm, spec.Options{}, state.Answer{Refused: "no"}, []Objection{{cm, ObjectionRefused, "", "no"}}},
		{"an invalid value of a Secret is not shown", secret, spec.Options{}, state.Answer{Invalid: []state.Fault{{Field: ".data.k", Message: "hunter2 is bad"}}},
			[]Objection{{secret, ObjectionInvalid, ".data.k", "the server says that it is invalid"}}},
		{"what a refusal of a Secret quotes is not shown", secret, spec.Options{}, state.Answer{Refused: "admission webhook denied: canary"},
			[]Objection{{secret, ObjectionRefused, "", "the server refuses it, in words that may hold its values: see what admission and rights say of Secrets in this namespace"}}},
		{"a namespace that nobody brings", cm, spec.Options{}, state.Answer{NoNamespace: true},
			[]Objection{{cm, ObjectionRefused, "", "the namespace n does not exist, and nothing in the plan creates it"}}},
		{"a namespace that the release brings", cm, spec.Options{CreateNamespace: true}, state.Answer{NoNamespace: true}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input("web:")
			in.Releases[0].Options = tt.options
			p, err := Build(in)
			if err != nil {
				t.Fatal(err)
			}
			told, err := p.Answered(map[spec.ReleaseID]Answers{id("web"): {Live: live.Input{}, Of: map[state.ObjectID]state.Answer{tt.object: tt.answer}}})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, told.Steps[0].Objections); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if told.Objected() != (tt.want != nil) || p.Objected() {
				t.Errorf("objected: %v before, %v after", p.Objected(), told.Objected())
			}
		})
	}
}

func TestALivePlanIsMadeOfWhatIsLive(t *testing.T) {
	in := input("web:")
	in.Policy.Against = LevelLive
	in.Have[id("web")] = state.Release{ID: id("web"), Phase: state.PhaseDeployed, History: []state.Revision{*in.Want[id("web")]}}
	for _, tt := range []struct {
		name   string
		live   live.Result
		reason Reason
	}{
		{"as it is stored", live.Result{}, ReasonUnchanged},
		{"drifted", live.Result{Drift: []live.Drift{{}}}, ReasonDrifted},
	} {
		in.Live = map[spec.ReleaseID]live.Result{id("web"): tt.live}
		p, err := Build(in)
		if err != nil || p.Steps[0].Reason != tt.reason || len(p.Steps[0].Drift) != len(tt.live.Drift) {
			t.Errorf("%s: %+v, %v", tt.name, p.Steps, err)
		}
	}
}
