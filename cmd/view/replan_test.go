package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

func TestReplanShowsWhatIsNotAsReviewed(t *testing.T) {
	object := state.ObjectID{Kind: "ConfigMap", Name: "web"}
	change := []diff.Change{{Object: object, Op: diff.OpChange, Before: "a: 1\n", After: "a: 2\n"}}
	upgrade, none := step("web", plan.ActionUpgrade, plan.ReasonChanged), step("web", plan.ActionNone, plan.ReasonUnchanged)
	tests := []struct {
		name string
		what plan.Renewals
		opts PlanOptions
		want string // of the human view, on both streams
	}{
		{"nothing moved", plan.Renewals{}, PlanOptions{}, "No release has moved since the plan was made: it is as it was.\n"},
		{"only the base", plan.Renewals{Releases: []plan.Renewal{{Moved: "it moved", New: upgrade}}}, PlanOptions{},
			"* n/web  it moved\n    what would be applied is what was reviewed\n"},
		{"it is there", plan.Renewals{Releases: []plan.Renewal{{Moved: "it moved", New: none}}}, PlanOptions{},
			"* n/web  it moved\n    what was reviewed is there already: nothing is left to do\n"},
		{"content and words", plan.Renewals{Releases: []plan.Renewal{{Moved: "it moved", New: upgrade, Content: change, Effect: change, Other: []string{"other values"}}}}, PlanOptions{},
			"* n/web  it moved\n    not as reviewed: other values\n    what would be applied now (+) is not what was reviewed (-):\n    ~ ConfigMap/web\n      - a: 1\n      + a: 2\n"},
		{"effect", plan.Renewals{Releases: []plan.Renewal{{Moved: "it moved", New: upgrade, Effect: change}}}, PlanOptions{},
			"* n/web  it moved\n    what applying changes now was not reviewed:\n    ~ ConfigMap/web\n      - a: 1\n      + a: 2\n"},
		{"effect in brief", plan.Renewals{Releases: []plan.Renewal{{Moved: "it moved", New: upgrade, Effect: change}}}, PlanOptions{Brief: true},
			"* n/web  it moved\n    not as reviewed: 1 change that nobody reviewed\n"},
		{"content in brief", plan.Renewals{Releases: []plan.Renewal{{Moved: "it moved", New: upgrade, Content: change}}}, PlanOptions{Brief: true},
			"* n/web  it moved\n    not as reviewed: 1 other object\n"},
		{"files", plan.Renewals{Releases: []plan.Renewal{{Moved: "it moved", New: none}}, Files: []plan.FileMove{{Path: "/a.yaml", Move: plan.FileChanged}}}, PlanOptions{},
			"* n/web  it moved\n    what was reviewed is there already: nothing is left to do\nFiles that are not what the plan was made of:\n    /a.yaml changed\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			newHuman(Streams{Out: &out, Err: &out}, func() time.Time { return at(0) }).Replan(tt.what, tt.opts)
			_, got, found := strings.Cut(strings.TrimSuffix(out.String(), "\n"), "moved since the plan was made: 1 release.\n")
			if !found {
				got = strings.TrimSuffix(out.String(), "\n")
			}
			if d := cmp.Diff(strings.TrimSuffix(tt.want, "\n"), strings.TrimSuffix(got, "\n")); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestReplanAsJSON(t *testing.T) {
	var out bytes.Buffer
	v, err := New(FormatJSON, Streams{Out: &out, Err: &out}, func() time.Time { return at(0) })
	if err != nil {
		t.Fatal(err)
	}
	one := plan.Renewal{Moved: "it moved", Reviewed: step("web", plan.ActionInstall, plan.ReasonNew), New: step("web", plan.ActionUpgrade, plan.ReasonChanged), Other: []string{"upgrade instead of install"}}
	v.Replan(plan.Renewals{Releases: []plan.Renewal{one}, Files: []plan.FileMove{{Path: "/a.yaml", Move: plan.FileGone}}}, PlanOptions{})
	for _, want := range []string{
		`"type":"replan"`, `"moved":"it moved","asReviewed":false,"reviewedAction":"install","action":"upgrade","other":["upgrade instead of install"]`,
		`"files":[{"path":"/a.yaml","move":"gone"}]`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s lacks %s", out.String(), want)
		}
	}
}
