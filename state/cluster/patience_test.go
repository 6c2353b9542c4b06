package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state"
)

// script is a server that gives one answer after the other, and the last one for
// ever.
type script struct {
	mu      sync.Mutex
	answers []reply
	sent    int
	bodies  []string
}

type reply struct {
	status int
	after  string // Retry-After
	body   io.Reader
	err    error
}

// RoundTrip gives the next answer.
func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Body != nil {
		all, _ := io.ReadAll(req.Body)
		s.bodies = append(s.bodies, string(all))
	}
	a := s.answers[min(s.sent, len(s.answers)-1)]
	s.sent++
	if a.err != nil {
		return nil, a.err
	}
	if a.body == nil {
		a.body = strings.NewReader("{}")
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if a.after != "" {
		header.Set("Retry-After", a.after)
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(a.body), Request: req}, nil
}

// cut is a body that ends in the middle.
type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func request(t *testing.T, method, path, content string) *http.Request {
	t.Helper()
	var body io.Reader
	if content != "" {
		body = strings.NewReader("body")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", content)
	return req
}

var (
	errReset   = &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	errRefused = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errFenced  = errors.New("the lock is lost")
)

const (
	apply  = "application/apply-patch+yaml"
	object = "/api/v1/namespaces/shop/configmaps/web"
)

func TestPatienceWithRequests(t *testing.T) {
	ok := reply{status: 200}
	tests := []struct {
		name    string
		method  string
		path    string
		content string
		answers []reply
		sent    int
		status  int    // of the answer; zero: an error
		err     string // in its text
	}{
		{"a read is repeated when the connection is reset", "GET", object, "", []reply{{err: errReset}, ok}, 2, 200, ""},
		{"a read is repeated when its answer is cut off", "GET", object, "", []reply{{status: 200, body: cut{}}, ok}, 2, 200, ""},
		{"a read is repeated when the server fails", "GET", object, "", []reply{{status: 500}, {status: 502}, {status: 503}, {status: 504}, ok}, 5, 200, ""},
		{"an apply is repeated when its answer is lost", "PATCH", object, apply, []reply{{err: errReset}, {status: 500}, ok}, 3, 200, ""},
		{"a replacement is repeated", "PUT", object, "application/json", []reply{{status: 504}, ok}, 2, 200, ""},
		{"a JSON patch is not, when its answer is lost", "PATCH", object, "application/json-patch+json", []reply{{err: errReset}, ok}, 1, 0, "connection reset"},
		{"a creation is not, when its answer is lost", "POST", "/api/v1/secrets", "application/json", []reply{{err: errReset}, ok}, 1, 0, "connection reset"},
		{"nor when the server fails in the middle of it", "POST", "/api/v1/secrets", "application/json", []reply{{status: 500}, ok}, 1, 500, ""},
		{"a creation that was put off is repeated", "POST", "/api/v1/secrets", "application/json", []reply{{status: 429}, {status: 503}, ok}, 3, 200, ""},
		{"a deletion whose answer was lost is done when nothing is left", "DELETE", object, "", []reply{{err: errReset}, {status: 404}}, 2, 200, ""},
		{"a deletion of nothing finds nothing", "DELETE", object, "", []reply{{status: 404}}, 1, 404, ""},
		{"a refusal is an answer", "PATCH", object, apply, []reply{{status: 403}}, 1, 403, ""},
		{"an object that does not fit its schema is an answer", "PATCH", object, apply, []reply{{status: 500, body: strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"failed to create typed patch object (a/b; v1, Kind=ConfigMap): .dat: field not declared in schema","code":500}`)}}, 1, 500, ""},
		{"a conflict is an answer", "PATCH", object, apply, []reply{{status: 409}}, 1, 409, ""},
		{"a lock that is lost is not passed by", "PATCH", object, apply, []reply{{err: errFenced}}, 1, 0, "the lock is lost"},
		{"a cluster that never answered is not there", "GET", object, "", []reply{{err: errRefused}}, 1, 0, "connection refused"},
		{"one that did is waited for", "GET", object, "", []reply{{status: 503}, {err: errRefused}, {err: errRefused}, ok}, 4, 200, ""},
		{"a broken aggregated API keeps nobody from discovery", "GET", "/apis/metrics.k8s.io/v1beta1", "", []reply{{status: 503}}, 1, 503, ""},
		{"a watch is taken up by who watches", "GET", object + "?watch=true", "", []reply{{status: 503}}, 1, 503, ""},
		{"logs are not worth waiting for", "GET", "/api/v1/namespaces/shop/pods/web/log", "", []reply{{status: 500}}, 1, 500, ""},
		{"patience ends", "GET", object, "", []reply{{status: 503, after: "1"}}, defaultRetries + 1, 503, ""},
		{"and its error says so", "GET", object, "", []reply{{err: errReset}}, defaultRetries + 1, 0, "no answer to 15 attempts in "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &script{answers: tt.answers}
				p := newPatient(server, Options{}, "here")
				resp, err := p.RoundTrip(request(t, tt.method, tt.path, tt.content))
				if server.sent != tt.sent {
					t.Errorf("%d requests were sent, want %d", server.sent, tt.sent)
				}
				switch {
				case tt.status == 0 && (err == nil || !strings.Contains(err.Error(), tt.err)):
					t.Errorf("error %v, want %q in it", err, tt.err)
				case tt.status != 0 && (err != nil || resp.StatusCode != tt.status):
					t.Errorf("answer %v, %v, want status %d", resp, err, tt.status)
				case tt.status >= 500 && resp.Header.Get("Retry-After") != "":
					t.Error("the answer asks client-go to begin from the start")
				}
				for _, body := range server.bodies {
					if tt.content != "" && body != "body" {
						t.Errorf("a request was sent with the body %q", body)
					}
				}
			})
		})
	}
}

// TestPatienceOutlastsARestart: an API server may be gone for half a minute.
func TestPatienceOutlastsARestart(t *testing.T) {
	for range 50 { // pauses are random
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			p := newPatient(tripper(func(req *http.Request) (*http.Response, error) {
				if passed := time.Since(began); passed > time.Second && passed < 31*time.Second {
					return nil, errRefused
				}
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
			}), Options{}, "here")
			for _, at := range []time.Duration{0, 1001 * time.Millisecond} {
				time.Sleep(at)
				if _, err := p.RoundTrip(request(t, "PATCH", object, apply)); err != nil {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			}
		})
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestPatienceFollowsTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{answers: []reply{{status: 429, after: "7", body: strings.NewReader(`{"kind":"Status","apiVersion":"v1","message":"slow\ndown"}`)}, {status: 200}}}
		var told []state.Retry
		p := newPatient(server, Options{}, "here")
		req := request(t, "PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", apply)
		req = req.WithContext(state.WithRetries(req.Context(), func(r state.Retry) { told = append(told, r) }))
		began := time.Now()
		if _, err := p.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("it took %s, and the server asked for 7 s", took)
		}
		want := state.Retry{What: "PATCH deployments/web", Attempt: 2, Of: 15, Pause: 7 * time.Second, Reason: "the server asks for a pause (429): slow down"}
		if len(told) != 1 || told[0] != want {
			t.Errorf("told %+v, want %+v", told, want)
		}
	})
}

func TestPatienceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(cause) })
		p := newPatient(&script{answers: []reply{{status: 503}}}, Options{}, "here")
		began := time.Now()
		_, err := p.RoundTrip(request(t, "GET", object, "").WithContext(ctx))
		if !errors.Is(err, cause) || time.Since(began) != 3*time.Second {
			t.Errorf("it ended after %s with %v", time.Since(began), err)
		}
	})
}

// TestPatienceEndsWhenNobodyWaits: what has to be said is said then.
func TestPatienceEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		time.AfterFunc(3*time.Second, func() { close(done) })
		server := &script{answers: []reply{{status: 503}}}
		p := newPatient(server, Options{}, "here")
		began := time.Now()
		for range 2 {
			req := request(t, "GET", object, "")
			resp, err := p.RoundTrip(req.WithContext(PatientUntil(req.Context(), done)))
			if err != nil || resp.StatusCode != 503 || time.Since(began) != 3*time.Second {
				t.Errorf("it ended after %s with %v, %v", time.Since(began), resp, err)
			}
		}
	})
}

// TestFlightsAreBounded: what is urgent passes all others.
func TestFlightsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		under, peak := 0, 0
		p := newPatient(tripper(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			under++
			peak = max(peak, under)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			under--
			mu.Unlock()
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
		}), Options{}, "here")
		var all sync.WaitGroup
		for range 3 * flights {
			all.Go(func() { _, _ = p.RoundTrip(request(t, "GET", object, "")) })
		}
		synctest.Wait()
		began := time.Now()
		req := request(t, "PUT", "/apis/coordination.k8s.io/v1/leases/x", "")
		if _, err := p.RoundTrip(req.WithContext(Urgent(req.Context()))); err != nil || time.Since(began) != time.Second {
			t.Errorf("the urgent request took %s: %v", time.Since(began), err)
		}
		all.Wait()
		if peak != flights+1 {
			t.Errorf("%d requests were under way, want %d and the urgent one", peak, flights)
		}
	})
}

func TestTransientFailures(t *testing.T) {
	kind := schema.GroupResource{Resource: "secrets"}
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"a webhook that does not answer", apierrors.NewInternalError(errors.New("failed calling webhook")), true},
		{"a server that is overloaded", apierrors.NewTooManyRequests("", 1), true},
		{"two writers of one object", apierrors.NewConflict(kind, "a", errors.New("x")), true},
		{"two managers of one field", apierrors.NewApplyConflict([]metav1.StatusCause{{Type: metav1.CauseTypeFieldManagerConflict}}, "x"), false},
		{"what is not there", apierrors.NewNotFound(kind, "a"), false},
		{"what may not be", apierrors.NewForbidden(kind, "a", errors.New("x")), false},
		{"no server", ErrUnreachable, true},
		{"an interrupt", context.Canceled, false},
		{"nothing", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Transient(tt.err); got != tt.want {
				t.Errorf("transient: %v, want %v", got, tt.want)
			}
		})
	}
}
