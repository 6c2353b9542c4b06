package cluster

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state"
)

const (
	maxPods      = 200      // looked at for one workload
	maxToldPods  = 3        // told about: the others mostly fail alike
	maxEvents    = 5        // told
	maxLogs      = 3        // containers of which the log is shown
	logLines     = 20       // of each
	maxLogBytes  = 32 << 10 // of each
	podsTemplate = "pod-template-hash"
)

// podsOf gives the pods of a workload that are in trouble, newest first: those of
// a rollout under way come before leftovers of the one before.
func (c *Cluster) podsOf(ctx context.Context, namespace string, of finding) []corev1.Pod {
	list, err := c.kubernetes.CoreV1().Pods(namespace).List(ctx,
		metav1.ListOptions{LabelSelector: of.selector.String(), Limit: maxPods})
	if err != nil {
		return nil
	}
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return len(problemOf(&p, of.runs)) == 0 })
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return pods
}

// podProblems tells about the first pods, once about those that fail alike, and
// counts the rest.
func podProblems(pods []corev1.Pod, runs bool) []string {
	var told []string
	alike := map[string][]string{}
	for i := range pods {
		text := strings.Join(problemOf(&pods[i], runs), ", ")
		if len(alike[text]) == 0 {
			told = append(told, text)
		}
		alike[text] = append(alike[text], pods[i].Name)
	}
	var problems []string
	rest := len(pods)
	for _, text := range told[:min(len(told), maxToldPods)] {
		names := alike[text]
		rest -= len(names)
		problems = append(problems, "pod "+names[0]+others(len(names)-1)+": "+text)
	}
	if rest > 0 {
		problems = append(problems, fmt.Sprintf("and %d more pods in trouble", rest))
	}
	return problems
}

func others(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// problemOf is podProblem, and says also of a pod that runs well, where it has to
// end, that it does not.
func problemOf(p *corev1.Pod, runs bool) []string {
	problems := podProblem(p)
	if len(problems) == 0 && runs && p.Status.Phase == corev1.PodRunning {
		return []string{"it has not ended"}
	}
	return problems
}

// podProblem says why a pod is neither ready nor done; nil when it is.
func podProblem(p *corev1.Pod) []string {
	if p.Status.Phase == corev1.PodSucceeded || ready(p) {
		return nil
	}
	var problems []string
	for _, s := range containers(p) {
		if text := containerProblem(s); text != "" {
			problems = append(problems, "container "+s.Name+" "+text)
		}
	}
	if p.Status.Phase == corev1.PodFailed && (p.Status.Reason != "" || len(problems) == 0) {
		problems = append(problems, strings.TrimSuffix("it failed: "+join(p.Status.Reason, p.Status.Message), ": "))
	}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
			problems = append(problems, condition(string(cond.Type), string(cond.Status), cond.Reason, cond.Message))
		}
	}
	if len(problems) == 0 {
		problems = append(problems, "it is "+string(p.Status.Phase)+" and not ready")
	}
	return problems
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// containers gives the statuses of a pod's containers in the order they run.
func containers(p *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
}

// containerProblem says what a container waits for or how it ended; empty when
// it runs or ended well.
func containerProblem(s corev1.ContainerStatus) string {
	var problems []string
	switch {
	case s.State.Waiting != nil && s.State.Waiting.Reason != "PodInitializing":
		problems = append(problems, "waits: "+waits(s.State.Waiting))
	case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		problems = append(problems, "ended "+termination(s.State.Terminated))
	case s.State.Running != nil && !s.Ready && s.LastTerminationState.Terminated == nil:
		problems = append(problems, "runs but is not ready")
	}
	if last := s.LastTerminationState.Terminated; last != nil && s.State.Terminated == nil && !s.Ready {
		problems = append(problems, fmt.Sprintf("ended before %s, %d restarts", termination(last), s.RestartCount))
	}
	return strings.Join(problems, ", ")
}

// waits leaves out what kubelets write of a container that crashed: its name, which
// is known, and how long they pause.
func waits(w *corev1.ContainerStateWaiting) string {
	if w.Reason == "CrashLoopBackOff" {
		return w.Reason
	}
	return join(w.Reason, w.Message)
}

func termination(t *corev1.ContainerStateTerminated) string {
	return fmt.Sprintf("with exit code %d", t.ExitCode) + suffix(join(t.Reason, strings.TrimSpace(t.Message)))
}

func suffix(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// join puts a reason before its message; either may be empty.
func join(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}

// tail is a log to read.
type tail struct {
	pod       string
	container string
	previous  bool // of the run before, which crashed
}

// logTails reads the ends of the logs of failing containers, and of those that do
// not end though they have to, at once.
func (c *Cluster) logTails(ctx context.Context, pods []corev1.Pod, runs bool) []state.LogTail {
	var tails []tail
	var namespace string
	for i := range pods {
		namespace = pods[i].Namespace
		for _, s := range containers(&pods[i]) {
			crashed := s.LastTerminationState.Terminated != nil
			started := crashed || s.State.Running != nil || s.State.Terminated != nil
			busy := runs && s.State.Running != nil
			if (busy || containerProblem(s) != "") && started && len(tails) < maxLogs {
				tails = append(tails, tail{pods[i].Name, s.Name, crashed && s.State.Terminated == nil})
			}
		}
	}
	read := make([]state.LogTail, len(tails))
	var all sync.WaitGroup
	for i, t := range tails {
		all.Go(func() {
			lines := c.logTail(ctx, namespace, t)
			if len(lines) == 0 && t.previous {
				lines = c.logTail(ctx, namespace, tail{t.pod, t.container, false})
			}
			read[i] = state.LogTail{Pod: t.pod, Container: t.container, Lines: lines}
		})
	}
	all.Wait()
	return slices.DeleteFunc(read, func(t state.LogTail) bool { return len(t.Lines) == 0 })
}

func (c *Cluster) logTail(ctx context.Context, namespace string, t tail) []string {
	lines, limit := int64(logLines), int64(maxLogBytes)
	stream, err := c.kubernetes.CoreV1().Pods(namespace).GetLogs(t.pod, &corev1.PodLogOptions{
		Container: t.container, Previous: t.previous, TailLines: &lines, LimitBytes: &limit,
	}).Stream(ctx)
	if err != nil {
		return nil
	}
	defer stream.Close()
	data, err := io.ReadAll(io.LimitReader(stream, maxLogBytes))
	if data = bytes.TrimRight(data, "\r\n"); err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
}

// warningsOf gives the last warning events of an object, of its pods, and of the
// replica sets between them, the newest last.
func (c *Cluster) warningsOf(ctx context.Context, obj state.ObjectID, namespace string, pods []corev1.Pod) []string {
	list, err := c.kubernetes.CoreV1().Events(namespace).List(ctx,
		metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning, Limit: 1000})
	if err != nil {
		return nil
	}
	about := map[string]bool{obj.Kind + "/" + obj.Name: true}
	for i := range pods {
		about["Pod/"+pods[i].Name] = true
	}
	for _, rs := range c.replicaSetsOf(ctx, obj, namespace) {
		about["ReplicaSet/"+rs] = true
	}
	events := slices.DeleteFunc(list.Items, func(e corev1.Event) bool {
		return !about[e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name]
	})
	slices.SortStableFunc(events, func(a, b corev1.Event) int {
		return cmp.Or(happened(a).Compare(happened(b)), cmp.Compare(a.Name, b.Name))
	})
	events, times := distinctEvents(events)
	var told []string
	for i, e := range events[max(0, len(events)-maxEvents):] {
		text := fmt.Sprintf("%s %s/%s: %s", e.Reason, e.InvolvedObject.Kind, e.InvolvedObject.Name,
			strings.Join(strings.Fields(e.Message), " "))
		if n := times[i+max(0, len(events)-maxEvents)]; n > 1 {
			text += fmt.Sprintf(" (%d times)", n)
		}
		told = append(told, text)
	}
	return told
}

// distinctEvents keeps the newest event of each reason and object, and how often
// there was one: they differ in a generated name mostly.
func distinctEvents(events []corev1.Event) (newest []corev1.Event, times []int32) {
	count := map[string]int32{}
	key := func(e corev1.Event) string {
		return e.Reason + " " + e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name
	}
	for _, e := range events {
		count[key(e)] += max(e.Count, seriesCount(e), 1)
	}
	seen := map[string]bool{}
	for _, e := range slices.Backward(events) {
		if !seen[key(e)] {
			seen[key(e)] = true
			newest = append(newest, e)
		}
	}
	slices.Reverse(newest)
	for _, e := range newest {
		times = append(times, count[key(e)])
	}
	return newest, times
}

// replicaSetsOf names the replica sets of a Deployment. Quota and admission
// refuse pods there, so that neither Deployment nor pods have an event.
func (c *Cluster) replicaSetsOf(ctx context.Context, obj state.ObjectID, namespace string) []string {
	if obj.Group != "apps" || obj.Kind != "Deployment" {
		return nil
	}
	list, err := c.kubernetes.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{LabelSelector: podsTemplate})
	if err != nil {
		return nil
	}
	var names []string
	for i := range list.Items {
		owner := metav1.GetControllerOf(&list.Items[i])
		if owner != nil && owner.Kind == obj.Kind && owner.Name == obj.Name {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

// happened is when an event was seen last; which field has it depends on the
// version of the API that reported it.
func happened(e corev1.Event) time.Time {
	latest := e.CreationTimestamp.Time
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.LastTimestamp.Time, e.EventTime.Time} {
		if t.After(latest) {
			latest = t
		}
	}
	if e.Series != nil && e.Series.LastObservedTime.After(latest) {
		latest = e.Series.LastObservedTime.Time
	}
	return latest
}

func seriesCount(e corev1.Event) int32 {
	if e.Series == nil {
		return 0
	}
	return e.Series.Count
}
