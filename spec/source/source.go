// Package source brings remote files and folders onto this machine: git
// repositories and archives through go-getter, plain files over http. What was
// fetched stays in a cache that is keyed by the URL.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"
)

// ErrNoRef says that a git repository has no such branch, tag or commit.
var ErrNoRef = errors.New("the repository has no such ref")

// ErrDisabled says that remote sources are switched off for this run.
var ErrDisabled = errors.New("remote sources are disabled by HELMFILE_DISABLE_INSECURE_FEATURES")

// Options are what a Fetcher may do. The zero value is safe.
type Options struct {
	// CacheDir holds what was fetched; empty: HELMFILE_CACHE_HOME, or
	// flotilla below the user's cache folder.
	CacheDir string
	// LookupEnv reads environment variables; nil: os.LookupEnv.
	LookupEnv func(string) (string, bool)
	// Pin says what a source, by its Name, must hold: ErrMoved where it does not,
	// ErrUnpinned where ok is false. Nil: nothing is pinned.
	Pin func(name string) (want Pin, ok bool)
	// PinnedBy is the file that says so, for errors.
	PinnedBy string
	// Got is told what each source that was asked for holds. It may be called from
	// several goroutines. Nil: nobody asks.
	Got func(name string, is Pin)
}

// Fetcher fetches. It is safe for concurrent use; equal URLs are fetched once.
type Fetcher struct {
	opts  Options
	group singleflight.Group
	held  sync.Map // Pin of a folder
}

// New makes a Fetcher.
func New(opts Options) *Fetcher {
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	return &Fetcher{opts: opts}
}

// address is a parsed remote source.
type address struct {
	getter string   // go-getter's forced getter; empty: a plain http file
	url    *url.URL // what to fetch, without the file part
	file   string   // path inside of what was fetched
	cache  bool
}

// IsRemote says whether a string in a state file names a remote source:
// http(s)://, s3:// or a go-getter URL with a forced getter (git::https://...).
func IsRemote(s string) bool {
	_, err := parse(s)
	return err == nil
}

// parse reads helmfile's form: GETTER::SCHEME://HOST/ROOT@FILE?QUERY, or a
// plain URL of one file.
func parse(s string) (*address, error) {
	if filepath.IsAbs(s) || len(s) > 8192 {
		return nil, errors.New("not a remote source")
	}
	getter, rest, forced := strings.Cut(s, "::")
	if !forced {
		getter, rest = "", s
	}
	u, err := url.Parse(rest)
	if err != nil || u.Scheme == "" || strings.Contains(getter, "/") {
		return nil, errors.New("not a remote source")
	}
	if !forced {
		switch u.Scheme {
		case "http", "https", "s3":
		default:
			return nil, errors.New("not a remote source")
		}
	}
	a := &address{getter: getter, url: u, cache: true}
	query := u.Query()
	a.cache = query.Get("cache") != "false"
	query.Del("cache")
	u.RawQuery = query.Encode()
	if !forced {
		a.file = path.Base(u.Path)
		return a, nil
	}
	if root, file, ok := strings.Cut(u.Path, "@"); ok {
		u.Path, u.RawPath, a.file = root, "", file
	} else {
		u.Path, u.RawPath, a.file = path.Dir(u.Path), "", path.Base(u.Path)
	}
	return a, nil
}

// Path fetches what a URL names and tells its local path, which may hold a
// glob pattern and may not exist inside a repository that does.
func (f *Fetcher) Path(ctx context.Context, source string) (string, error) {
	a, err := parse(source)
	if err != nil {
		return "", fmt.Errorf("%s: %w", redact(source), err)
	}
	if v, _ := f.opts.LookupEnv("HELMFILE_DISABLE_INSECURE_FEATURES"); v != "" {
		if off, _ := strconv.ParseBool(v); off {
			return "", fmt.Errorf("fetching %s: %w", redact(source), ErrDisabled)
		}
	}
	file := filepath.FromSlash(strings.TrimPrefix(a.file, "/"))
	if file == "" || !filepath.IsLocal(file) {
		return "", fmt.Errorf("%s: the file part must be a path inside the source", redact(source))
	}
	cache, err := f.cacheDir()
	if err != nil {
		return "", err
	}
	asked := a
	a, want, err := f.pinned(asked)
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w", redact(source), err)
	}
	dir := filepath.Join(cache, "sources", a.key())
	_, err, _ = f.group.Do(a.key(), func() (any, error) { return nil, f.fill(ctx, a, dir) })
	if err == nil {
		err = f.hold(ctx, asked, dir, want)
	}
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w", redact(source), scrub(err, a.url))
	}
	return filepath.Join(dir, file), nil
}

// key names the cache folder of what is fetched: two files of one repository
// share it.
func (a *address) key() string {
	sum := sha256.Sum256([]byte(a.getter + "::" + a.url.String()))
	return hex.EncodeToString(sum[:16])
}

// fill makes sure that dir holds the source. It appears whole or not at all.
func (f *Fetcher) fill(ctx context.Context, a *address, dir string) error {
	if _, err := os.Stat(dir); err == nil && a.cache {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	got := filepath.Join(tmp, "got")
	if err := download(ctx, a, got); err != nil {
		return err
	}
	if !a.cache {
		f.held.Delete(dir)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	err = os.Rename(got, dir)
	if _, there := os.Stat(dir); err != nil && there == nil {
		return nil // another process was first
	}
	return err
}

func (f *Fetcher) cacheDir() (string, error) {
	if f.opts.CacheDir != "" {
		return f.opts.CacheDir, nil
	}
	if dir, _ := f.opts.LookupEnv("HELMFILE_CACHE_HOME"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	return filepath.Join(dir, "flotilla"), nil
}

// redact removes user names, passwords and the query from a URL.
func redact(source string) string {
	getter, rest, forced := strings.Cut(source, "::")
	if !forced {
		rest = source
	}
	u, err := url.Parse(rest)
	if err != nil {
		return "a URL that cannot be parsed"
	}
	u.User, u.RawQuery = nil, ""
	if forced {
		return getter + "::" + u.String()
	}
	return u.String()
}

// scrub removes the secrets of a URL from the text of an error that programs
// and libraries made from it.
func scrub(err error, u *url.URL) error {
	text := err.Error()
	for _, secret := range secretsOf(u) {
		text = strings.ReplaceAll(text, secret, "xxxxx")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text) // the chain would bring the secret back
}

func secretsOf(u *url.URL) []string {
	var out []string
	if u.User != nil {
		out = append(out, u.User.String()+"@")
		if p, ok := u.User.Password(); ok && p != "" {
			out = append(out, p)
		}
	}
	for name, all := range u.Query() {
		if name == "ref" || name == "depth" || name == "archive" || name == "checksum" {
			continue
		}
		for _, v := range all {
			if v != "" {
				out = append(out, url.QueryEscape(v), v)
			}
		}
	}
	return out
}
