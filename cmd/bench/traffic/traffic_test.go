package traffic

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// through gives a client of the proxy as its kubeconfig describes it.
func through(t *testing.T, p *Proxy) (server string, client *http.Client) {
	t.Helper()
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     string `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := json.Unmarshal(p.Kubeconfig(), &config); err != nil {
		t.Fatal(err)
	}
	ca, err := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return config.Clusters[0].Cluster.Server, &http.Client{Transport: transport}
}

func TestProxyCountsByMethodAndKind(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "answer")
	}))
	defer server.Close()
	p, err := Listen(server.URL, server.Client().Transport)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	url, client := through(t, p)
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/version", ""},
		{"GET", "/apis", ""},
		{"GET", "/api/v1/secrets?labelSelector=owner%3Dhelm", ""},
		{"GET", "/api/v1/namespaces/a/secrets", ""},
		{"GET", "/api/v1/namespaces/a/secrets/b", ""},
		{"GET", "/api/v1/namespaces", ""},
		{"GET", "/api/v1/namespaces/a", ""},
		{"GET", "/apis/apps/v1/namespaces/a/deployments?watch=true", ""},
		{"PATCH", "/apis/apps/v1/namespaces/a/deployments/b", "change"},
		{"POST", "/api/v1/namespaces/a/secrets", "more"},
	} {
		r, err := http.NewRequest(request.method, url+request.path, strings.NewReader(request.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(response.Body); err != nil || string(text) != "answer" {
			t.Errorf("%s %s: got %q, %v", request.method, request.path, text, err)
		}
		response.Body.Close()
	}
	want := Count{Requests: 10, Bytes: 10*int64(len("answer")) + int64(len("changemore")), ByKind: map[string]int{
		"GET /version": 1, "GET /apis": 1, "LIST secrets": 2, "GET secrets": 1, "LIST namespaces": 1, "GET namespaces": 1,
		"WATCH deployments": 1, "PATCH deployments": 1, "POST secrets": 1,
	}}
	got := p.Take()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counted something else (-want +got):\n%s", diff)
	}
	if kinds := got.Kinds(); kinds[0] != "2 LIST secrets" || kinds[1] != "1 GET /apis" {
		t.Errorf("Kinds begins with %q", kinds[:2])
	}
	if again := p.Take(); again.Requests != 0 {
		t.Errorf("a second Take gives %d requests", again.Requests)
	}
}
