package clustertest

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestMain(m *testing.M) { Main(m) }

func TestStartGivesOneClusterThatHelmCanTalkTo(t *testing.T) {
	c := Start(t)
	if other := Start(t); other != c {
		t.Error("a second Start gave another cluster")
	}
	version, err := c.Client().Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(version.GitVersion, "v1.") || version.Major != "1" || version.Minor == "" {
		t.Errorf("the server's version does not parse: %+v", version)
	}
}

func TestNamespaceIsReadyForPodsAndUnique(t *testing.T) {
	c := Start(t)
	ns := c.Namespace(t)
	if other := c.Namespace(t); other == ns {
		t.Errorf("got the namespace %s twice", ns)
	}
	_, err := c.Client().CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/c:1"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Error(err)
	}
}

func TestServiceAccountKubeconfigAllowsTheRulesOnly(t *testing.T) {
	c := Start(t)
	ns := c.Namespace(t)
	path := c.ServiceAccountKubeconfig(t, ns, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"},
	})
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().ConfigMaps(ns).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("the rule does not hold: %v", err)
	}
	if _, err := client.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("another resource is not forbidden: %v", err)
	}
	if _, err := client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("another namespace is not forbidden: %v", err)
	}
}

func TestComponentsOfAPrivateClusterCanBeDisturbed(t *testing.T) {
	c := StartPrivate(t)
	list := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := c.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return err
	}
	c.Pause(t, APIServer)
	if list() == nil {
		t.Error("a paused API server answers")
	}
	c.Resume(t, APIServer)
	c.Kill(t, APIServer)
	if list() == nil {
		t.Error("a killed API server answers")
	}
	c.Start(t, APIServer)
	if err := list(); err != nil {
		t.Errorf("a started API server does not answer: %v", err)
	}
}

func TestNamePrefix(t *testing.T) {
	for test, want := range map[string]string{
		"TestApply":                       "apply-",
		"TestApply/two_releases#01":       "apply-two-releases-01-",
		"Test":                            "test-",
		"Test/" + strings.Repeat("é", 40): "test-",
		"Test" + strings.Repeat("a", 60):  strings.Repeat("a", 30) + "-",
	} {
		if got := namePrefix(test); got != want {
			t.Errorf("namePrefix(%q) = %q, want %q", test, got, want)
		}
	}
}

func TestAuditTellsWritesFromDryRuns(t *testing.T) {
	c := StartPrivate(t)
	ns := c.Namespace(t)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	var writes, looks int
	for _, r := range c.Audit(t, func() {
		maps := c.Client().CoreV1().ConfigMaps(ns)
		for _, dry := range [][]string{{metav1.DryRunAll}, nil} {
			if _, err := maps.Create(t.Context(), config, metav1.CreateOptions{DryRun: dry}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := maps.List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
	}) {
		if r.Writes() {
			writes++
		} else {
			looks++
		}
	}
	if writes != 1 || looks != 2 {
		t.Errorf("the log has %d writes and %d others, want 1, and 2: a dry run and a list", writes, looks)
	}
}
