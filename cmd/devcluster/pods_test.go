package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/stages"
)

// TestPods shares one cluster among what Pods and clients can expect of it.
func TestPods(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { mustDevcluster(t, dir, "down", "--purge") })
	mustDevcluster(t, dir, "up")
	client := newClient(t, dir)
	for name, test := range map[string]func(*testing.T, kubernetes.Interface){
		"a Deployment becomes ready":                        deploymentBecomesReady,
		"a Job completes":                                   jobCompletes,
		"a delayed Pod is created first and ready later":    delayedPod,
		"crash-loop waits in CrashLoopBackOff and restarts": crashLoop,
		"image-pull waits in ImagePullBackOff":              imagePull,
		"never-ready runs and is not ready":                 neverReady,
		"job-failure fails the Job":                         jobFailure,
		"a living Pod is broken and healed by annotating":   breakAndHeal,
		"kubectl logs answers the annotated text":           podLogs,
		"a Namespace is deleted with its Pods":              namespaceDeletion,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, client)
		})
	}
	t.Run("RBAC refuses a ServiceAccount without rights", func(t *testing.T) {
		t.Parallel()
		rbacRefuses(t, client, strings.TrimSpace(mustDevcluster(t, dir, "kubeconfig")))
	})
}

func deploymentBecomesReady(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	template := podTemplate(nil)
	template.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "example.com/init:1"}}
	deploy(t, client, ns, template)
	eventually(t, "the Deployment", func(ctx context.Context) error {
		d, err := client.AppsV1().Deployments(ns).Get(ctx, "app", metav1.GetOptions{})
		if err == nil && d.Status.ReadyReplicas != 2 {
			err = fmt.Errorf("%d ready", d.Status.ReadyReplicas)
		}
		return err
	})
}

func jobCompletes(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	runJob(t, client, ns, podTemplate(nil))
	eventually(t, "the Job", jobHas(client, ns, batchv1.JobComplete))
}

func delayedPod(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	start := time.Now()
	deploy(t, client, ns, podTemplate(map[string]string{stages.DelayAnnotation: "3s"}))
	eventually(t, "ContainerCreating", allPods(client, ns, func(p *corev1.Pod) bool {
		return waiting(p) == "ContainerCreating" && p.Status.Phase == corev1.PodPending
	}))
	eventually(t, "ready", allPods(client, ns, isReady))
	if took := time.Since(start); took < 3*time.Second {
		t.Errorf("ready after %s", took)
	}
}

func crashLoop(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	deploy(t, client, ns, podTemplate(map[string]string{stages.FailAnnotation: "crash-loop"}))
	eventually(t, "a second restart", allPods(client, ns, func(p *corev1.Pod) bool {
		return waiting(p) == "CrashLoopBackOff" && p.Status.Phase == corev1.PodRunning && !isReady(p) &&
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated.ExitCode == 1 &&
			p.Status.ContainerStatuses[0].RestartCount >= 2
	}))
	eventually(t, "the event", hasEvent(client, ns, "BackOff"))
}

func imagePull(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	deploy(t, client, ns, podTemplate(map[string]string{stages.FailAnnotation: "image-pull"}))
	eventually(t, "ImagePullBackOff", allPods(client, ns, func(p *corev1.Pod) bool {
		return waiting(p) == "ImagePullBackOff" && p.Status.Phase == corev1.PodPending &&
			strings.Contains(p.Status.ContainerStatuses[0].State.Waiting.Message, `"example.com/app:1"`)
	}))
	eventually(t, "the event", hasEvent(client, ns, "Failed"))
}

func neverReady(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	deploy(t, client, ns, podTemplate(map[string]string{stages.FailAnnotation: "never-ready"}))
	eventually(t, "running", allPods(client, ns, func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodRunning && p.Status.ContainerStatuses[0].State.Running != nil && !isReady(p)
	}))
	eventually(t, "the event", hasEvent(client, ns, "Unhealthy"))
}

func jobFailure(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	runJob(t, client, ns, podTemplate(map[string]string{stages.FailAnnotation: "job-failure"}))
	eventually(t, "the Job to fail", jobHas(client, ns, batchv1.JobFailed))
	eventually(t, "the Pod", allPods(client, ns, func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodFailed && p.Status.ContainerStatuses[0].State.Terminated.ExitCode == 1
	}))
	eventually(t, "the event", hasEvent(client, ns, "Failed"))
}

func breakAndHeal(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	deploy(t, client, ns, podTemplate(nil))
	eventually(t, "ready", allPods(client, ns, isReady))
	annotate := func(value string) {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, stages.FailAnnotation, value)
		for _, p := range pods(t, client, ns) {
			_, err := client.CoreV1().Pods(ns).Patch(t.Context(), p.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	annotate(`"crash-loop"`)
	eventually(t, "CrashLoopBackOff", allPods(client, ns, func(p *corev1.Pod) bool { return waiting(p) == "CrashLoopBackOff" }))
	annotate(`"never-ready"`)
	eventually(t, "running", allPods(client, ns, func(p *corev1.Pod) bool {
		return p.Status.ContainerStatuses[0].State.Running != nil && !isReady(p)
	}))
	annotate(`null`)
	eventually(t, "healed", allPods(client, ns, func(p *corev1.Pod) bool { return isReady(p) && waiting(p) == "" }))
}

func podLogs(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	deploy(t, client, ns, podTemplate(map[string]string{stages.LogsAnnotation: "one\ntwo\nthree"}))
	eventually(t, "ready", allPods(client, ns, isReady))
	pod := pods(t, client, ns)[0].Name
	got, err := client.CoreV1().Pods(ns).GetLogs(pod, &corev1.PodLogOptions{TailLines: ptr.To[int64](2)}).DoRaw(t.Context())
	if err != nil || string(got) != "two\nthree\n" {
		t.Errorf("logs are %q, %v", got, err)
	}
}

func namespaceDeletion(t *testing.T, client kubernetes.Interface) {
	ns := newNamespace(t, client)
	deploy(t, client, ns, podTemplate(nil))
	eventually(t, "ready", allPods(client, ns, isReady))
	if err := client.CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	eventually(t, "the end of the Namespace", func(ctx context.Context) error {
		_, err := client.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("still there: %v", err)
	})
	t.Logf("deleted in %s", time.Since(start))
}

func rbacRefuses(t *testing.T, admin kubernetes.Interface, kubeconfig string) {
	ns := newNamespace(t, admin)
	eventually(t, "the ServiceAccount", func(ctx context.Context) error {
		_, err := admin.CoreV1().ServiceAccounts(ns).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	token, err := admin.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), "default", &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.CertData, config.KeyData = nil, nil
	config.BearerToken = token.Status.Token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{})
	if want := "system:serviceaccount:" + ns + ":default"; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("want %s to be forbidden, got: %v", want, err)
	}
}

func newNamespace(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	ns, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

func podTemplate(annotations map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "app"}, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}}},
	}
}

func deploy(t *testing.T, client kubernetes.Interface, ns string, template corev1.PodTemplateSpec) {
	t.Helper()
	_, err := client.AppsV1().Deployments(ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "app"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2),
			Selector: &metav1.LabelSelector{MatchLabels: template.Labels},
			Template: template,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func runJob(t *testing.T, client kubernetes.Interface, ns string, template corev1.PodTemplateSpec) {
	t.Helper()
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	_, err := client.BatchV1().Jobs(ns).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "job"},
		Spec:       batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), Template: template},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func jobHas(client kubernetes.Interface, ns string, want batchv1.JobConditionType) func(context.Context) error {
	return func(ctx context.Context) error {
		job, err := client.BatchV1().Jobs(ns).Get(ctx, "job", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range job.Status.Conditions {
			if c.Type == want && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("conditions are %v", job.Status.Conditions)
	}
}

func pods(t *testing.T, client kubernetes.Interface, ns string) []corev1.Pod {
	t.Helper()
	list, err := client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		t.Fatalf("%d pods, %v", len(list.Items), err)
	}
	return list.Items
}

// allPods is content when all Pods of ns, at least one, are as wanted.
func allPods(client kubernetes.Interface, ns string, want func(*corev1.Pod) bool) func(context.Context) error {
	return func(ctx context.Context) error {
		list, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if p := &list.Items[i]; len(p.Status.ContainerStatuses) == 0 || !want(p) {
				return fmt.Errorf("%s is %+v", p.Name, p.Status)
			}
		}
		if len(list.Items) == 0 {
			return fmt.Errorf("no Pod")
		}
		return nil
	}
}

func waiting(p *corev1.Pod) string {
	if w := p.Status.ContainerStatuses[0].State.Waiting; w != nil {
		return w.Reason
	}
	return ""
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func hasEvent(client kubernetes.Interface, ns, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		list, err := client.CoreV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Pod,reason=" + reason})
		if err == nil && len(list.Items) == 0 {
			err = fmt.Errorf("no event with reason %s", reason)
		}
		return err
	}
}

func findProcess(t *testing.T, pid string) *os.Process {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
