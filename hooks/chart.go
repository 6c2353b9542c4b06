// Package hooks knows both kinds of hooks: those of charts, which Helm runs in
// the cluster, as data; and those of state files, which it runs as processes.
package hooks

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/flotilla-sh/flotilla/state"
)

// deletedOnSuccess is Helm's delete policy that leaves nothing behind.
const deletedOnSuccess = "hook-succeeded"

// EffectKind says what a chart hook leaves behind.
type EffectKind string

const (
	// EffectRan is a Job or Pod that did work: nobody knows how to undo it.
	EffectRan EffectKind = "ran"
	// EffectKept is an object that stays in the cluster after the hook: Helm
	// does not count it to the release, so no rollback or uninstall removes it.
	EffectKept EffectKind = "kept"
)

// Effect is what a chart hook does that no rollback takes back.
type Effect struct {
	Object state.ObjectID // without namespace where the manifest has none
	Kind   EffectKind
}

// ForEvent gives the hooks of a revision that run at an event, in the order in
// which Helm runs them: by weight, then by name, then as stored, which is by
// kind (Helm's pkg/action/hooks.go). It does not change rev; nil has no hooks.
func ForEvent(rev *state.Revision, event state.HookEvent) []state.Hook {
	if rev == nil {
		return nil
	}
	var found []state.Hook
	for _, h := range rev.Hooks {
		if slices.Contains(h.Events, event) {
			found = append(found, h)
		}
	}
	slices.SortStableFunc(found, func(a, b state.Hook) int {
		return cmp.Or(cmp.Compare(a.Weight, b.Weight), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// Irreversible gives what the hooks of a revision at some events leave behind,
// in the order in which it comes about; an object that several events bring is
// told once. It tells what may have happened: whether a hook ran is not known.
func Irreversible(rev *state.Revision, events ...state.HookEvent) []Effect {
	var effects []Effect
	for _, event := range events {
		for _, h := range ForEvent(rev, event) {
			id := objectOf(h)
			effect := Effect{Object: id, Kind: EffectKept}
			if id.Kind == "Pod" || id.Kind == "Job" {
				effect.Kind = EffectRan
			} else if slices.Contains(h.DeletePolicies, deletedOnSuccess) && id.Kind != "CustomResourceDefinition" {
				continue // Helm never deletes a hook that is a CRD
			}
			if !slices.Contains(effects, effect) {
				effects = append(effects, effect)
			}
		}
	}
	return effects
}

// objectOf reads the identity of a hook's object; of a manifest that cannot be
// read, what Helm noted of it.
func objectOf(h state.Hook) state.ObjectID {
	var manifest struct {
		APIVersion string `json:"apiVersion"`
		Metadata   struct {
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	id := state.ObjectID{Kind: h.Kind, Name: h.Name}
	if err := yaml.Unmarshal([]byte(h.Manifest), &manifest); err != nil {
		return id
	}
	id.Group = schema.FromAPIVersionAndKind(manifest.APIVersion, h.Kind).Group
	id.Namespace = manifest.Metadata.Namespace
	return id
}
