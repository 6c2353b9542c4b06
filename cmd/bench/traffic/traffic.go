// Package traffic counts what any program asks of an API server: it is a proxy
// in front of one.
package traffic

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Count is what was asked.
type Count struct {
	Requests int            `json:"requests"`
	Bytes    int64          `json:"bytes"`            // of bodies, both ways, as they travel
	ByKind   map[string]int `json:"byKind,omitempty"` // "GET secrets", "LIST secrets", "GET /version" and the like
}

// Kinds lists the requests by kind, the most frequent first: "50 GET pods".
func (c Count) Kinds() []string {
	names := slices.SortedFunc(maps.Keys(c.ByKind), func(a, b string) int {
		return cmp.Or(c.ByKind[b]-c.ByKind[a], strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", c.ByKind[name], name)
	}
	return names
}

// Proxy stands in front of an API server and counts. Everybody who can reach it
// acts as the user of its transport, so it listens on this machine only.
type Proxy struct {
	server     http.Server
	kubeconfig []byte

	mu   sync.Mutex
	seen Count
}

// Listen starts a proxy on a free port. It speaks to the API server, given by
// its URL, with that transport, which also authenticates.
func Listen(server string, transport http.RoundTripper) (*Proxy, error) {
	to, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	certificate, root, err := certify()
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{kubeconfig: fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config", "current-context": "proxy",
"clusters": [{"name": "proxy", "cluster": {"server": "https://%s", "certificate-authority-data": %q}}],
"users": [{"name": "proxy", "user": {}}],
"contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}]}
`, listener.Addr(), base64.StdEncoding.EncodeToString(root))}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     transport,
		FlushInterval: -1,                         // watches
		ErrorLog:      log.New(io.Discard, "", 0), // of clients that left
	}
	p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r)
		r.Body = &counted{ReadCloser: r.Body, to: p}
		forward.ServeHTTP(&answer{ResponseWriter: w, to: p}, r)
	})
	p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	p.server.ErrorLog = forward.ErrorLog
	go func() { _ = p.server.ServeTLS(listener, "", "") }() // ends with Close
	return p, nil
}

// Kubeconfig leads to the API server through the proxy; its context is "proxy".
func (p *Proxy) Kubeconfig() []byte { return p.kubeconfig }

// Close ends the proxy and what goes through it.
func (p *Proxy) Close() error { return p.server.Close() }

// Take gives what was counted since the last call.
func (p *Proxy) Take() Count {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = Count{}
	return seen
}

// note counts a request under its method and the kind of objects it is for.
func (p *Proxy) note(r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	at := 2 // api/v1/KIND
	if parts[0] == "apis" {
		at = 3 // apis/GROUP/VERSION/KIND
	}
	if len(parts) > at+2 && parts[at] == "namespaces" {
		at += 2
	}
	kind := "/" + strings.Join(parts, "/")
	if (parts[0] == "api" || parts[0] == "apis") && len(parts) > at {
		kind = parts[at]
	}
	method := r.Method
	switch {
	case r.URL.Query().Get("watch") != "":
		method = "WATCH"
	case method == http.MethodGet && len(parts) == at+1:
		method = "LIST"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.Requests++
	if p.seen.ByKind == nil {
		p.seen.ByKind = map[string]int{}
	}
	p.seen.ByKind[method+" "+kind]++
}

func (p *Proxy) add(n int) {
	p.mu.Lock()
	p.seen.Bytes += int64(n)
	p.mu.Unlock()
}

type counted struct {
	io.ReadCloser
	to *Proxy
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.to.add(n)
	return n, err
}

type answer struct {
	http.ResponseWriter
	to *Proxy
}

func (a *answer) Write(b []byte) (int, error) {
	a.to.add(len(b))
	return a.ResponseWriter.Write(b)
}

// Unwrap lets the reverse proxy flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// certify makes a certificate for this machine that is its own authority.
func certify() (certificate tls.Certificate, root []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "proxy"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(48 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	root = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, root, nil
}
