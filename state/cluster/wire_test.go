package cluster

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tardy is a server that takes that long to begin an answer, and to end it.
type tardy struct{ begins, ends time.Duration }

// RoundTrip gives up with its request, as a connection does.
func (s tardy) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := sleep(req.Context(), s.begins); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(slowly{req.Context(), s.ends})}, nil
}

type slowly struct {
	ctx   context.Context
	takes time.Duration
}

// Read gives nothing, late.
func (s slowly) Read([]byte) (int, error) {
	if err := sleep(s.ctx, s.takes); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestRequestsThatNobodyAnswersEnd: a proxy may keep a connection alive behind which
// nobody is left.
func TestRequestsThatNobodyAnswersEnd(t *testing.T) {
	const long = time.Hour
	watching := object + "?watch=true"
	tests := []struct {
		name   string
		method string
		path   string
		server tardy
		fence  time.Duration // what stands above keeps the request for
		ends   time.Duration
		answer bool
	}{
		{"a read whose answer never begins", "GET", object, tardy{long, 0}, 0, longestFlight, false},
		{"a read whose answer never ends", "GET", object, tardy{0, long}, 0, longestFlight, false},
		{"a write whose answer never begins", "PATCH", object, tardy{long, 0}, 0, longestFlight, false},
		{"a deletion whose answer never begins", "DELETE", object, tardy{long, 0}, 0, longestFlight, false},
		{"an answer that takes a minute", "PATCH", object, tardy{time.Minute, time.Second}, 0, 61 * time.Second, true},
		{"a write that may go out late has its time", "PATCH", object, tardy{time.Minute, time.Second}, time.Minute, 121 * time.Second, true},
		{"a watch on which nothing happens", "GET", watching, tardy{long, 0}, 0, long, true},
		{"a watch that begins at once", "GET", watching, tardy{0, long}, 0, long, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := wire{tt.server}
				fenced := tripper(func(req *http.Request) (*http.Response, error) {
					if err := sleep(req.Context(), tt.fence); err != nil {
						return nil, err
					}
					return below.RoundTrip(req)
				})
				began := time.Now()
				answer, err := newPatient(fenced, Options{}, "here").RoundTrip(request(t, tt.method, tt.path, apply))
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
				if took := time.Since(began); took != tt.ends {
					t.Errorf("it ended after %s, want %s", took, tt.ends)
				}
				if tt.answer != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), "no answer in 1m30s") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestABoundEndsWithItsAnswer: what is read later, and in pieces, stays readable.
func TestABoundEndsWithItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent context.Context
		p := newPatient(wire{tripper(func(req *http.Request) (*http.Response, error) {
			sent = req.Context()
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", keptBody+1)))}, nil
		})}, Options{}, "here")
		answer, err := p.RoundTrip(request(t, "GET", object, ""))
		if err != nil || sent.Err() != nil {
			t.Fatalf("got %v, and its context %v", err, sent.Err())
		}
		if all, err := io.ReadAll(answer.Body); err != nil || len(all) != keptBody+1 {
			t.Errorf("%d bytes were read: %v", len(all), err)
		}
		if _ = answer.Body.Close(); sent.Err() == nil {
			t.Error("its context has not ended")
		}
	})
}
