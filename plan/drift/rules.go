package drift

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// natural says why a finding is in the nature of things, and so no drift; empty:
// it is not.
func natural(f Finding, d live.Deviation, scaled map[state.ObjectID]bool) string {
	switch {
	case f.Kind == KindMissing:
		return expiring(d)
	case f.Field == ".spec.replicas" && scaled[f.Object]:
		return "a HorizontalPodAutoscaler sets replicas"
	case controller(f):
		return "a controller of Kubernetes sets it"
	case injected(f):
		return "certificates of a webhook or API are injected"
	case key(f) == "kubectl.kubernetes.io/restartedAt":
		return "a rollout was restarted"
	default:
		return ""
	}
}

// expiring: a Job that says how long it stays when it is done goes by itself.
func expiring(d live.Deviation) string {
	within, _ := d.Stored["spec"].(map[string]any)
	if d.Object.Group == "batch" && d.Object.Kind == "Job" && within["ttlSecondsAfterFinished"] != nil {
		return "a Job is deleted when its time after the end is over"
	}
	return ""
}

// controller reports whether Kubernetes itself wrote a field: the autoscaler, the
// binder of volumes, the owners of addresses.
func controller(f Finding) bool {
	switch f.Manager {
	case "kube-controller-manager", "cloud-controller-manager", "kube-scheduler", "kube-apiserver", "kubelet":
		return true
	default:
		return false
	}
}

func injected(f Finding) bool {
	switch f.Object.Kind {
	case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService", "CustomResourceDefinition":
		return key(f) == "caBundle"
	default:
		return false
	}
}

// key is the name of the field itself.
func key(f Finding) string {
	if len(f.steps) == 0 || f.steps[len(f.steps)-1].Index >= 0 {
		return ""
	}
	return f.steps[len(f.steps)-1].Key
}

// scaled are the objects that autoscalers among the objects of a release have as
// their target.
func scaled(stored diff.Manifest) map[state.ObjectID]bool {
	targets := map[state.ObjectID]bool{}
	for id, o := range stored {
		if id.Kind != "HorizontalPodAutoscaler" {
			continue
		}
		within, _ := o["spec"].(map[string]any)
		to, _ := within["scaleTargetRef"].(map[string]any)
		version, _ := to["apiVersion"].(string)
		group, _, grouped := strings.Cut(version, "/")
		if !grouped {
			group = ""
		}
		kind, _ := to["kind"].(string)
		name, _ := to["name"].(string)
		targets[state.ObjectID{Group: group, Kind: kind, Namespace: id.Namespace, Name: name}] = true
	}
	return targets
}

// rules are those of the state files that still count.
type rules struct {
	spec    *spec.Spec
	all     []spec.DriftIgnore
	matched []bool
	now     time.Time
}

func rulesOf(in Input) *rules {
	r := &rules{spec: in.Spec, now: in.Now}
	if in.Spec != nil {
		r.all = in.Spec.DriftIgnores()
	}
	r.matched = make([]bool, len(r.all))
	return r
}

// match gives the first rule that a finding of a release of that file matches.
func (r *rules) match(f Finding, file int) *spec.DriftIgnore {
	if !f.OfObject() {
		return nil
	}
	for i := range r.all {
		if rule := &r.all[i]; rule.Holds(r.spec, file) && matches(*rule, f) {
			r.matched[i] = true
			if !rule.Expired(r.now) {
				return rule
			}
		}
	}
	return nil
}

func matches(rule spec.DriftIgnore, f Finding) bool {
	glob := func(pattern, text string) bool {
		if pattern == "" {
			return true
		}
		ok, err := path.Match(pattern, text)
		return ok && err == nil
	}
	switch {
	case rule.Kind != "" && rule.Kind != f.Object.Kind:
	case !glob(rule.Name, f.Object.Name), !glob(rule.Namespace, f.Object.Namespace), !glob(rule.Manager, f.Manager):
	case len(rule.Pointer) > len(f.steps):
	default:
		for i, token := range rule.Pointer {
			if !fits(token, f.steps[i]) {
				return false
			}
		}
		return true
	}
	return false
}

func fits(token string, step live.Step) bool {
	switch {
	case token == "*":
		return true
	case step.Index < 0:
		return token == step.Key
	default:
		return token == strconv.Itoa(step.Index) || step.Key != "" && token == step.Key
	}
}

// notes tells of rules that do nothing.
func (r *rules) notes(in Input) []Note {
	var all []Note
	for i, rule := range r.all {
		switch {
		case rule.Expired(r.now) && r.matched[i]:
			all = append(all, Note{Text: fmt.Sprintf("%s: drift.ignore (%s) expired at the end of %s: what it matches counts", rule.Pos, rule, rule.Expires.Format(time.DateOnly))})
		case rule.Expired(r.now):
			all = append(all, Note{Text: fmt.Sprintf("%s: drift.ignore (%s) expired at the end of %s, and would match nothing: take it out", rule.Pos, rule, rule.Expires.Format(time.DateOnly))})
		case !r.matched[i] && !in.Partly:
			all = append(all, Note{Text: fmt.Sprintf("%s: drift.ignore (%s) matches nothing", rule.Pos, rule)})
		}
	}
	return all
}
