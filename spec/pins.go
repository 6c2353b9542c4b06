package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/lock"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
)

// pins is what the lock file beside the state file says of the environment.
type pins struct {
	path string // of the lock file; empty: such state files have none
	all  lock.File
	env  lock.Environment
	on   bool // the environment is pinned
}

// pinned reads the lock file of a state file, or of a folder of them, and makes
// the loader hold remote sources to it.
func (l *loader) pinned(top string) error {
	l.pins.path = filepath.Join(filepath.Dir(top), lock.FileName)
	if top == "-" {
		l.pins.path = filepath.Join(l.opts.Dir, lock.FileName)
	}
	text, err := l.opts.read(l.pins.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.pins.all, err = lock.Decode(text); err != nil {
		return mistake(schema.Pos{File: l.pins.path}, "", err)
	}
	l.pins.env, l.pins.on = l.pins.all.Environments[l.opts.Environment]
	l.pins.on = l.pins.on && !l.opts.IgnorePins
	l.fetch = source.New(l.spec.Sources(source.Options{CacheDir: l.opts.CacheDir, LookupEnv: l.opts.LookupEnv}))
	return nil
}

// Sources makes options of a Fetcher hold sources to the lock file of the state
// files, and tell who wants to know what they hold.
func (s *Spec) Sources(opts source.Options) source.Options {
	if s.loaded == nil {
		return opts
	}
	l := s.loaded.loader
	opts.Got = l.opts.GotSource
	if l.pins.on {
		opts.PinnedBy = l.pins.path
		opts.Pin = func(name string) (source.Pin, bool) {
			p, ok := l.pins.env.Source(name)
			return source.Pin{Commit: p.Commit, Digest: p.Digest}, ok
		}
	}
	return opts
}

// Pinned gives the lock file of the state files: where it is or would be, empty
// where they are remote themselves, and what it says.
func (s *Spec) Pinned() (path string, is lock.File) {
	if s.loaded == nil {
		return "", lock.File{}
	}
	return s.loaded.loader.pins.path, s.loaded.loader.pins.all
}

// PinOf is what a lock file says of a chart that was found to have a version and
// a digest. ok is false for a chart on this machine, which is never pinned.
func PinOf(c Chart, version, digest string) (pin lock.Chart, ok bool) {
	if c.local() || digest == "" {
		return lock.Chart{}, false
	}
	return lock.Chart{Chart: c.Ref, Repository: c.repositoryURL(), Requested: c.Asked, Version: version, Digest: digest}, true
}

// local reports whether a chart is a file or folder of this machine, as a path
// that exists wins over a repository.
func (c Chart) local() bool {
	if strings.Contains(c.Ref, "://") || strings.Contains(c.Ref, "::") {
		return strings.HasPrefix(c.Ref, "file://")
	}
	path := c.Ref
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Dir, path)
	}
	_, err := os.Stat(path)
	return err == nil || filepath.IsAbs(c.Ref) || strings.HasPrefix(c.Ref, ".")
}

// repositoryURL leaves credentials out.
func (c Chart) repositoryURL() string {
	if c.Repository == nil {
		return ""
	}
	u, err := url.Parse(c.Repository.URL)
	if err != nil || u.User == nil {
		return c.Repository.URL
	}
	u.User = nil
	return u.String()
}

// pin makes a chart the one that the lock file says: its version, and the digest
// that its content is held to.
func (l *loader) pin(c *Chart) error {
	c.Asked = c.Version
	if !l.pins.on || c.local() {
		return nil
	}
	found, ok := l.pins.env.Chart(c.Ref, c.repositoryURL(), c.Asked)
	if !ok {
		if _, ok := l.pins.env.Source(source.Name(c.Ref)); ok {
			return nil // a folder that go-getter brings
		}
		asked := ""
		if c.Asked != "" {
			asked = " in version " + c.Asked
		}
		return fmt.Errorf("%s does not pin chart %s%s: bring it up to date with flotilla -e %s lock", l.pins.path, c.Ref, asked, l.opts.Environment)
	}
	if takesVersion(*c) {
		c.Version = found.Version
	}
	c.Digest = found.Digest
	return nil
}

// takesVersion reports whether the version of a chart is its own key, and not in
// its address.
func takesVersion(c Chart) bool {
	_, last, _ := strings.Cut(c.Ref[strings.LastIndex(c.Ref, "/")+1:], ":")
	switch {
	case strings.HasPrefix(c.Ref, "oci://"):
		return last == "" && !strings.Contains(c.Ref, "@")
	default:
		return !strings.Contains(c.Ref, "://") && !strings.Contains(c.Ref, "::")
	}
}

// pinAll pins the chart of a release and those that it adds.
func (l *loader) pinAll(r *Release) error {
	if !r.Installed {
		r.Chart.Asked = r.Chart.Version
		return nil
	}
	errs := []error{l.pin(&r.Chart)}
	for i := range r.Customize.Dependencies {
		d := &r.Customize.Dependencies[i]
		c := Chart{Ref: d.Chart, Version: d.Version, Dir: r.Chart.Dir, Repository: d.Repository}
		errs = append(errs, l.pin(&c))
		d.Version, d.Digest = c.Version, c.Digest
	}
	return errors.Join(errs...)
}
