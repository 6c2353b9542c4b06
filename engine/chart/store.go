package chart

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/cli"

	"github.com/flotilla-sh/flotilla/spec"
)

// Fetcher brings what a go-getter URL names onto this machine.
type Fetcher interface {
	// Fetch returns the path of the folder or archive. Nobody writes into it
	// while the Store is in use.
	Fetch(ctx context.Context, url string) (path string, err error)
}

// Freshness says when a Store asks the network although its cache may know.
type Freshness string

// The freshnesses. Bytes whose digest is known are never downloaded twice.
const (
	Fresh   Freshness = ""        // indexes, tags and URLs are asked for once per Store
	Cached  Freshness = "cached"  // what was resolved in an earlier run still holds
	Offline Freshness = "offline" // as Cached; what is not there is ErrOffline
)

// Options say where a Store looks. The zero value has no cache on disk, no
// go-getter and Helm's own files.
type Options struct {
	CacheDir         string // empty: nothing is kept on disk
	Fetch            Fetcher
	Repositories     []spec.Repository // declared anywhere in the run: dependencies may name them, too
	RegistryConfig   string            // registry credentials; empty: Helm's
	RepositoryConfig string            // Helm's repositories.yaml; empty: Helm's
	WrapTransport    func(http.RoundTripper) http.RoundTripper
	Freshness        Freshness
	SkipDeps         bool // take the charts/ of every chart as it is
	PlainHTTP        bool // speak http to every OCI registry, as Helm's --plain-http
}

// Store finds charts and keeps them by digest. It is safe for concurrent use;
// equal references are located and built once.
type Store struct {
	opts         Options
	disk         disk
	repositories func() ([]spec.Repository, error)

	charts     memo[source, *Chart]
	folders    memo[string, []*archive.BufferedFile]
	updates    memo[string, *Update]
	blobs      memo[download, []byte]
	indexes    memo[endpoint, index]
	tags       memo[source, []string]
	clients    memo[tlsFiles, *http.Client]
	registries memo[endpoint, registryClient]

	mu       sync.Mutex
	byDigest map[string]*Chart
}

// NewStore makes a Store; it reads nothing yet.
func NewStore(opts Options) *Store {
	if opts.RegistryConfig == "" || opts.RepositoryConfig == "" {
		env := cli.New()
		if opts.RegistryConfig == "" {
			opts.RegistryConfig = env.RegistryConfig
		}
		if opts.RepositoryConfig == "" {
			opts.RepositoryConfig = env.RepositoryConfig
		}
	}
	opts.Repositories = slices.Clone(opts.Repositories)
	s := &Store{opts: opts, disk: disk{root: opts.CacheDir}, byDigest: map[string]*Chart{}}
	s.repositories = sync.OnceValues(s.knownRepositories)
	s.blobs.keepErrors = true
	s.indexes.keepErrors = true
	s.tags.keepErrors = true
	return s
}

// Get finds the chart that ref names, downloads and verifies it where needed,
// and builds in the dependencies that its charts/ folder lacks. A folder of
// manifests gives a Chart of which only Name and Folder are known. Errors are
// of the kinds of this package.
func (s *Store) Get(ctx context.Context, ref spec.Chart) (*Chart, error) {
	src, err := s.locate(ref)
	if err != nil {
		return nil, err
	}
	c, err := s.charts.do(ctx, src, func(ctx context.Context) (*Chart, error) {
		c, err := s.read(ctx, src)
		if err != nil {
			return nil, err
		}
		if c.bare {
			return &Chart{Name: filepath.Base(c.dir), Origin: src.String(), Folder: c.dir, Fetched: c.web}, nil
		}
		files, err := s.build(ctx, c, nil)
		if errors.Is(err, ErrMissingDependency) && src.skipDeps {
			files, err = s.builtBefore(c, err)
		}
		if err != nil {
			return nil, err
		}
		built, err := s.add(files, src.String())
		if err == nil && len(files) > len(c.files) {
			err = s.remember(c, built)
		}
		return built, err
	})
	if err == nil && ref.Digest != "" {
		err = held(src, c.Digest, ref.Digest)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// held compares a chart's digest with the one that it is held to.
func held(src source, is, want string) error {
	if is == want {
		return nil
	}
	return fail(ErrChecksum, "chart %s is not what the lock file pins: its content has the digest %s, and %s is pinned; when that is meant, bring the lock file up to date with flotilla lock", src, is, want)
}

// Open gives a chart that this Store, or an earlier one on the same CacheDir,
// got under that digest. ErrNotFound if there is none.
func (s *Store) Open(digest string) (*Chart, error) {
	s.mu.Lock()
	c := s.byDigest[digest]
	s.mu.Unlock()
	if c != nil {
		return c, nil
	}
	data, err := s.disk.read(builtCharts, digest)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, fail(ErrNotFound, "chart %s is not in the chart cache: it was read on another machine, or the cache was emptied", digest)
	}
	c, err = unpack(data, digest)
	if err != nil || c.Digest != digest {
		s.disk.remove(builtCharts, digest)
		return nil, failFor(ErrNotFound, err, "chart %s was damaged in the chart cache and has been removed from it", digest)
	}
	return s.keep(c), nil
}

// Import adds a chart from the bytes of Chart.Archive, as found in a saved plan.
func (s *Store) Import(packed []byte) (*Chart, error) {
	c, err := unpack(packed, "a packed chart")
	if err != nil {
		return nil, err
	}
	return s.save(c)
}

func unpack(data []byte, origin string) (*Chart, error) {
	files, err := unpackFiles(data)
	if err != nil {
		return nil, failFor(ErrInvalid, err, "unpacking chart from %s", origin)
	}
	return newChart(files, origin)
}

func (s *Store) add(files []*archive.BufferedFile, origin string) (*Chart, error) {
	c, err := newChart(files, origin)
	if err != nil {
		return nil, err
	}
	return s.save(c)
}

// save puts the chart on disk unless it is there. Packing costs more than
// looking, so it comes last.
func (s *Store) save(c *Chart) (*Chart, error) {
	if s.disk.root == "" || s.disk.has(builtCharts, c.Digest) {
		return s.keep(c), nil
	}
	packed, err := c.Archive()
	if err != nil {
		return nil, err
	}
	if err := s.disk.write(builtCharts, c.Digest, packed); err != nil {
		return nil, err
	}
	return s.keep(c), nil
}

func (s *Store) keep(c *Chart) *Chart {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.byDigest[c.Digest]; known == nil {
		s.byDigest[c.Digest] = c
	}
	return c
}
