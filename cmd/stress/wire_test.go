package stress

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/flotilla-sh/flotilla/cmd/bench/traffic"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// wire is a way to the API server on which things happen: every process of
// flotilla can have one of its own. Requests keep what the administrator may do.
type wire struct {
	kubeconfig string
	next       http.RoundTripper

	mu     sync.Mutex
	writes int
	seen   []written
	faults faults
}

// written is a request that changed something, or tried to.
type written struct {
	method, path string
	began, ended time.Time
}

// kind says what a write is for.
func (w written) kind() string {
	switch {
	case strings.HasPrefix(w.path, "/apis/coordination.k8s.io/"):
		return "lock"
	case strings.Contains(w.path, "/namespaces/flotilla-system/secrets"):
		return "journal"
	case strings.Contains(w.path, "/secrets/sh.helm.release"), w.method == http.MethodPost && strings.HasSuffix(w.path, "/secrets"):
		return "record"
	default:
		return "object"
	}
}

// faults decide what happens to a request. Every one is called by the goroutine
// of the request; nil: nothing happens.
type faults struct {
	// before gives an answer in the server's place, or none. n counts the writes,
	// from 1; of what is no write it is 0.
	before func(n int, r *http.Request) *http.Response
	// after is called when the server has answered, and flotilla knows nothing of it
	// yet. False: it never will.
	after func(n int, r *http.Request) bool
}

// lay starts a wire to a cluster. user is the name under which the audit log has
// its requests; empty: the administrator's.
func lay(t testing.TB, c *clustertest.Cluster, user string) *wire {
	t.Helper()
	config := c.Config()
	if user != "" {
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	}
	next, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{next: next, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	proxy, err := traffic.Listen(c.Config().Host, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	if err := os.WriteFile(w.kubeconfig, proxy.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// disturb sets what happens from now on, and counts writes anew.
func (w *wire) disturb(f faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.writes, w.seen = f, 0, nil
}

// alter sets what happens from now on.
func (w *wire) alter(f faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = f
}

// log is what was written since disturb.
func (w *wire) log() []written {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]written(nil), w.seen...)
}

// changing reports whether a request may change the cluster.
func changing(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions &&
		r.URL.Query().Get("dryRun") == "" && !strings.HasSuffix(r.URL.Path, "reviews")
}

// RoundTrip passes a request on, unless something happens to it. What is cut off
// panics, as a handler has to that wants its connection closed.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	f, n := w.faults, 0
	if changing(r) {
		w.writes++
		n = w.writes
		w.seen = append(w.seen, written{r.Method, r.URL.Path, time.Now(), time.Time{}})
	}
	w.mu.Unlock()
	if f.before != nil {
		if answer := f.before(n, r); answer != nil {
			answer.Request = r
			return answer, nil
		}
	}
	resp, err := w.next.RoundTrip(r)
	if n > 0 {
		w.mu.Lock()
		if n <= len(w.seen) {
			w.seen[n-1].ended = time.Now()
		}
		w.mu.Unlock()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if f.after != nil && !f.after(n, r) {
		_ = resp.Body.Close()
		panic(http.ErrAbortHandler)
	}
	return resp, nil
}

// cutOff closes the connection instead of an answer.
func cutOff() *http.Response { panic(http.ErrAbortHandler) }

// refusal is an answer of a server in trouble, as the API server words it.
func refusal(code int, reason, message string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
	resp := &http.Response{
		StatusCode: code, Status: fmt.Sprintf("%d %s", code, http.StatusText(code)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewBufferString(body)), ContentLength: int64(len(body)),
	}
	if code == http.StatusTooManyRequests {
		resp.Header.Set("Retry-After", "1")
	}
	return resp
}

// relay passes bytes on to where a kubeconfig leads, and can reset all connections
// at once.
type relay struct {
	kubeconfig string

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newRelay starts a relay that ends with the test.
func newRelay(t testing.TB, kubeconfig string) *relay {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	to := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	server, err := url.Parse(to.Server)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to.Server = "https://" + listener.Addr().String()
	r := &relay{conns: map[net.Conn]bool{}, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	t.Cleanup(func() { _ = listener.Close(); r.reset() })
	if err := clientcmd.WriteToFile(*config, r.kubeconfig); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(in, server.Host)
		}
	}()
	return r
}

func (r *relay) pass(in net.Conn, server string) {
	out, err := net.Dial("tcp", server)
	if err != nil {
		_ = in.Close()
		return
	}
	r.mu.Lock()
	r.conns[in] = true
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
	both.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
	both.Wait()
	r.mu.Lock()
	delete(r.conns, in)
	r.mu.Unlock()
}

// reset resets what is connected now.
func (r *relay) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}
