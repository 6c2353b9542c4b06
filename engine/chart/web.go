package chart

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"time"

	"oras.land/oras-go/v2/registry/remote/retry"
)

// Bounds on what a server may send.
const (
	archiveLimit    = 100 << 20
	indexLimit      = 256 << 20
	provenanceLimit = 1 << 20
)

// client gives the one HTTP client for a set of TLS files.
func (s *Store) client(ctx context.Context, files tlsFiles) (*http.Client, error) {
	return s.clients.do(ctx, files, func(context.Context) (*http.Client, error) {
		config, err := files.config()
		if err != nil {
			return nil, err
		}
		base := &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       config,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true, // a .tgz must arrive as it is, whatever its Content-Encoding says
			TLSHandshakeTimeout:   20 * time.Second,
			ResponseHeaderTimeout: time.Minute,
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   16,
		}
		var trip http.RoundTripper = base
		if s.opts.WrapTransport != nil {
			trip = s.opts.WrapTransport(trip)
		}
		again := retry.NewTransport(trip)
		again.Policy = func() retry.Policy {
			return &retry.GenericPolicy{
				Retryable: retry.DefaultPredicate,
				Backoff:   retry.DefaultBackoff,
				MinWait:   100 * time.Millisecond,
				MaxWait:   2 * time.Second,
				MaxRetry:  3,
			}
		}
		return &http.Client{Transport: again}, nil
	})
}

func (f tlsFiles) config() (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: f.skipVerify} // the user asks for it
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("reading the CA file of a chart repository: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the CA file of a chart repository: %s holds no certificate", f.ca)
		}
	}
	if f.cert != "" && f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate of a chart repository: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// request is one GET.
type request struct {
	url     string
	limit   int64
	headers map[string]string
}

// reply is what came back: status 200 or 304.
type reply struct {
	status  int
	body    []byte
	headers http.Header
}

// get asks e for a URL that may be on another host; credentials go along only
// to its own origin, unless it passes them on.
func (s *Store) get(ctx context.Context, e endpoint, r request) (reply, error) {
	client, err := s.client(ctx, e.tls)
	if err != nil {
		return reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return reply{}, fail(ErrUnreachable, "%s: the URL %s cannot be read", e, redact(r.url))
	}
	for k, v := range r.headers {
		req.Header.Set(k, v)
	}
	if (e.username != "" || e.password != "") && (e.passCredentials || sameOrigin(e.url, req.URL)) {
		req.SetBasicAuth(e.username, e.password)
	}
	resp, err := client.Do(req)
	if err != nil {
		if stopped(ctx, err) {
			return reply{}, inner(err)
		}
		return reply{}, failFor(ErrUnreachable, inner(err), "%s cannot be reached", e)
	}
	defer resp.Body.Close()
	if err := refused(e, resp.StatusCode, r.url); err != nil {
		return reply{}, err
	}
	body, err := readBounded(resp.Body, r.limit, redact(r.url))
	if err != nil && !stopped(ctx, err) {
		return reply{}, failFor(ErrUnreachable, err, "downloading from %s", e)
	}
	return reply{status: resp.StatusCode, body: body, headers: resp.Header}, err
}

func sameOrigin(base string, target *url.URL) bool {
	u, err := url.Parse(base)
	return err == nil && u.Scheme == target.Scheme && u.Host == target.Host
}

// refused turns a status that brings nothing into an error.
func refused(e endpoint, status int, at string) error {
	said := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch {
	case status == http.StatusOK, status == http.StatusNotModified:
		return nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return denied(e, said+" for "+redact(at))
	case status == http.StatusNotFound, status == http.StatusGone:
		return fail(ErrNotFound, "%s answers %s for %s", e, said, redact(at))
	default:
		return fail(ErrUnreachable, "%s answers %s for %s", e, said, redact(at))
	}
}

// denied says what to do about credentials: none were sent, or wrong ones.
func denied(e endpoint, said string) error {
	if e.username != "" || e.password != "" {
		return fail(ErrAccess, "%s answers %s: check its username and password, and whether that user may read charts", e, said)
	}
	return fail(ErrAccess, "%s answers %s: give it username and password in repositories: of the state file, or log in with `helm repo add` or `helm registry login`", e, said)
}

// download is a file of a repository. digest is empty if it is not known.
type download struct {
	repo   endpoint
	url    string
	digest string
	limit  int64
}

// blob downloads a file once and checks its digest. Without digest the cache
// only serves when it may be trusted on what the URL held last time.
func (s *Store) blob(ctx context.Context, d download) ([]byte, error) {
	key := d
	key.repo = d.repo.unnamed()
	return s.blobs.do(ctx, key, func(ctx context.Context) ([]byte, error) {
		data, err := s.cachedBlob(d)
		if data != nil || err != nil {
			return data, err
		}
		got, err := s.get(ctx, d.repo, request{url: d.url, limit: d.limit, headers: map[string]string{"Accept": "application/gzip,application/octet-stream"}})
		if err != nil {
			return nil, err
		}
		have := digestBytes(got.body)
		if d.digest != "" && have != d.digest {
			return nil, fail(ErrChecksum, "%s: %s has checksum %s, but %s is expected: the file was replaced or damaged on its way", d.repo, redact(d.url), have, d.digest)
		}
		if err := s.disk.write(downloads, have, got.body); err != nil {
			return nil, err
		}
		return got.body, s.disk.resolve(keyOf("url", d.url), resolution{Digest: have})
	})
}

func (s *Store) cachedBlob(d download) ([]byte, error) {
	digest := d.digest
	if digest == "" && s.opts.Freshness != Fresh {
		known, err := s.disk.resolved(keyOf("url", d.url))
		if err != nil {
			return nil, err
		}
		digest = known.Digest
	}
	if digest != "" {
		data, err := s.disk.download(digest)
		if data != nil || err != nil {
			return data, err
		}
	}
	if s.opts.Freshness == Offline {
		return nil, fail(ErrOffline, "%s is not in the chart cache, and the network may not be asked", redact(d.url))
	}
	return nil, nil
}

// fromWeb gets an archive by its URL.
func (s *Store) fromWeb(ctx context.Context, src source) (content, error) {
	return s.archive(ctx, src, download{repo: src.repo, url: src.url, digest: src.digest, limit: archiveLimit})
}

// archive downloads, verifies and unpacks a chart.
func (s *Store) archive(ctx context.Context, src source, d download) (content, error) {
	data, err := s.blob(ctx, d)
	if err != nil {
		return content{}, fmt.Errorf("downloading chart %s: %w", src, err)
	}
	if src.verify {
		if err := s.verifyDownload(ctx, src, d, data); err != nil {
			return content{}, err
		}
	}
	c, err := unpackContent(src, data)
	if u, broken := url.Parse(d.url); broken == nil {
		c.file = path.Base(u.Path)
	}
	c.packed = data
	return c, err
}

func (s *Store) verifyDownload(ctx context.Context, src source, d download, data []byte) error {
	u, err := url.Parse(d.url)
	if err != nil {
		return fail(ErrUnreachable, "%s: the URL %s cannot be read", d.repo, redact(d.url))
	}
	file := path.Base(u.Path)
	u.Path, u.RawPath = u.Path+".prov", ""
	signature, err := s.blob(ctx, download{repo: d.repo, url: u.String(), limit: provenanceLimit})
	if err != nil {
		return failFor(ErrProvenance, err, "chart %s must be verified, and its provenance file could not be fetched", src)
	}
	return verify(src, data, signature, file)
}
