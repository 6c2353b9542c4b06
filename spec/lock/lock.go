// Package lock is the file that pins what state files get from the network: the
// version and content of every chart, and the content of every remote file and
// repository, for each environment. It belongs into the repository, beside the
// state file. helmfile's own lock files, which hold versions of charts only, are
// another matter: package spec reads and writes those.
package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// FileName is the name of the file.
const FileName = "flotilla.lock.yaml"

// version is that of the file's format.
const version = 1

const heading = "# What flotilla lock found; commit it, and bring it up to date with: flotilla -e ENVIRONMENT lock\n"

// File is what is pinned. The zero value pins nothing.
type File struct {
	Environments map[string]Environment
}

// Environment is what is pinned for one environment, in the order that Encode
// brings it into.
type Environment struct {
	Charts  []Chart
	Sources []Source
}

// Chart is a chart from the network.
type Chart struct {
	Chart      string `yaml:"chart"`                // as the state file names it
	Repository string `yaml:"repository,omitempty"` // URL of its declared repository
	Requested  string `yaml:"requested,omitempty"`  // version or range; empty: the newest
	Version    string `yaml:"version,omitempty"`    // that was found; empty: the source has none, as a URL
	Digest     string `yaml:"digest"`               // sha256:... of its files, with those of its dependencies
}

// Source is a remote file, or a repository or archive with all of its files.
type Source struct {
	URL    string `yaml:"url"`              // without credentials
	Commit string `yaml:"commit,omitempty"` // of git
	Digest string `yaml:"digest"`           // sha256:... of its files
}

type text struct {
	Version      int                    `yaml:"version"`
	Environments map[string]environment `yaml:"environments"`
}

type environment struct {
	Charts  []Chart  `yaml:"charts,omitempty"`
	Sources []Source `yaml:"sources,omitempty"`
}

// Decode reads a file. Its error names the line of a mistake.
func Decode(data []byte) (File, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var t text
	if err := dec.Decode(&t); err != nil {
		return File{}, fmt.Errorf("this is no lock file: %w", plain(err))
	}
	if t.Version != version {
		return File{}, fmt.Errorf("it has version %d of the format, and this flotilla reads version %d: write it anew with flotilla lock", t.Version, version)
	}
	f := File{Environments: make(map[string]Environment, len(t.Environments))}
	for name, e := range t.Environments {
		if err := check(e); err != nil {
			return File{}, fmt.Errorf("environment %s: %w", name, err)
		}
		f.Environments[name] = Environment(e)
	}
	return f, nil
}

// plain is an error without words of Go and on one line.
func plain(err error) error {
	var kinds *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.As(err, &kinds):
		text := strings.Join(kinds.Errors, "; ")
		return errors.New(regexp.MustCompile(` in type \S+`).ReplaceAllString(text, ""))
	default:
		return err
	}
}

func check(e environment) error {
	var errs []error
	hold := func(what, digest string) {
		if !digests().MatchString(digest) {
			errs = append(errs, fmt.Errorf("the digest of %s is %q: expected sha256: and 64 hexadecimal digits", what, digest))
		}
	}
	for _, c := range e.Charts {
		hold(c.Chart, c.Digest)
	}
	for _, s := range e.Sources {
		hold(s.URL, s.Digest)
	}
	return errors.Join(errs...)
}

func digests() *regexp.Regexp { return regexp.MustCompile(`^sha256:[0-9a-f]{64}$`) }

// Encode writes the file. Equal files give equal bytes.
func (f File) Encode() ([]byte, error) {
	t := text{Version: version, Environments: map[string]environment{}}
	for name, e := range f.Environments {
		t.Environments[name] = environment(e.sorted())
	}
	var out bytes.Buffer
	out.WriteString(heading)
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(t), enc.Close()); err != nil {
		return nil, fmt.Errorf("encoding the lock file: %w", err)
	}
	return out.Bytes(), nil
}

// With gives the file with one environment replaced.
func (f File) With(name string, e Environment) File {
	all := maps.Clone(f.Environments)
	if all == nil {
		all = map[string]Environment{}
	}
	all[name] = e.sorted()
	return File{Environments: all}
}

func (e Environment) sorted() Environment {
	charts, sources := slices.Clone(e.Charts), slices.Clone(e.Sources)
	slices.SortFunc(charts, func(a, b Chart) int {
		return cmp.Or(cmp.Compare(a.Chart, b.Chart), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Requested, b.Requested), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Digest, b.Digest))
	})
	slices.SortFunc(sources, func(a, b Source) int { return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Digest, b.Digest)) })
	return Environment{Charts: slices.Compact(charts), Sources: slices.Compact(sources)}
}

// Chart finds what is pinned of a chart, as a state file asks for it.
func (e Environment) Chart(ref, repository, requested string) (Chart, bool) {
	for _, c := range e.Charts {
		if c.Chart == ref && c.Repository == repository && c.Requested == requested {
			return c, true
		}
	}
	return Chart{}, false
}

// Source finds what is pinned of a remote source.
func (e Environment) Source(url string) (Source, bool) {
	for _, s := range e.Sources {
		if s.URL == url {
			return s, true
		}
	}
	return Source{}, false
}
