package main

import (
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
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// traffic is what a tool asked of the API server.
type traffic struct {
	Requests int            `json:"requests"`
	Bytes    int64          `json:"bytes"` // of bodies, both ways, as they travel
	ByKind   map[string]int `json:"byKind,omitempty"`
}

// kinds lists the requests by kind, most first.
func (t traffic) kinds() []string {
	names := slices.SortedFunc(maps.Keys(t.ByKind), func(a, b string) int {
		if d := t.ByKind[b] - t.ByKind[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", t.ByKind[name], name)
	}
	return names
}

// proxy stands in front of the API server and counts, for every tool alike.
// Timed runs go past it, because it works on the same cores.
type proxy struct {
	server http.Server

	mu   sync.Mutex
	seen traffic
}

// newProxy listens on a free port and writes a kubeconfig that leads there. It
// speaks to the API server with the transport it is given.
func newProxy(host string, transport http.RoundTripper, kubeconfig string) (*proxy, error) {
	server, err := url.Parse(host)
	if err != nil {
		return nil, err
	}
	certificate, root, err := certify()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // of a client that left
	}
	p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r)
		r.Body = &counted{ReadCloser: r.Body, to: p}
		forward.ServeHTTP(&answer{ResponseWriter: w, to: p}, r)
	})
	p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	p.server.ErrorLog = forward.ErrorLog
	go func() { _ = p.server.ServeTLS(listener, "", "") }() // ends with close
	config := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "bench",
"clusters": [{"name": "bench", "cluster": {"server": "https://%s", "certificate-authority-data": %q}}],
"users": [{"name": "bench", "user": {}}],
"contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}]}
`, listener.Addr(), base64.StdEncoding.EncodeToString(root))
	return p, os.WriteFile(kubeconfig, []byte(config), 0o600)
}

func (p *proxy) close() { _ = p.server.Close() }

// take gives what was counted since the last call.
func (p *proxy) take() traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = traffic{}
	return seen
}

// note counts a request under its method and the kind of objects it is for.
func (p *proxy) note(r *http.Request) {
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

func (p *proxy) add(n int) {
	p.mu.Lock()
	p.seen.Bytes += int64(n)
	p.mu.Unlock()
}

type counted struct {
	io.ReadCloser
	to *proxy
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.to.add(n)
	return n, err
}

type answer struct {
	http.ResponseWriter
	to *proxy
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
		Subject:               pkix.Name{CommonName: "bench"},
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
