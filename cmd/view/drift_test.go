package view

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func TestDriftForPeople(t *testing.T) {
	web, api := spec.ReleaseID{Context: "c", Namespace: "n", Name: "web"}, spec.ReleaseID{Context: "c", Namespace: "n", Name: "api"}
	object := state.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "n", Name: "web"}
	when := time.Date(2026, 3, 1, 12, 3, 0, 0, time.UTC)
	long := `"` + strings.Repeat("x", 150)
	field := drift.Finding{Kind: drift.KindChanged, Release: web, Revision: 3, Object: object, Field: ".spec.replicas", Declared: "1", Live: "5", Manager: "kubectl", Operation: "Update", Subresource: "scale", Time: when}
	image := drift.Finding{Kind: drift.KindChanged, Release: web, Revision: 3, Object: object, Field: ".spec.image", Declared: long + `a"`, Live: long + `b"`, Manager: "argo", Operation: "Apply"}
	tests := []struct {
		name string
		r    drift.Report
		want string
	}{
		{"none", drift.Report{Releases: []spec.ReleaseID{api, web}, Objects: 8}, "No drift: 2 releases with 8 objects are as deployed.\n"},
		{"one, by records alone", drift.Report{Releases: []spec.ReleaseID{web}}, "No drift: 1 release is as deployed.\n"},
		{"not all could be seen", drift.Report{Releases: []spec.ReleaseID{web}, Unseen: []drift.Unseen{{Release: web, Err: errors.New("e")}}},
			"Not all of 1 release could be seen: there may be drift. What could be seen is as deployed.\n"},
		{"what a terminal would obey", drift.Report{Releases: []spec.ReleaseID{web}, Findings: []drift.Finding{
			{Kind: drift.KindAdded, Release: web, Object: object, Field: ".metadata.annotations.\x1b", Live: "\"\u202e\u009b31m\U000e0001\"", Manager: "edit"},
		}}, "n/web\n    ~ Deployment/web\n      metadata.annotations.\\u001b: \"\\u202e\\u009b31m\\udb40\\udc01\" added  by edit\n\nDrift: 1 field added; 1 release looked at.\n"},
		{"of all kinds", drift.Report{
			Releases: []spec.ReleaseID{api, web}, Objects: 8,
			Findings: []drift.Finding{
				{Kind: drift.KindOutside, Release: api, Revision: 2, Manager: "Helm", Time: when, Text: "revision 2 was made by Helm: Rollback to 1"},
				{Kind: drift.KindMissing, Release: web, Revision: 3, Object: state.ObjectID{Kind: "ConfigMap", Namespace: "n", Name: "web"}},
				image, field,
				{Kind: drift.KindRemoved, Release: web, Revision: 3, Object: object, Field: ".spec.x", Declared: "true"},
				{Kind: drift.KindAdded, Release: web, Revision: 3, Object: object, Field: ".spec.y", Live: "1", Manager: "edit", Operation: "Update", Time: when},
			},
			Ignored: []drift.Ignored{{Finding: field, Because: "KEDA scales it"}, {Finding: image, Because: "KEDA scales it"}},
			Notes:   []drift.Note{{Release: api, Text: "a note"}},
		}, `n/api  revision 2
    ! revision 2 was made by Helm: Rollback to 1, 2026-03-01T12:03:00Z

n/web  revision 3
    - ConfigMap/web is gone
    ~ Deployment/web
      spec.image: …` + strings.Repeat("x", 48) + `a" -> …` + strings.Repeat("x", 48) + `b"  by argo (apply)
      spec.replicas: 1 -> 5                                                     by kubectl (scale), 2026-03-01T12:03:00Z
      spec.x: true -> removed
      spec.y: 1 added                                                           by edit, 2026-03-01T12:03:00Z

Not counted:
    n/Deployment/web spec.replicas and 1 more: KEDA scales it

Drift: 3 fields changed, 1 field added, 1 object gone, 1 release made outside flotilla; 2 releases with 8 objects looked at.
Note: n/api: a note
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			newHuman(Streams{Out: &out, Err: &out}, func() time.Time { return when }).Drift(tt.r, DriftOptions{Against: plan.LevelLive})
			if d := cmp.Diff(tt.want, out.String()); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}
