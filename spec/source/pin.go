package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// ErrMoved says that a source is not any more what was pinned of it.
var ErrMoved = errors.New("it is not what was pinned")

// ErrUnpinned says that sources are pinned, and this one is not among them.
var ErrUnpinned = errors.New("it is not pinned")

// Pin is what a source holds. The zero value is unknown.
type Pin struct {
	Commit string // of git; empty: it is no git repository
	Digest string // sha256:... of the names and contents of its files
}

// pinned gives the address to fetch: of a repository that was pinned, the commit
// and not what its branch or tag has become.
func (f *Fetcher) pinned(a *address) (*address, Pin, error) {
	if f.opts.Pin == nil {
		return a, Pin{}, nil
	}
	want, ok := f.opts.Pin(a.name())
	if !ok {
		return nil, Pin{}, fmt.Errorf("%w by %s: bring that up to date with flotilla lock", ErrUnpinned, f.opts.PinnedBy)
	}
	if want.Commit == "" || a.getter != "git" {
		return a, want, nil
	}
	at := *a.url
	query := at.Query()
	query.Set("ref", want.Commit)
	query.Del("depth") // a branch's newest commit alone may not be the one
	at.RawQuery = query.Encode()
	return &address{getter: a.getter, url: &at, file: a.file, cache: true}, want, nil
}

// hold compares what was fetched with what is pinned, and tells what it is, once
// for each folder.
func (f *Fetcher) hold(ctx context.Context, a *address, dir string, want Pin) error {
	if f.opts.Pin == nil && f.opts.Got == nil {
		return nil
	}
	v, err, _ := f.group.Do("digest of "+dir, func() (any, error) {
		if known, ok := f.held.Load(dir); ok {
			return known, nil
		}
		is, err := contentOf(ctx, dir)
		if err == nil {
			f.held.Store(dir, is)
		}
		return is, err
	})
	if err != nil {
		return fmt.Errorf("taking its digest: %w", err)
	}
	is := v.(Pin)
	if f.opts.Got != nil {
		f.opts.Got(a.name(), is)
	}
	if f.opts.Pin != nil && want.Digest != is.Digest {
		return fmt.Errorf("%w: its digest is %s, and %s pins %s", ErrMoved, is.Digest, f.opts.PinnedBy, want.Digest)
	}
	return nil
}

// Name is a source as pins name it: without credentials, and without the path of
// a file inside of it. Empty: the text is no remote source.
func Name(text string) string {
	a, err := parse(text)
	if err != nil {
		return ""
	}
	return a.name()
}

// name keeps of the parameters those that say which content is meant: others may
// be credentials.
func (a *address) name() string {
	u := *a.url
	u.User = nil
	keep := url.Values{}
	for _, key := range []string{"ref", "archive", "checksum"} {
		if values, ok := u.Query()[key]; ok {
			keep[key] = values
		}
	}
	u.RawQuery = keep.Encode()
	if a.getter == "" {
		return u.String()
	}
	return a.getter + "::" + u.String()
}

// contentOf takes the digest of a folder over the path, the executable bit and
// the content of every file. What git keeps for itself does not count.
func contentOf(ctx context.Context, dir string) (Pin, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		content, err := digestOf(path, entry)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %s\n", filepath.ToSlash(name), content)
		return nil
	})
	return Pin{Commit: commitOf(dir), Digest: "sha256:" + hex.EncodeToString(sum.Sum(nil))}, err
}

func digestOf(path string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(path)
		return fmt.Sprintf("-> %q", to), err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%t %x", info.Mode()&0o100 != 0, sum.Sum(nil)), nil
}

// commitOf reads which commit a clone has checked out; empty: the folder is none.
func commitOf(dir string) string {
	head, err := os.ReadFile(filepath.Join(dir, ".git", "HEAD"))
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(string(head))
	ref, branch := strings.CutPrefix(text, "ref: ")
	if !branch {
		return text
	}
	if commit, err := os.ReadFile(filepath.Join(dir, ".git", filepath.FromSlash(ref))); err == nil {
		return strings.TrimSpace(string(commit))
	}
	packed, err := os.ReadFile(filepath.Join(dir, ".git", "packed-refs"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(packed)) {
		if commit, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref {
			return commit
		}
	}
	return ""
}
