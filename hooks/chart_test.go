package hooks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/state"
)

func TestForEventKeepsHelmsOrder(t *testing.T) {
	install := []state.HookEvent{state.HookPreInstall}
	rev := &state.Revision{Hooks: []state.Hook{
		{Name: "same", Kind: "ServiceAccount", Events: install},
		{Name: "same", Kind: "Job", Events: install},
		{Name: "late", Kind: "Job", Events: install, Weight: 5},
		{Name: "alpha", Kind: "Job", Events: []state.HookEvent{state.HookPreUpgrade, state.HookPreInstall}},
		{Name: "early", Kind: "Job", Events: install, Weight: -5},
		{Name: "other", Kind: "Job", Events: []state.HookEvent{state.HookPostInstall}},
	}}
	before := len(rev.Hooks)
	var got []string
	for _, h := range hooks.ForEvent(rev, state.HookPreInstall) {
		got = append(got, h.Kind+"/"+h.Name)
	}
	want := []string{"Job/early", "Job/alpha", "ServiceAccount/same", "Job/same", "Job/late"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order of hooks (-want +got):\n%s", diff)
	}
	if rev.Hooks[0].Name != "same" || len(rev.Hooks) != before {
		t.Error("ForEvent changed the revision")
	}
	if got := hooks.ForEvent(nil, state.HookPreInstall); got != nil {
		t.Errorf("hooks of no revision: %v", got)
	}
}

func TestIrreversible(t *testing.T) {
	both := []state.HookEvent{state.HookPreInstall, state.HookPreUpgrade}
	job := state.Hook{Name: "migrate", Kind: "Job", Events: both, DeletePolicies: []string{"hook-succeeded"},
		Manifest: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: db}\n"}
	config := state.Hook{Name: "seed", Kind: "ConfigMap", Events: both, Weight: -1,
		Manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seed}\n"}
	tests := []struct {
		name  string
		hooks []state.Hook
		want  []hooks.Effect
	}{
		{"a Job that ran cannot be undone, even when it is deleted", []state.Hook{job}, []hooks.Effect{
			{Object: state.ObjectID{Group: "batch", Kind: "Job", Namespace: "db", Name: "migrate"}, Kind: hooks.EffectRan}}},
		{"an object without delete policy stays", []state.Hook{config}, []hooks.Effect{
			{Object: state.ObjectID{Kind: "ConfigMap", Name: "seed"}, Kind: hooks.EffectKept}}},
		{"an object that is deleted on success leaves nothing", []state.Hook{
			{Name: "tmp", Kind: "ConfigMap", Events: both, DeletePolicies: []string{"before-hook-creation", "hook-succeeded"}}}, nil},
		{"a definition stays whatever its policy says", []state.Hook{
			{Name: "things.example.com", Kind: "CustomResourceDefinition", Events: both, DeletePolicies: []string{"hook-succeeded"},
				Manifest: "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"}},
			[]hooks.Effect{{Object: state.ObjectID{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: "things.example.com"},
				Kind: hooks.EffectKept}}},
		{"effects come in the order of running", []state.Hook{job, config}, []hooks.Effect{
			{Object: state.ObjectID{Kind: "ConfigMap", Name: "seed"}, Kind: hooks.EffectKept},
			{Object: state.ObjectID{Group: "batch", Kind: "Job", Namespace: "db", Name: "migrate"}, Kind: hooks.EffectRan}}},
		{"a manifest that cannot be read still has a name", []state.Hook{
			{Name: "odd", Kind: "Pod", Events: both, Manifest: "\tno: yaml"}},
			[]hooks.Effect{{Object: state.ObjectID{Kind: "Pod", Name: "odd"}, Kind: hooks.EffectRan}}},
		{"a hook of another event does nothing", []state.Hook{
			{Name: "t", Kind: "Pod", Events: []state.HookEvent{state.HookTest}}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := hooks.Irreversible(&state.Revision{Hooks: tt.hooks}, state.HookPreInstall, state.HookPreUpgrade)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}
