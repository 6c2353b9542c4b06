package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

// waitToServe waits until a component answers, if it serves anything.
func waitToServe(ctx context.Context, name components.Name, l layout, ports components.Ports) error {
	switch name {
	case components.Etcd:
		return waitForPort(ctx, ports.Etcd)
	case components.APIServer:
		return waitForAPI(ctx, l)
	case components.Kwok:
		return waitForPort(ctx, ports.Kubelet)
	case components.ControllerManager, components.Scheduler:
		return nil
	default:
		return fmt.Errorf("unknown component %q", name)
	}
}

// waitForPodsToRun returns when a Pod created now would run: its namespace has
// a ServiceAccount, and nodes take it.
func waitForPodsToRun(ctx context.Context, l layout, ports components.Ports, nodes int) error {
	client, err := newClient(l)
	if err != nil {
		return err
	}
	for i := range nodes {
		_, err := client.CoreV1().Nodes().Create(ctx, newNode(i, ports.Kubelet), metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			err = updateKubeletPort(ctx, client, nodeName(i), ports.Kubelet)
		}
		if err != nil {
			return fmt.Errorf("creating %s: %w", nodeName(i), err)
		}
	}
	for i := range nodes {
		if err := waitForNode(ctx, client, nodeName(i)); err != nil {
			return fmt.Errorf("waiting for %s to be ready: %w", nodeName(i), err)
		}
	}
	if err := waitForServiceAccount(ctx, client); err != nil {
		return fmt.Errorf("waiting for the default ServiceAccount: %w", err)
	}
	return nil
}

func newClient(l layout) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", Kubeconfig(string(l)))
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return kubernetes.NewForConfig(config)
}

// poll asks until the answer is nil. It is for what cannot be watched: a
// process that does not listen yet.
func poll(ctx context.Context, ask func(context.Context) error) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ask(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

func waitForPort(ctx context.Context, port int) error {
	return poll(ctx, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func waitForAPI(ctx context.Context, l layout) error {
	client, err := newClient(l)
	if err != nil {
		return err
	}
	err = poll(ctx, func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		return fmt.Errorf("waiting for the API server: %w", err)
	}
	return nil
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

func newNode(i, kubeletPort int) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("64"),
		corev1.ResourceMemory:           resource.MustParse("256Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("1Ti"),
		corev1.ResourcePods:             resource.MustParse("1000"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName(i), Labels: map[string]string{
			corev1.LabelHostname:   nodeName(i),
			corev1.LabelOSStable:   "linux",
			corev1.LabelArchStable: "amd64",
		}},
		Status: corev1.NodeStatus{
			Capacity:    room,
			Allocatable: room,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: "127.0.0.1"},
				{Type: corev1.NodeHostName, Address: nodeName(i)},
			},
			DaemonEndpoints: kubeletAt(kubeletPort),
		},
	}
}

func kubeletAt(port int) corev1.NodeDaemonEndpoints {
	return corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}}
}

// updateKubeletPort is for a node of a former run: the port may have changed.
func updateKubeletPort(ctx context.Context, client kubernetes.Interface, name string, port int) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil || node.Status.DaemonEndpoints == kubeletAt(port) {
		return err
	}
	node.Status.DaemonEndpoints = kubeletAt(port)
	_, err = client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		return updateKubeletPort(ctx, client, name, port)
	}
	return err
}

func waitForNode(ctx context.Context, client kubernetes.Interface, name string) error {
	lw := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "nodes", "",
		fields.OneTermEqualSelector("metadata.name", name))
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.Node{}, nil, func(e watch.Event) (bool, error) {
		node, ok := e.Object.(*corev1.Node)
		return ok && e.Type != watch.Deleted && takesPods(node), nil
	})
	return err
}

func takesPods(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
			return false
		}
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func waitForServiceAccount(ctx context.Context, client kubernetes.Interface) error {
	lw := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "serviceaccounts", metav1.NamespaceDefault,
		fields.OneTermEqualSelector("metadata.name", "default"))
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.ServiceAccount{}, nil, func(e watch.Event) (bool, error) {
		return e.Type != watch.Deleted, nil
	})
	return err
}

// lastLines is the end of a log, for an error message.
func lastLines(path string) string {
	const lines, size = 15, 8 << 10
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > size {
		_, _ = f.Seek(-size, 2)
	}
	data := make([]byte, size)
	n, err := f.Read(data)
	if n == 0 {
		return errors.Join(errors.New("(empty)"), err).Error()
	}
	all := strings.Split(strings.TrimSpace(string(data[:n])), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
