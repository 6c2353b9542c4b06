package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state"
)

// troubleTime bounds a diagnosis, which runs when something already failed.
const troubleTime = 10 * time.Second

// finding is what is known so far about an object that is looked at.
type finding struct {
	problems []string
	selector labels.Selector // of its pods; nil: it has none
	pods     []corev1.Pod    // the object itself, when it is one
	runs     bool            // its pods have to end: those that run tell what takes so long
}

// say adds a problem.
func (f *finding) say(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// Trouble says what is not as it should be about an object: its conditions and
// those of its pods in one message, the last warning events, and the log tails
// of failing containers. An empty namespace of a namespaced object means the
// context's own. It does its best within ten seconds: what cannot be read is
// left out. An object that is all right has an empty message.
func (c *Cluster) Trouble(ctx context.Context, obj state.ObjectID) state.Trouble {
	ctx, cancel := context.WithTimeout(once(ctx), troubleTime)
	defer cancel()
	namespace := obj.Namespace
	if namespace == "" {
		namespace = c.namespace
	}
	found, err := c.examine(ctx, obj, namespace)
	if apierrors.IsNotFound(err) {
		found.say("it does not exist")
	}
	trouble := state.Trouble{Object: obj}
	pods := found.pods
	if found.selector != nil {
		pods = c.podsOf(ctx, namespace, found)
		found.problems = append(found.problems, podProblems(pods, found.runs)...)
	}
	trouble.Message = strings.Join(found.problems, "; ")
	trouble.Events = c.warningsOf(ctx, obj, namespace, pods)
	trouble.Logs = c.logTails(ctx, pods, found.runs)
	return trouble
}

// examine reads the object and judges it by its kind.
func (c *Cluster) examine(ctx context.Context, obj state.ObjectID, namespace string) (finding, error) {
	get := metav1.GetOptions{}
	switch (schema.GroupKind{Group: obj.Group, Kind: obj.Kind}) {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		d, err := c.kubernetes.AppsV1().Deployments(namespace).Get(ctx, obj.Name, get)
		if err != nil {
			return finding{}, err
		}
		return ofDeployment(d), nil
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		s, err := c.kubernetes.AppsV1().StatefulSets(namespace).Get(ctx, obj.Name, get)
		if err != nil {
			return finding{}, err
		}
		return ofReplicas(s.Spec.Replicas, s.Status.ReadyReplicas, s.Spec.Selector), nil
	case schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}:
		s, err := c.kubernetes.AppsV1().ReplicaSets(namespace).Get(ctx, obj.Name, get)
		if err != nil {
			return finding{}, err
		}
		return ofReplicas(s.Spec.Replicas, s.Status.ReadyReplicas, s.Spec.Selector), nil
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		d, err := c.kubernetes.AppsV1().DaemonSets(namespace).Get(ctx, obj.Name, get)
		if err != nil {
			return finding{}, err
		}
		return ofReplicas(&d.Status.DesiredNumberScheduled, d.Status.NumberReady, d.Spec.Selector), nil
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		j, err := c.kubernetes.BatchV1().Jobs(namespace).Get(ctx, obj.Name, get)
		if err != nil {
			return finding{}, err
		}
		return ofJob(j), nil
	case schema.GroupKind{Kind: "Pod"}:
		p, err := c.kubernetes.CoreV1().Pods(namespace).Get(ctx, obj.Name, get)
		if err != nil {
			return finding{}, err
		}
		return finding{problems: podProblem(p), pods: []corev1.Pod{*p}}, nil
	default:
		u, err := c.object(ctx, obj, namespace)
		if err != nil {
			return finding{}, err
		}
		return ofAny(u), nil
	}
}

// object reads an object of any kind that the server serves.
func (c *Cluster) object(ctx context.Context, obj state.ObjectID, namespace string) (*unstructured.Unstructured, error) {
	mapping, err := c.mapper.RESTMappingWithContext(ctx, schema.GroupKind{Group: obj.Group, Kind: obj.Kind})
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == "root" {
		return c.dynamic.Resource(mapping.Resource).Get(ctx, obj.Name, metav1.GetOptions{})
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(namespace).Get(ctx, obj.Name, metav1.GetOptions{})
}

func ofDeployment(d *appsv1.Deployment) finding {
	f := ofReplicas(d.Spec.Replicas, d.Status.AvailableReplicas, d.Spec.Selector)
	if d.Status.UpdatedReplicas < d.Status.Replicas {
		f.say("%d of %d replicas are of the new revision", d.Status.UpdatedReplicas, d.Status.Replicas)
	}
	for _, cond := range d.Status.Conditions {
		bad := cond.Status == corev1.ConditionFalse
		if cond.Type == appsv1.DeploymentReplicaFailure {
			bad = cond.Status == corev1.ConditionTrue
		}
		// Available says again what the numbers said.
		if bad && cond.Type != appsv1.DeploymentAvailable {
			f.say("%s", condition(string(cond.Type), string(cond.Status), cond.Reason, cond.Message))
		}
	}
	return f
}

// ofReplicas judges by numbers; a nil want means one, as in the API.
func ofReplicas(want *int32, ready int32, selector *metav1.LabelSelector) finding {
	f := finding{}
	if s, err := metav1.LabelSelectorAsSelector(selector); err == nil && !s.Empty() {
		f.selector = s
	}
	wanted := int32(1)
	if want != nil {
		wanted = *want
	}
	if ready < wanted {
		f.say("%d of %d replicas are ready", ready, wanted)
	}
	return f
}

func ofJob(j *batchv1.Job) finding {
	f := finding{}
	if s, err := metav1.LabelSelectorAsSelector(j.Spec.Selector); err == nil && !s.Empty() {
		f.selector = s
	}
	for _, cond := range j.Status.Conditions {
		if cond.Status != corev1.ConditionTrue {
			continue
		}
		switch cond.Type {
		case batchv1.JobComplete, batchv1.JobSuccessCriteriaMet:
			return finding{}
		case batchv1.JobFailed, batchv1.JobSuspended:
			f.say("%s", condition(string(cond.Type), string(cond.Status), cond.Reason, cond.Message))
		default: // others come on the way to one of these
		}
	}
	completions := int32(1)
	if j.Spec.Completions != nil {
		completions = *j.Spec.Completions
	}
	f.say("%d of %d completions, %d failed pods", j.Status.Succeeded, completions, j.Status.Failed)
	f.runs = true
	return f
}

// ofAny judges an object by what most kinds have: phase and conditions that
// are good when true.
func ofAny(u *unstructured.Unstructured) finding {
	f := finding{}
	if u.GetDeletionTimestamp() != nil {
		f.say("it is being deleted and waits for its finalizers: %s", strings.Join(u.GetFinalizers(), ", "))
	}
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	if slices.Contains([]string{"Pending", "Lost", "Failed", "Terminating"}, phase) {
		f.say("it is %s", phase)
	}
	kind, _, _ := unstructured.NestedString(u.Object, "spec", "type")
	addresses, _, _ := unstructured.NestedSlice(u.Object, "status", "loadBalancer", "ingress")
	if u.GetKind() == "Service" && kind == "LoadBalancer" && len(addresses) == 0 {
		f.say("it has no load balancer address yet")
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, raw := range conditions {
		cond, ok := raw.(map[string]any)
		if !ok {
			continue
		}
		text := func(field string) string { s, _ := cond[field].(string); return s }
		good := []string{"Ready", "Available", "Established", "NamesAccepted", "Healthy", "Synced", "Accepted", "Programmed"}
		bad := []string{"Stalled", "Failed", "Degraded"}
		if slices.Contains(good, text("type")) && text("status") != "True" ||
			slices.Contains(bad, text("type")) && text("status") == "True" {
			f.say("%s", condition(text("type"), text("status"), text("reason"), text("message")))
		}
	}
	return f
}

// condition words one condition: "Ready is False (Reason): message".
func condition(kind, status, reason, message string) string {
	s := kind + " is " + status
	if reason != "" {
		s += " (" + reason + ")"
	}
	if message != "" {
		s += ": " + message
	}
	return s
}
