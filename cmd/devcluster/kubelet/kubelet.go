// Package kubelet serves the one thing the API server asks of a kubelet and
// that simulated Pods can answer: the log of a container. Everything else
// (exec, port-forward, metrics) is refused.
package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
	"github.com/flotilla-sh/flotilla/cmd/devcluster/stages"
)

// Options says where to listen and whom to ask about Pods.
type Options struct {
	// Listen is host:port.
	Listen string
	// Certs is a folder filled by certs.Ensure.
	Certs string
	// Kubeconfig may read Pods of all namespaces.
	Kubeconfig string
}

// Serve answers until ctx ends. Only clients with a certificate of the
// cluster's CA are heard.
func Serve(ctx context.Context, o Options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig of the kubelet server: %w", err)
	}
	pods, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the client of the kubelet server: %w", err)
	}
	ca, err := os.ReadFile(certs.CertFile(o.Certs, certs.CA))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	server := &http.Server{
		Addr:              o.Listen,
		Handler:           handler(pods),
		TLSConfig:         &tls.Config{ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert},
		ReadHeaderTimeout: 10 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err = server.ListenAndServeTLS(certs.CertFile(o.Certs, certs.Kubelet), certs.KeyFile(o.Certs, certs.Kubelet))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving container logs: %w", err)
}

func handler(client kubernetes.Interface) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		pod, err := client.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), r.PathValue("pod"), metav1.GetOptions{})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, tail(logs(pod, r.PathValue("container")), r.URL.Query().Get("tailLines")))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "devcluster simulates Pods: only logs are served", http.StatusNotImplemented)
	})
	return mux
}

// logs is the annotated text, or a line that tells what happens to the Pod.
func logs(pod *corev1.Pod, container string) string {
	text, ok := pod.Annotations[stages.LogsAnnotation]
	if !ok {
		text = fmt.Sprintf("devcluster: container %s is simulated and writes nothing", container)
		if fail := pod.Annotations[stages.FailAnnotation]; fail != "" {
			text = fmt.Sprintf("devcluster: container %s fails on demand: %s", container, fail)
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

func tail(text, lines string) string {
	n, err := strconv.Atoi(lines)
	if err != nil || n < 0 {
		return text
	}
	all := strings.SplitAfter(text, "\n")
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	}
	return strings.Join(all[max(0, len(all)-n):], "")
}
