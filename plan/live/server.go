package live

import (
	"maps"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Applied is how a release is brought to the cluster.
type Applied struct {
	Release spec.ReleaseID
	Method  state.ApplyMethod
	Force   bool // take fields from other managers
}

// Proposals are the wanted objects of a release as Helm applies them, to be
// asked about. Objects without a name cannot be asked about.
func (in Input) Proposals(how Applied) []state.Proposal {
	var all []state.Proposal
	for _, id := range in.ids() {
		wanted := in.Wanted[id]
		if wanted == nil || !diff.Named(wanted) {
			continue
		}
		ref := refOf(id, wanted)
		p := state.Proposal{Ref: ref, Object: owned(wanted, ref, how.Release), Live: in.Objects[ref], Method: how.Method, Force: how.Force}
		if stored := in.Stored[id]; stored != nil {
			p.Stored = owned(stored, ref, how.Release)
		}
		all = append(all, p)
	}
	return all
}

// owned adds what Helm adds to every object that it applies (pkg/action,
// setMetadataVisitor), and the namespace.
func owned(object map[string]any, ref state.Ref, release spec.ReleaseID) map[string]any {
	o := maps.Clone(object)
	meta := maps.Clone(entries(o, "metadata"))
	if meta == nil {
		meta = map[string]any{}
	}
	if ref.Namespace != "" {
		meta["namespace"] = ref.Namespace
	}
	add := func(field string, more map[string]any) {
		all := maps.Clone(entries(meta, field))
		if all == nil {
			all = map[string]any{}
		}
		maps.Copy(all, more)
		meta[field] = all
	}
	add("labels", map[string]any{"app.kubernetes.io/managed-by": "Helm"})
	add("annotations", map[string]any{"meta.helm.sh/release-name": release.Name, "meta.helm.sh/release-namespace": release.Namespace})
	o["metadata"] = meta
	return o
}

// Answered are the changes of a release with what the server would make of its
// objects: from the live object to the answered one, without what only the
// server writes. An object without an answer, such as one that goes, or of which
// the server made nothing, has the change of Compare.
func Answered(in Input, answers map[state.ObjectID]state.Answer) ([]diff.Change, error) {
	var changes []diff.Change
	for _, id := range in.ids() {
		o := in.object(id)
		before, after := o.before(), o.wanted
		if made := answers[id].Object; made != nil {
			before, after = tidy(o.live), tidy(made)
			if before == nil {
				after = withoutAllotted(after, o.wanted)
			}
		}
		change, differs, err := diff.Between(id, before, after, o.hiding(in.Diff))
		if err != nil {
			return nil, err
		}
		if differs {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// tidy is an object without its status and what the server keeps of it for
// itself.
func tidy(o map[string]any) map[string]any {
	if o == nil {
		return nil
	}
	clean := maps.Clone(o)
	delete(clean, "status")
	meta := maps.Clone(entries(o, "metadata"))
	maps.DeleteFunc(meta, func(key string, _ any) bool { return place{name: ".metadata"}.serverOwned(key) })
	clean["metadata"] = meta
	return clean
}

// withoutAllotted leaves out of a new object what the server allots to it, which
// is something else at each dry run: addresses and ports of a Service, the id in
// the labels of a Job, the name of a Pod's token volume.
func withoutAllotted(made, wanted map[string]any) map[string]any {
	o := deepCopy(made).(map[string]any)
	within := entries(o, "spec")
	declared := entries(wanted, "spec")
	switch o["kind"] {
	case "Service":
		for _, field := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
			if empty(declared[field]) {
				delete(within, field)
			}
		}
		ports, _ := within["ports"].([]any)
		wantedPorts, _ := declared["ports"].([]any)
		for i, port := range ports {
			if m, ok := port.(map[string]any); ok && (i >= len(wantedPorts) || !hasField(wantedPorts[i], "nodePort")) {
				delete(m, "nodePort")
			}
		}
	case "Job":
		if declared["selector"] == nil {
			delete(within, "selector")
			for _, meta := range []map[string]any{entries(o, "metadata"), entries(entries(within, "template"), "metadata")} {
				maps.DeleteFunc(entries(meta, "labels"), func(key string, _ any) bool { return strings.HasSuffix(key, "controller-uid") })
			}
		}
	case "Pod":
		withoutToken(within, "volumes")
		containers, _ := within["containers"].([]any)
		more, _ := within["initContainers"].([]any)
		for _, c := range slices.Concat(containers, more) {
			if c, ok := c.(map[string]any); ok {
				withoutToken(c, "volumeMounts")
			}
		}
	}
	return o
}

func hasField(o any, field string) bool {
	m, ok := o.(map[string]any)
	return ok && !empty(m[field])
}

func withoutToken(o map[string]any, field string) {
	list, ok := o[field].([]any)
	if !ok {
		return
	}
	o[field] = slices.DeleteFunc(list, func(v any) bool {
		m, _ := v.(map[string]any)
		name, _ := m["name"].(string)
		return strings.HasPrefix(name, "kube-api-access-")
	})
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = deepCopy(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = deepCopy(e)
		}
		return out
	default:
		return v
	}
}
