package clustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Request is one request as the API server's audit log tells it.
type Request struct {
	Verb string `json:"verb"` // get, list, create, patch, ...
	URI  string `json:"requestURI"`
	User struct {
		Name string `json:"username"`
	} `json:"user"`
	// For is the user for whom User acts; empty: for himself.
	For struct {
		Name string `json:"username"`
	} `json:"impersonatedUser"`
	Agent    string    `json:"userAgent"`
	Received time.Time `json:"requestReceivedTimestamp"`
	Answered time.Time `json:"stageTimestamp"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// Writes reports whether the request may have changed the cluster: it was
// neither a read nor a dry run.
func (r Request) Writes() bool {
	switch r.Verb {
	case "get", "list", "watch":
		return false
	default:
		return !strings.Contains(r.URI, "dryRun=All")
	}
}

// Audit runs act and gives the requests that others than the components of the
// control plane made meanwhile. It needs a private cluster, where nobody else
// is at work.
func (c *Cluster) Audit(t testing.TB, act func()) []Request {
	t.Helper()
	if c.server == nil {
		t.Fatal("reading the audit log: other tests use this cluster; take one with StartPrivate")
	}
	before := c.mark(t, "before")
	act()
	after := c.mark(t, "after")
	var requests []Request
	for line := range bytes.Lines(c.logged(t, before, after)) {
		var r Request
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("reading the audit log: %v\n%s", err, line)
		}
		if !component(r.User.Name) {
			requests = append(requests, r)
		}
	}
	return requests
}

// component tells the users that the control plane and its simulated nodes are.
func component(user string) bool {
	if strings.HasPrefix(user, "system:serviceaccount:") {
		return strings.HasPrefix(user, "system:serviceaccount:kube-system:")
	}
	return strings.HasPrefix(user, "system:") || user == string(Kwok)
}

// mark makes a request that the log shows, and nobody else makes.
func (c *Cluster) mark(t testing.TB, text string) string {
	t.Helper()
	name := text + "-" + time.Now().UTC().Format("150405.000000000")
	// That there is no such object is no matter.
	_, _ = c.client.CoreV1().ConfigMaps("default").Get(t.Context(), name, metav1.GetOptions{})
	return name
}

// logged gives the lines between two marks. The server writes a line when it has
// answered, so the second mark may come a moment late.
func (c *Cluster) logged(t testing.TB, before, after string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		log, err := os.ReadFile(c.server.audit())
		if err != nil {
			t.Fatalf("reading the audit log: %v", err)
		}
		var between bytes.Buffer
		inside := false
		for line := range bytes.Lines(log) {
			switch {
			case bytes.Contains(line, []byte(before)):
				inside = true
			case bytes.Contains(line, []byte(after)):
				return between.Bytes()
			case inside:
				between.Write(line)
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("reading the audit log: the last request is not in it")
		}
	}
}
