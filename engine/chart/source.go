package chart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"

	"github.com/flotilla-sh/flotilla/spec"
)

// sourceKind is a way of getting a chart.
type sourceKind string

const (
	fromDisk       sourceKind = "disk"
	fromRepository sourceKind = "repository"
	fromURL        sourceKind = "url"
	fromRegistry   sourceKind = "registry"
	fromGetter     sourceKind = "getter"
)

// source is a reference that has been understood. It is comparable: equal
// sources are the same chart.
type source struct {
	kind    sourceKind
	path    string   // disk: absolute path
	url     string   // url, getter
	repo    endpoint // repository, url, registry; else only what dependencies inherit
	name    string   // repository: the chart; registry: host/path
	version string   // repository, registry: version, range, tag or empty
	digest  string   // sha256:... of the archive (repository) or manifest (registry) that is expected
	devel   bool

	verify   bool
	keyring  string
	skipDeps bool
}

// String says where the chart is, for people: no credentials.
func (s source) String() string {
	switch s.kind {
	case fromDisk:
		return s.path
	case fromRepository:
		return strings.TrimSpace(s.name+" "+s.version) + " of " + s.repo.String()
	case fromURL, fromGetter:
		return redact(s.url)
	case fromRegistry:
		text := "oci://" + s.name
		if s.version != "" {
			text += ":" + s.version
		}
		if s.digest != "" {
			text += "@" + s.digest
		}
		return text
	default:
		return fmt.Sprintf("chart of unknown kind %q", s.kind)
	}
}

// content is a chart as found: dependencies are not built in yet.
type content struct {
	src   source
	files []*archive.BufferedFile
	dir   string // its folder, where file:// dependencies start; empty: it was packaged
	// packed is the archive as downloaded, and file the name that Helm gives it;
	// empty for what was on this machine.
	packed []byte
	file   string
	bare   bool // dir holds manifests and no chart; files is empty
	web    bool // dir was fetched
}

// locate understands a reference. The order is Helm's: a path that exists wins
// over a repository of that name.
func (s *Store) locate(ref spec.Chart) (source, error) {
	src := source{
		repo:     endpoint{plainHTTP: ref.PlainHTTP, tls: tlsFiles{skipVerify: ref.InsecureSkipTLSVerify}},
		devel:    ref.Devel,
		verify:   ref.Verify,
		keyring:  ref.Keyring,
		skipDeps: ref.SkipDeps || s.opts.SkipDeps,
	}
	if src.keyring != "" && !filepath.IsAbs(src.keyring) {
		src.keyring = filepath.Join(ref.Dir, src.keyring)
	}
	scheme, _, hasScheme := strings.Cut(ref.Ref, "://")
	switch {
	case ref.Ref == "":
		return source{}, fail(ErrNotFound, "no chart is named")
	case scheme == "oci" && hasScheme:
		return s.locateRegistry(src, ref, strings.TrimPrefix(ref.Ref, "oci://"))
	case scheme == "file" && hasScheme:
		return located(src, strings.TrimPrefix(ref.Ref, "file://"), ref.Dir)
	case (scheme == "http" || scheme == "https") && !getterPath(ref.Ref):
		return s.locateURL(src, ref)
	case hasScheme || strings.Contains(ref.Ref, "::"):
		src.kind, src.url = fromGetter, ref.Ref
		return src, nil
	}
	prefix, name, hasPrefix := strings.Cut(ref.Ref, "/")
	if ref.Repository != nil && ref.Repository.OCI {
		if !hasPrefix || prefix != ref.Repository.Name {
			name = ref.Ref
		}
		return s.locateRegistry(src, ref, strings.TrimSuffix(ref.Repository.URL, "/")+"/"+name)
	}
	if !hasPrefix || prefix == "." || prefix == ".." || prefix == "" || isChart(ref) {
		return located(src, ref.Ref, ref.Dir)
	}
	return s.locateRepository(src, ref, prefix, name)
}

// located is a source on disk.
func located(src source, path, dir string) (source, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return source{}, fmt.Errorf("locating chart: %w", err)
	}
	src.kind, src.path, src.devel = fromDisk, path, false
	if !src.verify {
		src.keyring = ""
	}
	return src, nil
}

// isChart reports whether a reference that may name a repository is a path. A
// folder that is no chart counts only where no repository was declared.
func isChart(ref spec.Chart) bool {
	path := ref.Ref
	if !filepath.IsAbs(path) {
		path = filepath.Join(ref.Dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if !info.IsDir() || ref.Repository == nil {
		return true
	}
	_, err = os.Stat(filepath.Join(path, "Chart.yaml"))
	return err == nil
}

// getterPath reports whether an http URL is in the form that go-getter and not
// a web server understands: a path inside an archive or repository.
func getterPath(raw string) bool {
	_, rest, _ := strings.Cut(raw, "://")
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	return strings.Contains(path, "@") || strings.Contains(path, "//")
}

func (s *Store) locateURL(src source, ref spec.Chart) (source, error) {
	repo, err := s.repositoryOf(ref.Ref)
	if err != nil {
		return source{}, err
	}
	if repo.URL == "" {
		repo.URL = ref.Ref
	}
	src.kind, src.url, src.devel = fromURL, ref.Ref, false
	_, src.digest = splitDigest(ref.Version)
	return src.at(repo, ref)
}

func (s *Store) locateRepository(src source, ref spec.Chart, prefix, name string) (source, error) {
	repo := ref.Repository
	if repo == nil {
		found, err := s.repositoryNamed(prefix)
		if err != nil {
			return source{}, err
		}
		if found == nil {
			return source{}, fail(ErrUnknownRepository,
				"chart %q: repository %q is not declared in repositories: nor in Helm's %s, and there is no chart at %s",
				ref.Ref, prefix, s.opts.RepositoryConfig, filepath.Join(ref.Dir, ref.Ref))
		}
		repo = found
	} else if prefix != repo.Name {
		name = ref.Ref
	}
	if repo.OCI {
		ref.Repository = repo
		return s.locateRegistry(src, ref, strings.TrimSuffix(repo.URL, "/")+"/"+name)
	}
	src.kind, src.name = fromRepository, name
	src.version, src.digest = splitDigest(ref.Version)
	return src.at(*repo, ref)
}

// locateRegistry understands host/path[:tag][@digest].
func (s *Store) locateRegistry(src source, ref spec.Chart, name string) (source, error) {
	name = strings.TrimPrefix(name, "oci://")
	name, src.digest = splitDigest(name)
	tag := ""
	if base := path.Base(name); strings.Contains(base, ":") && strings.Contains(name, "/") {
		_, tag, _ = strings.Cut(base, ":")
		name = strings.TrimSuffix(name, ":"+tag)
	}
	version, digest := splitDigest(ref.Version)
	switch {
	case tag != "" && version != "" && tag != version:
		return source{}, fail(ErrNotFound, "chart oci://%s is asked for with tag %q and with version %q: keep one of them", name, tag, version)
	case src.digest != "" && digest != "" && src.digest != digest:
		return source{}, fail(ErrNotFound, "chart oci://%s is asked for with digest %s and with digest %s: keep one of them", name, src.digest, digest)
	}
	if src.digest == "" {
		src.digest = digest
	}
	if src.version = version; version == "" {
		src.version = tag
	}
	if version == "latest" {
		return source{}, fail(ErrNotFound, "chart oci://%s: the version for OCI charts should be semver compliant, the latest tag is not supported: leave version out for the newest release", name)
	}
	src.kind, src.name = fromRegistry, strings.TrimSuffix(name, "/")
	repo := s.registryOf(src.name)
	if ref.Repository != nil && ref.Repository.OCI {
		repo = *ref.Repository
	}
	if repo.URL == "" {
		repo.URL, _, _ = strings.Cut(src.name, "/")
	}
	repo.PlainHTTP = repo.PlainHTTP || s.opts.PlainHTTP
	return src.at(repo, ref)
}

// at settles where src is asked for, and how.
func (s source) at(repo spec.Repository, ref spec.Chart) (source, error) {
	repo.PlainHTTP = repo.PlainHTTP || ref.PlainHTTP
	repo.SkipTLSVerify = repo.SkipTLSVerify || ref.InsecureSkipTLSVerify
	s.verify = s.verify || repo.Verify
	if s.keyring == "" && repo.Keyring != "" {
		s.keyring = repo.Keyring
		if !filepath.IsAbs(s.keyring) {
			s.keyring = filepath.Join(ref.Dir, s.keyring)
		}
	}
	if !s.verify {
		s.keyring = ""
	}
	if s.digest != "" && sha256Of(s.digest) != s.digest {
		return source{}, fail(ErrNotFound, "chart %q: %q is not a digest: it must be sha256: and 64 hexadecimal digits", ref.Ref, s.digest)
	}
	var err error
	s.repo, err = endpointOf(repo)
	return s, err
}

// splitDigest separates version@sha256:... into its parts.
func splitDigest(version string) (plain, digest string) {
	plain, digest, _ = strings.Cut(version, "@")
	return plain, digest
}

// read gets the chart that src names.
func (s *Store) read(ctx context.Context, src source) (content, error) {
	switch src.kind {
	case fromDisk:
		return s.local(ctx, src)
	case fromRepository:
		return s.fromIndex(ctx, src)
	case fromURL:
		return s.fromWeb(ctx, src)
	case fromRegistry:
		return s.pull(ctx, src)
	case fromGetter:
		return s.fetch(ctx, src)
	default:
		return content{}, fmt.Errorf("reading chart: unknown kind of source %q", src.kind)
	}
}

// fetch leaves a go-getter URL to the Fetcher and goes on as for a local chart.
func (s *Store) fetch(ctx context.Context, src source) (content, error) {
	if s.opts.Fetch == nil {
		return content{}, fail(ErrNotFound, "chart %s: URLs of this kind are not fetched here", src)
	}
	found, err := s.opts.Fetch.Fetch(ctx, src.url)
	if err != nil {
		return content{}, fmt.Errorf("fetching chart %s: %w", src, redacted{err})
	}
	at, err := located(src, found, "")
	if err != nil {
		return content{}, err
	}
	c, err := s.local(ctx, at)
	c.web = true
	if errors.Is(err, ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return content{}, failFor(ErrNotFound, err, "chart %s", src)
	}
	return c, err
}
