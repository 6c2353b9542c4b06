package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flotilla-sh/flotilla/state"
)

const (
	// defaultRetries and the pauses below outlast the restart of an API server:
	// together they take 40 seconds at least.
	defaultRetries = 14
	firstPause     = 200 * time.Millisecond
	longestPause   = 5 * time.Second
	longestAsked   = 30 * time.Second // that a server's Retry-After is followed
	// lastStart bounds the repeating of requests that take long to fail, such as
	// those that wait for a webhook: no attempt begins later than that.
	lastStart = time.Minute

	// flights bounds the requests that are under way to one cluster. More make a
	// small API server slower, and bring a large one nothing: one that answers in
	// 10 ms answers 6,000 of them in a second.
	flights = 64
	// keptBody bounds the beginning of an answer that is read before the answer is
	// given on, so that one which is cut off can be asked for again.
	keptBody = 1 << 20
)

// patient is the way to one API server for all that talks to it. It sends a request
// again when the reason of a failure passes by itself and sending it twice
// does no harm, and bounds how many are under way. client-go would repeat reads
// only, and nothing at all when no connection is to be had.
type patient struct {
	next     http.RoundTripper
	retries  int
	context  string
	retrying func(context string, r state.Retry)
	flights  chan struct{}
	answered atomic.Bool // the server has, once
}

func newPatient(next http.RoundTripper, opts Options, context string) *patient {
	p := &patient{next: next, retries: opts.Retries, context: context, retrying: opts.Retrying, flights: make(chan struct{}, flights)}
	switch {
	case p.retries == 0:
		p.retries = defaultRetries
	case p.retries < 0:
		p.retries = 0
	}
	return p
}

// WrappedRoundTripper gives what is below, as client-go asks for it.
func (p *patient) WrappedRoundTripper() http.RoundTripper { return p.next }

// manner is how the requests of a context are treated.
type manner struct {
	urgent bool            // they wait for no other request
	once   bool            // they are not repeated
	until  <-chan struct{} // nor after this is closed; nil: it never is
}

// patient reports whether a request may be repeated now.
func (m manner) patient() bool {
	select {
	case <-m.until:
		return false
	default:
		return !m.once
	}
}

type mannerKey struct{}

func mannerOf(ctx context.Context) manner {
	m, _ := ctx.Value(mannerKey{}).(manner)
	return m
}

// Urgent gives a context for requests that must not stand in a queue behind
// others, such as the renewal of a lock.
func Urgent(ctx context.Context) context.Context {
	m := mannerOf(ctx)
	m.urgent = true
	return context.WithValue(ctx, mannerKey{}, m)
}

// once gives a context for requests whose failure is no harm, and a delay is.
func once(ctx context.Context) context.Context {
	m := mannerOf(ctx)
	m.once = true
	return context.WithValue(ctx, mannerKey{}, m)
}

// PatientUntil gives a context whose requests are not repeated any more when done
// is closed. What is under way goes on.
func PatientUntil(ctx context.Context, done <-chan struct{}) context.Context {
	m := mannerOf(ctx)
	m.until = done
	return context.WithValue(ctx, mannerKey{}, m)
}

// RoundTrip gives the first answer that is one, or the last of all.
func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) {
	if endless(req) {
		return p.next.RoundTrip(req)
	}
	began, lost, manner := time.Now(), false, mannerOf(req.Context())
	for attempt := 1; ; attempt++ {
		f := p.try(req)
		lost = lost || f.lost
		pause := max(backoff(attempt), f.asked)
		switch {
		case f.reason == "":
			return p.answer(req, f, lost)
		case attempt > p.retries || !manner.patient() || time.Since(began)+pause > lastStart || !p.may(req, f):
			return p.give(req, f, attempt, time.Since(began))
		}
		p.tell(req, state.Retry{What: whatOf(req), Attempt: attempt + 1, Of: p.retries + 1, Pause: pause, Reason: f.reason})
		if err := pausing(req.Context(), manner.until, pause); err != nil {
			f.discard()
			return nil, err
		}
		if !manner.patient() {
			return p.give(req, f, attempt, time.Since(began))
		}
		f.discard()
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req = req.Clone(req.Context())
			req.Body = body
		}
	}
}

// flight is how one attempt went.
type flight struct {
	response *http.Response
	err      error
	reason   string        // why it may go better the next time; empty: it is the answer
	unsent   bool          // the server has not seen it
	refused  bool          // the server has not done it
	lost     bool          // the server may have done it
	asked    time.Duration // pause that the server asks for
}

func (f flight) discard() {
	if f.response != nil {
		_ = f.response.Body.Close()
	}
}

// try sends a request once, when there is room.
func (p *patient) try(req *http.Request) flight {
	if !mannerOf(req.Context()).urgent {
		select {
		case p.flights <- struct{}{}:
			defer func() { <-p.flights }()
		case <-req.Context().Done():
			return flight{err: context.Cause(req.Context())}
		}
	}
	response, err := p.next.RoundTrip(req)
	if err == nil {
		p.answered.Store(true)
		err = keep(response)
	}
	if err != nil {
		return p.failed(req, err)
	}
	f := flight{response: response}
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		f.reason, f.refused = "the server asks for a pause (429)", true
	case http.StatusServiceUnavailable:
		f.reason, f.refused = "the server is not ready (503)", true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		f.reason, f.lost = fmt.Sprintf("the server answers %d %s", response.StatusCode, http.StatusText(response.StatusCode)), true
	default:
		return f
	}
	if message := messageOf(response); strings.HasPrefix(message, misfit) {
		return flight{response: response}
	} else if message != "" {
		f.reason += ": " + message
	}
	f.asked = askedFor(response)
	return f
}

// misfit is how a server begins to refuse an apply whose object does not fit the
// schema of its kind: with 500 and no reason, as it tells of etcd's failures, so
// that the words alone tell them apart. Source:
// k8s.io/apimachinery/pkg/util/managedfields/internal/structuredmerge.go.
const misfit = "failed to create typed patch object"

// failed judges an attempt without an answer. Errors of who stands between here and
// the server, such as a lock that was lost, are nobody's to pass by.
func (p *patient) failed(req *http.Request, err error) flight {
	f := flight{err: err}
	var dialled *net.OpError
	var network net.Error
	var untrusted *tls.CertificateVerificationError
	switch {
	case req.Context().Err() != nil, errors.Is(err, context.Canceled), errors.As(err, &untrusted):
	case errors.As(err, &dialled) && dialled.Op == "dial":
		f.unsent = true
		if p.answered.Load() { // else the address is wrong, or there is no cluster
			f.reason = reasonOf(err)
		}
	case errors.As(err, new(wireError)), errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		f.reason, f.lost = reasonOf(err), true
	}
	return f
}

// may says whether a request can be repeated: what creates something only where it
// has surely not done so, and a broken aggregated API, over which discovery
// steps, not at all.
func (p *patient) may(req *http.Request, f flight) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	if f.response != nil && req.Method == http.MethodGet && discovers(req.URL.Path) {
		return f.response.StatusCode == http.StatusTooManyRequests
	}
	switch req.Method {
	case http.MethodPost:
		return f.unsent || f.refused
	case http.MethodPatch:
		return f.unsent || f.refused || req.Header.Get("Content-Type") != "application/json-patch+json"
	default:
		return true
	}
}

// discovers reports whether a path tells what one group of APIs serves.
func discovers(path string) bool {
	return strings.HasPrefix(path, "/openapi/") || strings.HasPrefix(path, "/apis/") && strings.Count(strings.Trim(path, "/"), "/") <= 2
}

// answer gives the last attempt on. A deletion of which an earlier answer was lost
// has been done when the object is not there any more.
func (p *patient) answer(req *http.Request, f flight, lost bool) (*http.Response, error) {
	if f.err == nil && lost && req.Method == http.MethodDelete && f.response.StatusCode == http.StatusNotFound {
		const done = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}`
		f.discard()
		f.response.StatusCode, f.response.Status = http.StatusOK, "200 OK"
		f.response.Header.Set("Content-Type", "application/json")
		f.response.Body, f.response.ContentLength = io.NopCloser(strings.NewReader(done)), int64(len(done))
	}
	return f.response, unwired(f.err)
}

// give ends the patience. client-go must not begin from the start: it repeats a
// read that asks for a pause, or that failed in a way which it knows.
func (p *patient) give(req *http.Request, f flight, attempts int, took time.Duration) (*http.Response, error) {
	switch {
	case f.response != nil:
		f.response.Header.Del("Retry-After")
		return f.response, nil
	case attempts > 1:
		return nil, fmt.Errorf("no answer to %d attempts in %s: %s", attempts, took.Round(100*time.Millisecond), f.reason)
	case req.Method == http.MethodGet:
		return nil, errors.New(f.reason)
	default:
		return nil, unwired(f.err)
	}
}

func (p *patient) tell(req *http.Request, r state.Retry) {
	if note := state.Retrying(req.Context()); note != nil {
		note(r)
	} else if p.retrying != nil {
		p.retrying(p.context, r)
	}
}

// endless reports whether the answer to a request comes bit by bit, as of watches
// and logs. Who asks for such takes it up again by himself.
func endless(req *http.Request) bool {
	query := req.URL.Query()
	return strings.HasSuffix(req.URL.Path, "/log") || query.Get("watch") == "true" || query.Get("watch") == "1"
}

// whatOf is a request in short: its verb, and kind and name of what it is about.
func whatOf(req *http.Request) string {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	return req.Method + " " + strings.Join(parts, "/")
}

// keep reads the beginning of an answer, so that it fails here if it does.
func keep(response *http.Response) error {
	var head bytes.Buffer
	n, err := io.Copy(&head, io.LimitReader(response.Body, keptBody))
	if err != nil {
		_ = response.Body.Close()
		return wireError{err}
	}
	if n < keptBody {
		_ = response.Body.Close()
		response.Body = io.NopCloser(&head)
		return nil
	}
	response.Body = body{io.MultiReader(&head, response.Body), response.Body}
	return nil
}

type body struct {
	io.Reader
	io.Closer
}

// messageOf is the first line of what a Status says; empty: there is none. The
// body stays to be read.
func messageOf(response *http.Response) string {
	all, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return ""
	}
	response.Body = body{io.MultiReader(bytes.NewReader(all), response.Body), response.Body}
	return statusMessage(all)
}

// askedFor is the pause that a server asks for, in seconds as API servers do.
func askedFor(response *http.Response) time.Duration {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestAsked)
}

// backoff is the pause after an attempt: 0.2, 0.4, 0.8 ... 5 s, a quarter more or
// less, so that those who failed together do not come back together.
func backoff(attempt int) time.Duration {
	pause := min(firstPause<<min(attempt-1, 8), longestPause)
	return time.Duration(float64(pause) * (0.75 + rand.Float64()/2))
}

// pausing waits, but not longer than until.
func pausing(ctx context.Context, until <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-until:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
