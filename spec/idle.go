package spec

import (
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// idleKey is a key of helmfile that is read and changes nothing, because what
// it steers is not there.
type idleKey struct {
	key    string // dotted, as the schema has it
	reason string
}

// idleKeys lists them. docs/helmfile.md has the same table.
func idleKeys() []idleKey {
	const (
		noHelm   = "no helm program is started"
		gone     = "Helm itself no longer has it"
		server   = "the API server validates what it is sent, as with Helm 4"
		noDaemon = "waiting goes through the connection that everything shares"
	)
	return []idleKey{
		{"helmBinary", noHelm},
		{"kustomizeBinary", "kustomize is built in"},
		{"llm", "there is no doctor command"},
		{"helmDefaults.waitRetries", gone},
		{"helmDefaults.recreatePods", gone},
		{"helmDefaults.disableAutoDetectedKubeVersionForDiff", "a diff always sees the cluster that it is for"},
		{"helmDefaults.disableValidation", server},
		{"helmDefaults.disableOpenAPIValidation", server},
		{"helmDefaults.helmStuckGrace", noHelm},
		{"releases.waitRetries", gone},
		{"releases.recreatePods", gone},
		{"releases.adopt", gone + "; takeOwnership adopts objects"},
		{"releases.disableAutoDetectedKubeVersionForDiff", "a diff always sees the cluster that it is for"},
		{"releases.disableValidation", server},
		{"releases.disableValidationOnInstall", server},
		{"releases.disableOpenAPIValidation", server},
		{"releases.helmStuckGrace", noHelm},
		{"releases.kubedogQPS", noDaemon},
		{"releases.kubedogBurst", noDaemon},
	}
}

// Key is a key of a state file.
type Key struct {
	Path string // dotted
	Own  bool   // flotilla's own: helmfile does not know it
	Idle string // why it changes nothing; empty: it has its effect
}

// Keys lists every key that a state file may have, in the order in which
// "build" prints them. Keys of releases hold for templates, too.
func Keys() []Key {
	idle := map[string]string{}
	for _, k := range idleKeys() {
		idle[k.key] = k.reason
	}
	var out []Key
	for _, path := range schema.Keys() {
		out = append(out, Key{Path: path, Own: own(path), Idle: idle[path]})
	}
	return out
}

// own reports keys that helmfile does not know. As a boolean releases.verify is
// helmfile's.
func own(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	switch top {
	case "fileOrder", "owner", "stateNamespace", "historyLimit", "groups", "prune", "deletionBudget", "promotion", "drift":
		return true
	default:
		return path == "releases.atomicGroup" || strings.HasPrefix(path, "releases.verify.")
	}
}

// warnIdle names, in one warning a file, the keys that are given and change
// nothing.
func (l *loader) warnIdle(f *stateFile, releases []*schema.Release) {
	given := map[string]bool{}
	st, d := &f.state, &f.state.HelmDefaults
	given["helmBinary"] = st.HelmBinary != "" && st.HelmBinary != "helm"
	given["kustomizeBinary"] = st.KustomizeBinary != "" && st.KustomizeBinary != "kustomize"
	given["llm"] = len(st.LLM) > 0
	given["helmDefaults.waitRetries"] = d.WaitRetries != 0
	given["helmDefaults.recreatePods"] = d.RecreatePods
	given["helmDefaults.disableAutoDetectedKubeVersionForDiff"] = d.NoDetectedKubeVersion != nil
	given["helmDefaults.disableValidation"] = d.DisableValidation != nil
	given["helmDefaults.disableOpenAPIValidation"] = d.DisableOpenAPIValidation != nil
	given["helmDefaults.helmStuckGrace"] = d.HelmStuckGrace != 0
	for _, r := range releases {
		for key, on := range map[string]bool{
			"waitRetries": r.WaitRetries != nil, "recreatePods": r.RecreatePods != nil, "adopt": len(r.Adopt) > 0,
			"disableAutoDetectedKubeVersionForDiff": r.NoDetectedKubeVersion != nil,
			"disableValidation":                     r.DisableValidation != nil, "disableOpenAPIValidation": r.DisableOpenAPIValidation != nil,
			"disableValidationOnInstall": r.DisableValidationOnInstall != nil,
			"helmStuckGrace":             r.HelmStuckGrace != nil, "kubedogQPS": r.KubedogQPS != nil, "kubedogBurst": r.KubedogBurst != nil,
		} {
			given["releases."+key] = given["releases."+key] || on
		}
	}
	var parts []string
	for _, k := range idleKeys() {
		if given[k.key] {
			parts = append(parts, fmt.Sprintf("%s (%s)", k.key, k.reason))
		}
	}
	if len(parts) > 0 {
		l.opts.Warn(fmt.Sprintf("%s: keys without effect here: %s", f.path, strings.Join(parts, ", ")))
	}
}
