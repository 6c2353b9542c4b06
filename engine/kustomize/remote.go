package kustomize

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// local gives an entry of resources as one that kustomize does not take for a
// remote one: as it is, with ./ in front, or the fetched copy of it.
func (f *folder) local(dir, entry string) (string, error) {
	if strings.ContainsRune(entry, '\n') {
		return "", fmt.Errorf("%q is no path: %w", redact(entry), ErrRefused)
	}
	if filepath.IsAbs(entry) || !isDoubtful(entry) {
		return entry, f.inside(dir, entry)
	}
	if _, err := os.Lstat(filepath.Join(dir, entry)); err == nil {
		return "./" + entry, f.inside(dir, entry)
	}
	address, ok := getterURL(entry)
	if !ok {
		return "./" + entry, nil
	}
	if f.fetch == nil {
		return "", fmt.Errorf("%s: remote resources: %w", redact(entry), ErrRefused)
	}
	path, err := f.fetch(f.ctx, address)
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w", redact(entry), err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("fetching %s: it has no such path: %w", redact(entry), errors.Unwrap(err))
	}
	root := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		root = filepath.Dir(path)
	}
	f.fetched = append(f.fetched, repositoryOf(root))
	relative, err := filepath.Rel(dir, path)
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w", redact(entry), err)
	}
	return filepath.ToSlash(relative), nil
}

// inside refuses a path that leads out of what was fetched; local folders may
// name any path.
func (f *folder) inside(dir, path string) error {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for _, root := range f.fetched {
		if !below(dir, root) {
			continue
		}
		if !slices.ContainsFunc(f.fetched, func(root string) bool { return below(path, root) }) {
			return fmt.Errorf("%s: paths out of what was fetched: %w", path, ErrRefused)
		}
		return nil
	}
	return nil
}

func below(path, root string) bool {
	relative, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(relative)
}

func isURL(s string) bool { return strings.Contains(s, "://") }

// scp is the form user@host:path that git knows.
var scp = regexp.MustCompile(`^([A-Za-z][\w.-]*@[\w.-]+):([^/].*)$`)

// getterURL writes the URL of a remote resource, in any form that kustomize
// has for it, as go-getter and our fetcher do. ok is false for what is no URL.
func getterURL(entry string) (address string, ok bool) {
	raw, forced := strings.CutPrefix(entry, "git::")
	if m := scp.FindStringSubmatch(raw); m != nil {
		raw, forced = "ssh://"+m[1]+"/"+m[2], true
	}
	if !isURL(raw) && strings.HasPrefix(strings.ToLower(raw), "github.com/") {
		raw, forced = "https://"+raw, true
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme == "" || u.Scheme == "file" {
		return "", false
	}
	query := u.Query()
	git := forced || u.Scheme == "ssh" || u.Scheme == "git" || query.Has("ref") || query.Has("version") ||
		strings.Contains(u.Path, ".git") || strings.Contains(u.Path, "//") || strings.Contains(u.Path, "_git/") ||
		strings.EqualFold(u.Host, "github.com")
	if !git {
		return raw, true
	}
	repository, inside := splitRepository(u.Path)
	out := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: repository + "@" + inside}
	ref := query.Get("ref")
	if ref == "" {
		ref = query.Get("version")
	}
	if ref != "" {
		out.RawQuery = url.Values{"ref": {ref}}.Encode()
	}
	return "git::" + out.String(), true
}

// splitRepository tells the repository from the path inside of it, by the
// marks that kustomize knows: _git/NAME, //, .git, else the first two parts.
func splitRepository(path string) (repository, inside string) {
	if at := strings.Index(path, "_git/"); at >= 0 {
		name, rest, _ := strings.Cut(path[at+len("_git/"):], "/")
		return path[:at+len("_git/")] + name, orDot(rest)
	}
	if repository, inside, ok := strings.Cut(path, "//"); ok {
		return repository, orDot(inside)
	}
	if at := strings.Index(path, ".git"); at >= 0 {
		end := at + len(".git")
		return path[:end], orDot(strings.TrimPrefix(path[end:], "/"))
	}
	parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	if len(parts) < 3 {
		return path, "."
	}
	return "/" + parts[0] + "/" + parts[1], orDot(parts[2])
}

func orDot(path string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return "."
	}
	return path
}

// redact leaves out what may be a credential.
func redact(raw string) string {
	u, err := url.Parse(strings.TrimPrefix(raw, "git::"))
	if err != nil {
		return "a URL"
	}
	u.RawQuery = ""
	return u.Redacted()
}
