package chart

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"helm.sh/helm/v4/pkg/repo/v1"

	"github.com/flotilla-sh/flotilla/spec"
)

// endpoint is a repository or registry with the way to speak to it. It is
// comparable: equal endpoints share connections, indexes and tokens.
type endpoint struct {
	name            string // as declared; empty if it was not
	url             string // repository: its URL without user information; registry: host or host/path
	username        string
	password        string
	passCredentials bool
	tls             tlsFiles
	plainHTTP       bool
	registryConfig  string
}

// tlsFiles is all that makes one HTTP client differ from another.
type tlsFiles struct {
	ca, cert, key string
	skipVerify    bool
}

// String names the endpoint for people: no credentials.
func (e endpoint) String() string {
	if e.name == "" {
		return redact(e.url)
	}
	return fmt.Sprintf("repository %q (%s)", e.name, redact(e.url))
}

// unnamed is what counts for sharing: a repository may be declared in one place
// and written as a URL in another.
func (e endpoint) unnamed() endpoint {
	e.name, e.url = "", strings.TrimSuffix(e.url, "/")
	return e
}

// endpointOf moves credentials out of the URL, where they would be lost with
// absolute URLs in an index.
func endpointOf(r spec.Repository) (endpoint, error) {
	e := endpoint{
		name:            r.Name,
		url:             strings.TrimPrefix(r.URL, "oci://"),
		username:        r.Username,
		password:        r.Password,
		passCredentials: r.PassCredentials,
		tls:             tlsFiles{ca: r.CAFile, cert: r.CertFile, key: r.KeyFile, skipVerify: r.SkipTLSVerify},
		plainHTTP:       r.PlainHTTP,
		registryConfig:  r.RegistryConfig,
	}
	if r.OCI || !strings.Contains(e.url, "://") {
		return e, nil
	}
	u, err := url.Parse(e.url)
	if err != nil {
		return endpoint{}, fail(ErrUnreachable, "repository %q: its URL %s cannot be read", r.Name, redact(e.url))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return endpoint{}, fail(ErrUnreachable, "%s: scheme %q is not supported, use https, http or oci", e, u.Scheme)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		if e.username == "" && e.password == "" {
			e.username, e.password = u.User.Username(), password
		}
		u.User = nil
		e.url = u.String()
	}
	return e, nil
}

// knownRepositories are those of the run, then those of Helm's own file.
func (s *Store) knownRepositories() ([]spec.Repository, error) {
	known := s.opts.Repositories
	file, err := repo.LoadFile(s.opts.RepositoryConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Helm's repositories from %s: %w", s.opts.RepositoryConfig, err)
	}
	for _, r := range file.Repositories {
		if r == nil {
			continue
		}
		known = append(known, spec.Repository{
			Name:            r.Name,
			URL:             r.URL,
			OCI:             strings.HasPrefix(r.URL, "oci://"),
			Username:        r.Username,
			Password:        r.Password,
			PassCredentials: r.PassCredentialsAll,
			CAFile:          r.CAFile,
			CertFile:        r.CertFile,
			KeyFile:         r.KeyFile,
			SkipTLSVerify:   r.InsecureSkipTLSVerify,
		})
	}
	return known, nil
}

// repositoryNamed gives nil if the name is declared nowhere.
func (s *Store) repositoryNamed(name string) (*spec.Repository, error) {
	known, err := s.repositories()
	if err != nil {
		return nil, err
	}
	for i := range known {
		if known[i].Name == name {
			return &known[i], nil
		}
	}
	return nil, nil
}

// repositoryOf finds the declared repository that a URL belongs to, the longest
// one; the zero value if there is none.
func (s *Store) repositoryOf(raw string) (spec.Repository, error) {
	known, err := s.repositories()
	if err != nil {
		return spec.Repository{}, err
	}
	return longest(known, raw, func(r spec.Repository) bool { return !r.OCI }), nil
}

// registryOf finds the declared registry whose path a reference is below; else
// one on the same host, because registry logins are by host. A broken file of
// Helm is not worth a failure here: it hardly ever declares registries.
func (s *Store) registryOf(name string) spec.Repository {
	known, err := s.repositories()
	if err != nil {
		known = s.opts.Repositories
	}
	oci := func(r spec.Repository) bool { return r.OCI }
	found := longest(known, name, oci)
	if found.URL != "" {
		return found
	}
	host, _, _ := strings.Cut(name, "/")
	for _, r := range known {
		declared, _, _ := strings.Cut(strings.TrimPrefix(r.URL, "oci://"), "/")
		if r.OCI && declared == host {
			r.Name, r.URL = "", host
			return r
		}
	}
	return spec.Repository{}
}

func longest(known []spec.Repository, raw string, admit func(spec.Repository) bool) spec.Repository {
	var best spec.Repository
	length := 0
	for _, r := range known {
		if !admit(r) {
			continue
		}
		base := strings.TrimSuffix(strings.TrimPrefix(r.URL, "oci://"), "/")
		if len(base) > length && (raw == base || strings.HasPrefix(raw, base+"/")) {
			best, length = r, len(base)
		}
	}
	return best
}
