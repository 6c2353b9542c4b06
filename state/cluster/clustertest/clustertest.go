// Package clustertest gives tests a real Kubernetes cluster: the control plane
// of cmd/devcluster, with simulated nodes. A test package shares one cluster,
// which ends with the test binary, however that ends:
//
//	func TestMain(m *testing.M) { clustertest.Main(m) }
//
//	func TestApply(t *testing.T) {
//		c := clustertest.Start(t)
//		ns := c.Namespace(t)
//		...
//	}
//
// Pods become ready, and Jobs complete, at once; the annotations below, in a
// Pod template, make them late or make them fail.
//
// With FLOTILLA_TEST_KUBECONFIG set, Start uses the cluster of that kubeconfig
// instead, so that one cluster serves all packages of a test run. Therefore a
// test may not disturb the cluster of Start; StartPrivate is for those that
// pause or kill components. Without the devcluster binary (FLOTILLA_DEVCLUSTER,
// or bin/devcluster in the repository) tests fail; they are skipped only under
// "go test -short", and not even then if CI is true.
package clustertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
)

// Annotations of Pods that the simulated nodes obey. DelayAnnotation and
// DeleteDelayAnnotation are durations ("3s"): until a Pod is ready, or
// completes if it is one that ends; and how long it stays Terminating.
// LogsAnnotation is what "kubectl logs" answers.
const (
	FailAnnotation        = "devcluster.flotilla.sh/fail"
	DelayAnnotation       = "devcluster.flotilla.sh/delay"
	DeleteDelayAnnotation = "devcluster.flotilla.sh/delete-delay"
	LogsAnnotation        = "devcluster.flotilla.sh/logs"
)

// Values of FailAnnotation. JobFailure is for Pods that end (restartPolicy
// Never or OnFailure), and ignored by others.
const (
	CrashLoop  = "crash-loop"
	ImagePull  = "image-pull"
	NeverReady = "never-ready"
	JobFailure = "job-failure"
)

// Environment variables, see the package comment.
const (
	kubeconfigVariable = "FLOTILLA_TEST_KUBECONFIG"
	binaryVariable     = "FLOTILLA_DEVCLUSTER"
)

// patience bounds every wait of this package; it is long because several test
// packages may start clusters at once.
const patience = 3 * time.Minute

// Cluster is a running cluster.
type Cluster struct {
	// Kubeconfig is the path of a kubeconfig of an administrator.
	Kubeconfig string
	// Context is the name of its context, "devcluster" unless the cluster was
	// given by FLOTILLA_TEST_KUBECONFIG.
	Context string

	config *rest.Config
	client kubernetes.Interface
	// server is nil for the cluster that Start gives.
	server *server
}

// shared is the cluster of this test binary. Package state, because "one for
// each test binary" is what it is: Go has no other owner for that.
var shared struct {
	once    sync.Once
	cluster *Cluster
	server  *server
	err     error
}

// Main runs the tests, stops the cluster that Start may have started, and
// exits. Without it the cluster stops all the same, a moment after the test
// binary has ended. What runs the tests is a *testing.M, or has one.
func Main(m interface{ Run() int }) {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "clustertest: stopping the cluster:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Start returns the cluster shared by the tests of a package; the first call
// starts it, which takes some seconds.
func Start(t testing.TB) *Cluster {
	t.Helper()
	skipIfShort(t)
	shared.once.Do(func() {
		kubeconfig := os.Getenv(kubeconfigVariable)
		if kubeconfig == "" {
			if shared.server, shared.err = startServer(); shared.err != nil {
				return
			}
			kubeconfig = shared.server.kubeconfig
		}
		shared.cluster, shared.err = newCluster(kubeconfig)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// StartPrivate starts a cluster that no other test sees, and stops it at the
// end of the test. Only its components may be paused and killed.
func StartPrivate(t testing.TB) *Cluster {
	t.Helper()
	skipIfShort(t)
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stopping the private cluster: %v", err)
		}
	})
	c, err := newCluster(s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c.server = s
	return c
}

func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() && os.Getenv("CI") != "true" {
		t.Skip("needs a cluster; run without -short")
	}
}

func newCluster(kubeconfig string) (*Cluster, error) {
	raw, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the test cluster: %w", err)
	}
	config, err := clientcmd.NewDefaultClientConfig(*raw, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the test cluster: %w", err)
	}
	// Tests are many clients in one: no throttling.
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for the test cluster: %w", err)
	}
	return &Cluster{Kubeconfig: kubeconfig, Context: raw.CurrentContext, config: config, client: client}, nil
}

// Config returns a copy of the administrator's client configuration; it does
// not throttle.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Client is a client of the administrator.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Namespace creates a namespace for one test, ready for Pods, and returns its
// name. It is deleted at the end of the test, without waiting for that.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	created, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: namePrefix(t.Name())},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		// Best effort: the test may have deleted it, or killed the API server.
		_ = c.client.CoreV1().Namespaces().Delete(ctx, created.Name, metav1.DeleteOptions{})
	})
	if err := c.waitForServiceAccount(ctx, created.Name); err != nil {
		t.Fatalf("waiting for the default ServiceAccount of %s: %v", created.Name, err)
	}
	return created.Name
}

// namePrefix makes the start of a namespace's name from a test's name, short
// enough for names that are made from the namespace.
func namePrefix(test string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '-'
		}
	}, strings.TrimPrefix(test, "Test"))
	name = strings.Trim(name[:min(len(name), 30)], "-")
	if name == "" {
		name = "test"
	}
	return name + "-"
}

// waitForServiceAccount returns when bare Pods can be created in ns.
func (c *Cluster) waitForServiceAccount(ctx context.Context, ns string) error {
	lw := cache.NewListWatchFromClient(c.client.CoreV1().RESTClient(), "serviceaccounts", ns,
		fields.OneTermEqualSelector("metadata.name", "default"))
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.ServiceAccount{}, nil, func(e watch.Event) (bool, error) {
		return e.Type != watch.Deleted, nil
	})
	return err
}

// binary finds devcluster.
func binary() (string, error) {
	if path := os.Getenv(binaryVariable); path != "" {
		return path, nil
	}
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "devcluster")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("looking for the test cluster's binary: %w; run \"make devcluster\"", err)
	}
	return path, nil
}

// repositoryRoot is the nearest folder above that has cmd/devcluster: go test
// runs in the folder of the tested package.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "devcluster", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("looking for the repository above the working folder: no cmd/devcluster found; set %s", binaryVariable)
		}
		dir = parent
	}
}
