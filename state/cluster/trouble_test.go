package cluster_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

const (
	failAnnotation = "devcluster.flotilla.sh/fail"
	logsAnnotation = "devcluster.flotilla.sh/logs"
)

// pods is a template of one container whose pods behave as the annotations say.
func pods(annotations map[string]string, policy corev1.RestartPolicy) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, Annotations: annotations},
		Spec: corev1.PodSpec{RestartPolicy: policy,
			Containers: []corev1.Container{{Name: "main", Image: "registry.invalid/web:1"}}},
	}
}

func (f fixture) deploy(annotations map[string]string) {
	f.Helper()
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: pods(annotations, corev1.RestartPolicyAlways),
		},
	}
	if _, err := f.admin.AppsV1().Deployments(f.namespace).Create(f.Context(), d, metav1.CreateOptions{}); err != nil {
		f.Fatal(err)
	}
}

// await watches until an object of the watch satisfies a condition.
func await[T runtime.Object](f fixture, w watch.Interface, err error, done func(T) bool) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	defer w.Stop()
	late := time.After(2 * time.Minute)
	for {
		select {
		case event := <-w.ResultChan():
			if object, ok := event.Object.(T); ok && done(object) {
				return
			}
		case <-late:
			f.Fatal("the cluster did not come to the awaited state")
		}
	}
}

func (f fixture) awaitPod(done func(corev1.PodStatus) bool) {
	f.Helper()
	w, err := f.admin.CoreV1().Pods(f.namespace).Watch(f.Context(), metav1.ListOptions{})
	await(f, w, err, func(p *corev1.Pod) bool { return done(p.Status) })
}

func waiting(s corev1.PodStatus, reason string) bool {
	return len(s.ContainerStatuses) == 1 && s.ContainerStatuses[0].State.Waiting != nil &&
		s.ContainerStatuses[0].State.Waiting.Reason == reason
}

var web = state.ObjectID{Group: "apps", Kind: "Deployment", Name: "web"}

// says checks that a message has all parts.
func says(t *testing.T, got state.Trouble, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got.Message, part) {
			t.Errorf("message %q does not say %q", got.Message, part)
		}
	}
}

func (f fixture) trouble(id state.ObjectID) state.Trouble {
	f.Helper()
	id.Namespace = f.namespace
	got := f.cluster().Trouble(f.Context(), id)
	if got.Object != id {
		f.Errorf("trouble is of %v, want %v", got.Object, id)
	}
	return got
}

func TestTroubleOfADeploymentThatCrashes(t *testing.T) {
	f := newFixture(t)
	lines := make([]string, 25)
	for i := range lines {
		lines[i] = "line " + string(rune('a'+i))
	}
	f.deploy(map[string]string{failAnnotation: clustertest.CrashLoop, logsAnnotation: strings.Join(lines, "\n")})
	f.awaitPod(func(s corev1.PodStatus) bool { return waiting(s, "CrashLoopBackOff") })
	got := f.trouble(web)
	says(t, got, "0 of 1 replicas are ready", "pod web-", "container main waits: CrashLoopBackOff", "exit code 1")
	if len(got.Logs) != 1 || got.Logs[0].Container != "main" || !strings.HasPrefix(got.Logs[0].Pod, "web-") {
		t.Fatalf("logs are %v, want those of one container", got.Logs)
	}
	if diff := cmp.Diff(lines[5:], got.Logs[0].Lines); diff != "" {
		t.Errorf("log tail (-want +got):\n%s", diff)
	}
}

func TestTroubleOfADeploymentWithoutImage(t *testing.T) {
	f := newFixture(t)
	f.deploy(map[string]string{failAnnotation: clustertest.ImagePull})
	f.awaitPod(func(s corev1.PodStatus) bool { return waiting(s, "ImagePullBackOff") })
	got := f.trouble(web)
	says(t, got, "0 of 1 replicas are ready", "container main waits: ImagePullBackOff")
	if len(got.Logs) != 0 {
		t.Errorf("a container that never started has logs: %v", got.Logs)
	}
}

func TestTroubleOfADeploymentThatIsNeverReady(t *testing.T) {
	f := newFixture(t)
	f.deploy(map[string]string{failAnnotation: clustertest.NeverReady})
	f.awaitPod(func(s corev1.PodStatus) bool { return s.Phase == corev1.PodRunning })
	says(t, f.trouble(web), "0 of 1 replicas are ready", "container main runs but is not ready")
}

func TestTroubleOfADeploymentThatIsAllRight(t *testing.T) {
	f := newFixture(t)
	f.deploy(nil)
	w, err := f.admin.AppsV1().Deployments(f.namespace).Watch(f.Context(), metav1.ListOptions{})
	await(f, w, err, func(d *appsv1.Deployment) bool { return d.Status.AvailableReplicas == 1 })
	if got := f.trouble(web); got.Message != "" || len(got.Logs) != 0 {
		t.Errorf("trouble is %+v, want none", got)
	}
}

func TestTroubleOfADeploymentWithoutQuotaTellsTheReplicaSetsEvents(t *testing.T) {
	f := newFixture(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}}
	if _, err := f.admin.CoreV1().ResourceQuotas(f.namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.deploy(nil)
	w, err := f.admin.CoreV1().Events(f.namespace).Watch(t.Context(), metav1.ListOptions{})
	await(f, w, err, func(e *corev1.Event) bool { return e.Reason == "FailedCreate" })
	w, err = f.admin.AppsV1().Deployments(f.namespace).Watch(t.Context(), metav1.ListOptions{})
	await(f, w, err, func(d *appsv1.Deployment) bool {
		return slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
			return c.Type == appsv1.DeploymentReplicaFailure
		})
	})
	got := f.trouble(web)
	says(t, got, "0 of 1 replicas are ready", "ReplicaFailure is True (FailedCreate)")
	if len(got.Events) == 0 || len(got.Events) > 5 || !strings.HasPrefix(got.Events[0], "FailedCreate ReplicaSet/web-") {
		t.Errorf("events are %q, want at most five of the replica set", got.Events)
	}
}

func TestTroubleOfAFailedJob(t *testing.T) {
	f := newFixture(t)
	none := int32(0)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "migrate"}, Spec: batchv1.JobSpec{BackoffLimit: &none,
		Template: pods(map[string]string{failAnnotation: clustertest.JobFailure, logsAnnotation: "no such table"}, corev1.RestartPolicyNever)}}
	if _, err := f.admin.BatchV1().Jobs(f.namespace).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w, err := f.admin.BatchV1().Jobs(f.namespace).Watch(t.Context(), metav1.ListOptions{})
	await(f, w, err, func(j *batchv1.Job) bool {
		return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobFailed })
	})
	got := f.trouble(state.ObjectID{Group: "batch", Kind: "Job", Name: "migrate"})
	says(t, got, "Failed is True (BackoffLimitExceeded)", "1 failed pods", "container main ended with exit code 1")
	if len(got.Logs) != 1 || !slices.Equal(got.Logs[0].Lines, []string{"no such table"}) {
		t.Errorf("logs are %v", got.Logs)
	}
}

func TestTroubleOfOtherObjects(t *testing.T) {
	f := newFixture(t)
	class := "no-such-class"
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}
	if _, err := f.admin.CoreV1().PersistentVolumeClaims(f.namespace).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "front"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}}}
	if _, err := f.admin.CoreV1().Services(f.namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tests := map[state.ObjectID]string{
		{Kind: "PersistentVolumeClaim", Name: "data"}:           "it is Pending",
		{Kind: "Service", Name: "front"}:                        "it has no load balancer address yet",
		{Kind: "ServiceAccount", Name: "default"}:               "",
		{Group: "apps", Kind: "StatefulSet", Name: "absent"}:    "it does not exist",
		{Kind: "ConfigMap", Name: "absent"}:                     "it does not exist",
		{Group: "example.com", Kind: "Unknown", Name: "absent"}: "",
	}
	for _, id := range slices.SortedFunc(maps.Keys(tests), state.ObjectID.Compare) {
		t.Run(id.String(), func(t *testing.T) {
			if got := (fixture{t, f.server, f.admin, f.namespace}).trouble(id); got.Message != tests[id] {
				t.Errorf("message is %q, want %q", got.Message, tests[id])
			}
		})
	}
}
