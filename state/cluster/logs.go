package cluster

import (
	"bufio"
	"context"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/flotilla-sh/flotilla/state"
)

// LogsOf says whose logs to follow, and where they go.
type LogsOf struct {
	Object state.ObjectID // a Pod, or what has pods; another kind has no logs
	Since  time.Time      // older lines are left out
	// To gives the writer of one container's lines; it gets whole lines, and is
	// called by several goroutines.
	To func(pod, container string) io.Writer
}

// FollowLogs copies the logs of an object's containers, as they start, until ctx
// ends. It does its best: what cannot be read is left out. It returns when every
// container that it follows has ended or ctx has.
func (c *Cluster) FollowLogs(ctx context.Context, of LogsOf) {
	namespace := of.Object.Namespace
	if namespace == "" {
		namespace = c.namespace
	}
	found, err := c.examine(ctx, of.Object, namespace)
	opts := metav1.ListOptions{}
	switch {
	case err != nil:
		return
	case found.selector != nil:
		opts.LabelSelector = found.selector.String()
	case len(found.pods) > 0:
		opts.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, of.Object.Name).String()
	default:
		return
	}
	var following sync.WaitGroup
	defer following.Wait()
	seen := map[string]bool{}
	c.eachPod(ctx, namespace, opts, func(p *corev1.Pod) {
		for _, s := range containers(p) {
			key := string(p.UID) + "/" + s.Name
			if seen[key] || s.State.Running == nil && s.State.Terminated == nil {
				continue
			}
			seen[key] = true
			following.Go(func() { c.followLog(ctx, namespace, p.Name, s.Name, of) })
		}
	})
}

// eachPod shows the pods that match, then each change of them, until ctx ends or
// the server ends the watch.
func (c *Cluster) eachPod(ctx context.Context, namespace string, opts metav1.ListOptions, see func(*corev1.Pod)) {
	pods := c.kubernetes.CoreV1().Pods(namespace)
	list, err := pods.List(ctx, opts)
	if err != nil {
		return
	}
	for i := range list.Items {
		see(&list.Items[i])
	}
	opts.ResourceVersion = list.ResourceVersion
	changes, err := pods.Watch(ctx, opts)
	if err != nil {
		return
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		if p, ok := change.Object.(*corev1.Pod); ok && change.Type != watch.Deleted {
			see(p)
		}
	}
}

func (c *Cluster) followLog(ctx context.Context, namespace, pod, container string, of LogsOf) {
	since := metav1.NewTime(of.Since)
	stream, err := c.kubernetes.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{
		Container: container, Follow: true, SinceTime: &since,
	}).Stream(ctx)
	if err != nil {
		return
	}
	defer stream.Close()
	to := of.To(pod, container)
	lines := bufio.NewReaderSize(stream, maxLogBytes)
	for {
		line, err := lines.ReadSlice('\n') // a longer line comes in pieces
		if len(line) > 0 {
			if _, err := to.Write(line); err != nil {
				return
			}
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}
