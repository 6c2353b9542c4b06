package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Now asks the API server what time it is by its own clock, to the second. Where
// something between does not pass that on, it is the time of this machine.
func (c *Cluster) Now(ctx context.Context) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server.JoinPath("version").String(), nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking for the time: %w", err)
	}
	answer, err := (&http.Client{Transport: c.config.Transport}).Do(req)
	if err != nil {
		return time.Time{}, c.Explain(err, Access{Verb: "get", Resource: "/version"})
	}
	// So that the connection can be used again; what it says does not matter.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	_ = answer.Body.Close()
	if now, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		return now, nil
	}
	return time.Now(), nil
}
