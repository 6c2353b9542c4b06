package drift

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func release(name string) spec.Release {
	return spec.Release{ID: spec.ReleaseID{Context: "c", Namespace: "n", Name: name}, Installed: true, Enabled: true}
}

func stored(r state.Revision) state.Release {
	r.Number, r.Deployed = 3, now
	return state.Release{Phase: state.PhaseOf(r.Status), History: []state.Revision{r}}
}

func texts(r Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s|%s|%s%s\n", f.Release.Name, f.Kind, f.Field, f.Text)
	}
	for _, i := range r.Ignored {
		fmt.Fprintf(&b, "%s|ignored|%s %s: %s\n", i.Release.Name, i.Object, i.Field, i.Because)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n.Text)
	}
	return b.String()
}

func TestFindingsOfReleases(t *testing.T) {
	const owner = "shop, environment prod"
	marked := map[string]string{state.OwnerLabel: state.OwnerValue(owner)}
	absent := release("r")
	absent.Installed = false
	tests := []struct {
		name    string
		subject Subject
		want    string
	}{
		{"as flotilla deployed it", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusDeployed, Writer: "flotilla"})}, ""},
		{"not there", Subject{Release: release("r")}, "r|not installed|it is declared, and there is no record of it: it was never installed, or somebody uninstalled it\n"},
		{"not there and not wanted", Subject{Release: absent}, ""},
		{"uninstalled", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusUninstalled})}, "r|not installed|it is declared, and was uninstalled: only its history is left\n"},
		{"failed", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusFailed, Description: "Upgrade \"r\" failed:\n hunter2 refused"})},
			"r|failed|revision 3 is failed: Upgrade \"r\" failed: (masked) refused; its objects were not compared\n"},
		{"under way", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusPendingUpgrade})},
			"r|pending|revision 3 is pending-upgrade: an operation is under way, or was cut off; its objects were not compared\n"},
		{"half gone", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusUninstalling})},
			"r|pending|revision 3 is uninstalling: an operation is under way, or was cut off; its objects were not compared\n"},
		{"rolled back by hand, with the mark of the owner", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusDeployed, Writer: "Helm", Labels: marked, Description: "Rollback to 1"})},
			"r|made outside flotilla|revision 3 was made by Helm: Rollback to 1\n"},
		{"upgraded by hand after flotilla had written it", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusDeployed, Writer: "Helm", Description: "Upgrade complete"}), Writers: []string{"Helm", "flotilla"}},
			"r|made outside flotilla|revision 3 was made by Helm\n"},
		{"never written by flotilla", Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusDeployed, Writer: "helm"}), Writers: []string{"helm"}},
			"note: flotilla has not written this release yet: revision 3 is one of helm\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Find(Input{Subjects: []Subject{tt.subject}, Owner: owner, Now: now, Redact: func(s string) string { return strings.ReplaceAll(s, "hunter2", spec.Masked) }})
			if d := cmp.Diff(tt.want, texts(r)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestReleasesOfTheOwnerThatNobodyDeclares(t *testing.T) {
	gone := stored(state.Revision{Status: state.StatusDeployed, Writer: "flotilla", Chart: state.Chart{Name: "web", Version: "1.0.0"}})
	gone.ID = release("old").ID
	there := gone
	there.ID = release("there").ID
	r := Find(Input{Owned: []state.Release{gone, there}, Declared: map[spec.ReleaseID]bool{there.ID: true}, Now: now})
	want := "old|not declared any more|revision 3 of chart web-1.0.0 is deployed, and no state file of this owner declares it\n"
	if d := cmp.Diff(want, texts(r)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func departure(path, is string, steps ...live.Step) live.Departure {
	return live.Departure{Field: live.Field{Path: path, Was: `"a"`, Is: is, By: "kubectl-edit", At: now}, Steps: steps, Owned: path, Operation: "Update"}
}

func keys(names ...string) []live.Step {
	var steps []live.Step
	for _, n := range names {
		steps = append(steps, live.Step{Key: n, Index: -1})
	}
	return steps
}

func subject(d live.Deviation) Subject {
	return Subject{Release: release("r"), Have: stored(state.Revision{Status: state.StatusDeployed, Writer: "flotilla"}), Deviations: []live.Deviation{d}}
}

func TestWhatIsInTheNatureOfThingsIsNoDrift(t *testing.T) {
	web := state.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "n", Name: "web"}
	job := state.ObjectID{Group: "batch", Kind: "Job", Namespace: "n", Name: "job"}
	hook := state.ObjectID{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration", Name: "hook"}
	scaled := departure(".spec.replicas", "3", keys("spec", "replicas")...)
	byController := scaled
	byController.By, byController.Subresource = "kube-controller-manager", "scale"
	bundle := departure(".webhooks[name=a].clientConfig.caBundle", `"x"`, live.Step{Key: "webhooks", Index: -1}, live.Step{Key: "name=a"}, live.Step{Key: "clientConfig", Index: -1}, live.Step{Key: "caBundle", Index: -1})
	hpa := diff.Manifest{{Group: "autoscaling", Kind: "HorizontalPodAutoscaler", Namespace: "n", Name: "h"}: {
		"spec": map[string]any{"scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}}
	tests := []struct {
		name   string
		d      live.Deviation
		stored diff.Manifest
		want   string
	}{
		{"replicas by hand", live.Deviation{Object: web, Fields: []live.Departure{scaled}}, nil, "r|changed|.spec.replicas\n"},
		{"replicas by the controller", live.Deviation{Object: web, Fields: []live.Departure{byController}}, nil, "r|ignored|n/Deployment/web .spec.replicas: a controller of Kubernetes sets it\n"},
		{"replicas of what an autoscaler has", live.Deviation{Object: web, Fields: []live.Departure{scaled}}, hpa, "r|ignored|n/Deployment/web .spec.replicas: a HorizontalPodAutoscaler sets replicas\n"},
		{"a bundle of a webhook", live.Deviation{Object: hook, Fields: []live.Departure{bundle}}, nil,
			"r|ignored|MutatingWebhookConfiguration/hook .webhooks[name=a].clientConfig.caBundle: certificates of a webhook or API are injected\n"},
		{"the same key of another kind", live.Deviation{Object: web, Fields: []live.Departure{bundle}}, nil, "r|changed|.webhooks[name=a].clientConfig.caBundle\n"},
		{"a Job with a time", live.Deviation{Object: job, Gone: true, Stored: map[string]any{"spec": map[string]any{"ttlSecondsAfterFinished": 5.0}}}, nil,
			"r|ignored|n/Job/job : a Job is deleted when its time after the end is over\n"},
		{"a Job without", live.Deviation{Object: job, Gone: true, Stored: map[string]any{"spec": map[string]any{}}}, nil, "r|missing|\n"},
		{"a field that is gone", live.Deviation{Object: web, Fields: []live.Departure{departure(".spec.paused", "", keys("spec", "paused")...)}}, nil, "r|removed|.spec.paused\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := subject(tt.d)
			s.Stored = tt.stored
			if d := cmp.Diff(tt.want, texts(Find(Input{Subjects: []Subject{s}, Now: now}))); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestRulesOfTheStateFile(t *testing.T) {
	env := []live.Step{{Key: "spec", Index: -1}, {Key: "containers", Index: -1}, {Key: "name=web", Index: 1}, {Key: "a/b", Index: -1}}
	d := live.Deviation{Object: state.ObjectID{Kind: "Pod", Namespace: "n", Name: "web-1"}, Fields: []live.Departure{departure(".x", `"b"`, env...)}}
	yesterday := now.AddDate(0, 0, -1).Truncate(24 * time.Hour)
	const counted, ignored = "r|changed|.x\n", "r|ignored|n/Pod/web-1 .x: why\n"
	tests := []struct {
		name   string
		rule   spec.DriftIgnore
		partly bool
		want   string
	}{
		{"by kind", spec.DriftIgnore{Kind: "Pod"}, false, ignored},
		{"by another kind", spec.DriftIgnore{Kind: "Service"}, false, counted + "note: : drift.ignore (kind Service) matches nothing\n"},
		{"by another kind, where not all is looked at", spec.DriftIgnore{Kind: "Service"}, true, counted},
		{"by names", spec.DriftIgnore{Name: "web-*", Namespace: "?"}, false, ignored},
		{"by another namespace", spec.DriftIgnore{Name: "web-*", Namespace: "m"}, true, counted},
		{"by manager", spec.DriftIgnore{Manager: "kubectl-*"}, false, ignored},
		{"by another manager", spec.DriftIgnore{Manager: "argo*"}, true, counted},
		{"by a pointer to it", spec.DriftIgnore{Pointer: []string{"spec", "containers", "1", "a/b"}}, false, ignored},
		{"by a pointer above it", spec.DriftIgnore{Pointer: []string{"spec", "containers"}}, false, ignored},
		{"by a pointer to any element", spec.DriftIgnore{Pointer: []string{"spec", "containers", "*", "a/b"}}, false, ignored},
		{"by a pointer to the element by its key", spec.DriftIgnore{Pointer: []string{"spec", "containers", "name=web"}}, false, ignored},
		{"by a pointer to another element", spec.DriftIgnore{Pointer: []string{"spec", "containers", "0"}}, true, counted},
		{"by a pointer below it", spec.DriftIgnore{Pointer: []string{"spec", "containers", "1", "a/b", "c"}}, true, counted},
		{"that has expired", spec.DriftIgnore{Kind: "Pod", Expires: yesterday}, false, counted + "note: : drift.ignore (kind Pod) expired at the end of 2026-02-28: what it matches counts\n"},
		{"that has expired and matches nothing", spec.DriftIgnore{Kind: "Service", Expires: yesterday}, false, counted + "note: : drift.ignore (kind Service) expired at the end of 2026-02-28, and would match nothing: take it out\n"},
		{"that expires today", spec.DriftIgnore{Kind: "Pod", Expires: now.Truncate(24 * time.Hour)}, false, ignored},
		{"of another file", spec.DriftIgnore{Kind: "Pod", File: 1}, true, counted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Reason = "why"
			files := []spec.File{{Parent: -1}, {Parent: -1}}
			files[tt.rule.File].DriftIgnores = []spec.DriftIgnore{tt.rule}
			r := Find(Input{Subjects: []Subject{subject(d)}, Spec: &spec.Spec{Files: files}, Partly: tt.partly, Now: now})
			if d := cmp.Diff(tt.want, texts(r)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestWhatAFixPutsBack(t *testing.T) {
	web := state.ObjectID{Kind: "Pod", Namespace: "n", Name: "web"}
	found := []Finding{
		{Kind: KindChanged, Object: web, owned: ".spec.a"}, {Kind: KindChanged, Object: web, owned: ".spec.a"}, {Kind: KindRemoved, Object: web, owned: ".spec.b"},
		{Kind: KindAdded, Object: web, owned: ".spec.c"}, {Kind: KindMissing, Object: state.ObjectID{Kind: "Service"}}, {Kind: KindOutside},
	}
	want := state.Drifted{web: {".spec.a", ".spec.b"}, {Kind: "Service"}: nil}
	if d := cmp.Diff(want, DriftedOf(found)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
