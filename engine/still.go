package engine

import (
	"cmp"
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// Running reports whether a Job or Pod of a release is there, has not ended and is
// not being deleted; a Job that is suspended does not run. An object without
// namespace is in the release's.
func (e *Engine) Running(ctx context.Context, r spec.ReleaseID, object state.ObjectID) (bool, error) {
	to, err := e.target(r)
	if err != nil {
		return false, err
	}
	namespace := cmp.Or(object.Namespace, r.Namespace)
	resource, runs := "", false
	switch object.Kind {
	case "Job":
		var job *batchv1.Job
		resource = "jobs"
		if job, err = to.Kubernetes().BatchV1().Jobs(namespace).Get(ctx, object.Name, metav1.GetOptions{}); err == nil {
			runs = jobRuns(job)
		}
	case "Pod":
		var pod *corev1.Pod
		resource = "pods"
		if pod, err = to.Kubernetes().CoreV1().Pods(namespace).Get(ctx, object.Name, metav1.GetOptions{}); err == nil {
			runs = pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
		}
	default:
		return false, fmt.Errorf("whether %s runs: a %s does not run", object, object.Kind)
	}
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return runs, to.Explain(err, cluster.Access{Verb: "get", Resource: resource, Namespace: namespace})
}

func jobRuns(job *batchv1.Job) bool {
	if job.DeletionTimestamp != nil || job.Spec.Suspend != nil && *job.Spec.Suspend {
		return false
	}
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return false
		}
	}
	return true
}
