package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPodsThatFailAlikeAreToldOfOnce(t *testing.T) {
	pod := func(name string, s corev1.ContainerState) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "web", State: s}}}}
	}
	crash := func(name string) corev1.Pod {
		return pod(name, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off of " + name}})
	}
	well := pod("w", corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	well.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	pulls := pod("p", corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "not found"}})
	want := []string{"pod a and 2 more: container web waits: CrashLoopBackOff", "pod p: container web waits: ImagePullBackOff: not found", "pod w: it has not ended"}
	if d := cmp.Diff(want, podProblems([]corev1.Pod{crash("a"), crash("b"), pulls, crash("c"), well}, true)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

func TestEventsOfOneReasonAreToldOnce(t *testing.T) {
	event := func(reason, message string, count int32) corev1.Event {
		return corev1.Event{Reason: reason, Message: message, Count: count, InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", Name: "web"}}
	}
	newest, times := distinctEvents([]corev1.Event{event("FailedCreate", "pod a", 1), event("Other", "x", 0), event("FailedCreate", "pod b", 3)})
	if len(newest) != 2 || newest[1].Message != "pod b" || times[0] != 1 || times[1] != 4 {
		t.Errorf("told %v, %v", newest, times)
	}
}
