package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func TestConflictsAreFieldsThatAnApplyChangesAndSomebodyElseHas(t *testing.T) {
	wanted := "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {externalName: a, sessionAffinity: None, ports: [{name: http, port: 80}]}\n"
	id := state.ObjectID{Kind: "Service", Namespace: "ns", Name: "s"}
	helm := entry("helm", "Apply", `"f:externalName": {}, "f:sessionAffinity": {}`)
	by := func(field, message string) []Conflict { return []Conflict{{id, field, message}} }
	tests := []struct {
		name, live string
		want       []Conflict
	}{
		{"an object that is not there", "", nil},
		{"a field of the release itself", managed("{externalName: b, sessionAffinity: None}", helm), nil},
		{"a field that somebody has updated", managed("{externalName: b, sessionAffinity: None}", helm, entry("kubectl-edit", "Update", `"f:externalName": {}`)),
			by(".spec.externalName", `conflict with "kubectl-edit" using v1 at 2026-03-01T12:03:00Z`)},
		{"a field that somebody has applied", managed("{externalName: b, sessionAffinity: None}", helm, entry("argo", "Apply", `"f:externalName": {}`)),
			by(".spec.externalName", `conflict with "argo"`)},
		{"a field that somebody has with the wanted value", managed("{externalName: a, sessionAffinity: None}", helm, entry("argo", "Apply", `"f:externalName": {}`)), nil},
		{"a field that is not declared", managed("{type: NodePort, sessionAffinity: None}", entry("kubectl-edit", "Update", `"f:type": {}`)), nil},
		{"a field of an element of a list", managed("{ports: [{name: web, port: 80, protocol: TCP}]}",
			entry("kubectl-edit", "Update", `"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}`)),
			by(`.spec.ports[port=80,protocol="TCP"].name`, `conflict with "kubectl-edit" using v1 at 2026-03-01T12:03:00Z`)},
		{"what was written through a subresource", managed("{externalName: b}", `{manager: scaler, operation: Update, subresource: scale, apiVersion: v1, fieldsV1: {"f:spec": {"f:externalName": {}}}}`),
			by(".spec.externalName", `conflict with "scaler" with subresource "scale" using v1`)},
		{"what was written to the status", managed("{externalName: b}", `{manager: x, operation: Update, subresource: status, apiVersion: v1, fieldsV1: {"f:spec": {"f:externalName": {}}}}`), nil},
		{"managers of another version say nothing", managed("{externalName: b}", `{manager: x, operation: Update, apiVersion: v2, fieldsV1: {"f:spec": {"f:externalName": {}}}}`), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compare(t, wanted, wanted, tt.live).Conflicts(spec.ReleaseID{Namespace: "ns", Name: "web"})
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestRulesThatAControllerAggregatesAreNoDrift(t *testing.T) {
	role := func(rest string) string {
		return "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\n" + rest
	}
	const aggregated = "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\n"
	const filled = "rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]\n"
	tests := []struct {
		name, declared, live string
		drifts               bool
	}{
		{"rules of an aggregated role", role(aggregated + "rules: []\n"), role(aggregated + filled), false},
		{"rules of another role", role("rules: []\n"), role(filled), true},
	}
	for _, tt := range tests {
		in := input(t, tt.declared, tt.declared, tt.live)
		for ref, o := range in.Objects { // it has no namespace
			ref.Namespace = ""
			in.Objects = map[state.Ref]map[string]any{ref: o}
		}
		r, err := Compare(in)
		if err != nil {
			t.Fatal(err)
		}
		if drifts := fieldsOf(r) == ".rules: [] -> [{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"]}]\n"; drifts != tt.drifts || drifts != (len(r.Changes) > 0) {
			t.Errorf("%s: drift %q, changes %q", tt.name, fieldsOf(r), lines(r))
		}
	}
}
