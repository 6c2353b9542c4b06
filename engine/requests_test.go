package engine

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// badLine is a way to a cluster on which requests and answers get lost.
type badLine struct {
	next http.RoundTripper

	mu   sync.Mutex
	luck *rand.Rand
	lost int
}

// RoundTrip fails one request in five, in one of four ways.
func (l *badLine) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	n := l.luck.IntN(20)
	if n < 4 {
		l.lost++
	}
	l.mu.Unlock()
	switch n {
	case 0, 1:
		answer, err := l.next.RoundTrip(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		return nil, syscall.ECONNRESET
	case 2:
		return unsent(r, http.StatusInternalServerError), nil
	case 3:
		return unsent(r, http.StatusTooManyRequests), nil
	default:
		return l.next.RoundTrip(r)
	}
}

func unsent(r *http.Request, status int) *http.Response {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("not now")), Request: r}
}

// along gives an engine on another way to the cluster of f.
func (f *fleet) along(t *testing.T, line func(http.RoundTripper) http.RoundTripper, opts Options) *Engine {
	t.Helper()
	clusters := cluster.New(cluster.Options{Kubeconfig: f.kubeconfig, WrapTransport: line})
	opts.Charts, opts.Clusters = f.opts.Charts, clusters.Get
	return New(opts)
}

func TestABadLineLosesNothing(t *testing.T) {
	f := online(t)
	line := &badLine{luck: rand.New(rand.NewPCG(7, 7))}
	bad := f.along(t, func(next http.RoundTripper) http.RoundTripper { line.next = next; return line }, Options{})
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: {{ .Values.v | quote }}\n"}), "lucky")
	var retries atomic.Int64
	ctx := state.WithRetries(t.Context(), func(state.Retry) { retries.Add(1) })
	value := func() string {
		if cm := f.configMap("lucky"); cm != nil {
			return cm.Data["v"]
		}
		return "absent"
	}
	for range 3 {
		_, first := f.wanted(r, map[string]any{"v": "1"})
		if _, err := bad.Install(ctx, r, first); err != nil || value() != "1" {
			t.Fatalf("installing: %v, v is %s", err, value())
		}
		have, second := f.wanted(r, map[string]any{"v": "2"})
		left, err := bad.Upgrade(ctx, r, have, second)
		if err != nil || value() != "2" {
			t.Fatalf("upgrading: %v, v is %s", err, value())
		}
		f.wantHistory(r, "1=superseded 2=deployed")
		if _, err := bad.Rollback(ctx, r, &state.Revision{Number: 1}, left); err != nil || value() != "1" {
			t.Fatalf("rolling back: %v, v is %s", err, value())
		}
		f.wantHistory(r, "1=superseded 2=superseded 3=deployed")
		if left, err = bad.Uninstall(ctx, r, f.read(r)); err != nil || value() != "absent" {
			t.Fatalf("uninstalling: %v, v is %s", err, value())
		}
		if err := bad.Forget(ctx, r, left, 0); err != nil {
			t.Fatal(err)
		}
		f.wantHistory(r, "")
	}
	if line.lost < 10 || retries.Load() < 10 {
		t.Errorf("%d requests were lost and %d repeated: the line is too good", line.lost, retries.Load())
	}
}

// stillLine is a way on which nothing comes back once an object was looked at.
type stillLine struct {
	next  http.RoundTripper
	still atomic.Bool
	only  string // part of the paths of what is lost
	met   chan struct{}
}

func (l *stillLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.still.Load() && strings.Contains(r.URL.Path, l.only) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	answer, err := l.next.RoundTrip(r)
	if strings.HasSuffix(r.URL.Path, "/configmaps/stopped") && !l.still.Swap(true) {
		close(l.met)
	}
	return answer, err
}

func TestAnEngineThatIsToldToStopDoesNotWaitForAnswers(t *testing.T) {
	tests := []struct {
		name, only, history string
		within              time.Duration
	}{
		{"objects hang, and the record is written", "/configmaps", "1=deployed 2=failed", 2 * time.Second},
		{"everything hangs", "", "1=deployed 2=pending-upgrade", lastRecords + 3*time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := online(t)
			stop, halt := context.WithCancelCause(context.Background())
			ctx, cancel := context.WithCancel(t.Context())
			line := &stillLine{only: tt.only, met: make(chan struct{})}
			e := f.along(t, func(next http.RoundTripper) http.RoundTripper { line.next = next; return line }, Options{Stop: stop})
			r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: {{ .Values.v | quote }}\n"}), "stopped")
			f.mustApply(r, map[string]any{"v": "1"})
			have, want := f.wanted(r, map[string]any{"v": "2"})
			interrupted := errors.New("interrupted twice")
			var since time.Time
			go func() {
				<-line.met
				cancel()
				time.Sleep(200 * time.Millisecond)
				since = time.Now()
				halt(interrupted)
			}()
			_, err := e.Upgrade(ctx, r, have, want)
			if took := time.Since(since); err == nil || took > tt.within {
				t.Errorf("it ended %s after it was told, with %v", took, err)
			}
			f.wantHistory(r, tt.history)
		})
	}
}
