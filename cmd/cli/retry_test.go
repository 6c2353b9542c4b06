package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRetrying(t *testing.T) {
	tests := []struct {
		name    string
		retries int
		fails   int // answers 503 before it answers
		method  string
		body    string
		status  int
		asked   int
	}{
		{"no retries are asked for", 0, 1, http.MethodGet, "", 503, 1},
		{"it answers in time", 3, 2, http.MethodGet, "", 200, 3},
		{"it does not", 2, 9, http.MethodGet, "", 503, 3},
		{"a request with a body is not repeated", 3, 1, http.MethodPost, "x", 503, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; asked <= tt.fails {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			defer server.Close()
			client := http.Client{Transport: retrying{next: http.DefaultTransport, retries: tt.retries, first: time.Millisecond}}
			var req *http.Request
			var err error
			if tt.body == "" {
				req, err = http.NewRequestWithContext(t.Context(), tt.method, server.URL, nil)
			} else {
				req, err = http.NewRequestWithContext(t.Context(), tt.method, server.URL, strings.NewReader(tt.body))
			}
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.status || asked != tt.asked {
				t.Errorf("status %d after %d requests, want %d after %d", resp.StatusCode, asked, tt.status, tt.asked)
			}
		})
	}
}

func TestRetryingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := retrying{next: http.DefaultTransport, retries: 5, first: time.Hour}.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
		t.Fatal("an answer after the context ended")
	}
}
