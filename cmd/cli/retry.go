package cli

import (
	"context"
	"net/http"
	"time"
)

// retrying asks again where a repository or registry does not answer, or says
// that it cannot now: after 1, 2, 4 ... and at most 30 seconds, as helmfile
// does. Only requests without a body are repeated.
type retrying struct {
	next    http.RoundTripper
	retries int
	first   time.Duration // the first pause
}

const longestPause = 30 * time.Second

// RoundTrip gives the first answer that is one, or the last of all.
func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	pause := r.first
	for left := r.retries; ; left-- {
		resp, err := r.next.RoundTrip(req)
		if left <= 0 || req.Body != nil && req.Body != http.NoBody || !again(resp, err) {
			return resp, err
		}
		if resp != nil {
			resp.Body.Close()
		}
		if err := pauseFor(req.Context(), pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, longestPause)
	}
}

func again(resp *http.Response, err error) bool {
	return err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
