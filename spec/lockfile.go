package spec

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"gopkg.in/yaml.v3"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// LockFile is a lock file of helmfile as it should be: the chart versions that
// a state file resolves to. Its form is that of helmfile, which has it from
// Helm's Chart.lock.
type LockFile struct {
	Path string // absolute
	Text []byte
}

// lockFile is the text of a lock file.
type lockFile struct {
	Version      string        `yaml:"version"`
	Dependencies []lockedChart `yaml:"dependencies"`
	Digest       string        `yaml:"digest"`
	Generated    time.Time     `yaml:"generated"`
}

// lockedChart is one chart of a lock file; its repository is a URL.
type lockedChart struct {
	Name       string `yaml:"name" json:"name"`
	Repository string `yaml:"repository" json:"repository"`
	Version    string `yaml:"version" json:"version"`
}

// lockPath is where helmfile keeps the lock of a file; empty for standard
// input without the key lockFilePath.
func (f *stateFile) lockPath() string {
	name := f.state.LockFilePath
	if name == "" {
		if f.path == "-" {
			return ""
		}
		name = strings.TrimSuffix(filepath.Base(f.path), ".gotmpl")
		name = strings.TrimSuffix(strings.TrimSuffix(name, ".yaml"), ".yml") + ".lock"
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.dir, name)
}

// locked reads the lock of a file; nil where there is none.
func (l *loader) locked(f *stateFile) ([]lockedChart, error) {
	path := f.lockPath()
	if path == "" || l.opts.IgnoreLock {
		return nil, nil
	}
	all, err := readLock(l.opts.read, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return all, err
}

func readLock(read func(string) ([]byte, error), path string) ([]lockedChart, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	docs, err := schema.Parse(text, schema.InFile(path))
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	var lock lockFile
	if err := docs[0].Decode(&lock); err != nil {
		return nil, mistake(schema.Pos{File: path}, "", fmt.Errorf("this is no lock file: %w", err))
	}
	if lock.Dependencies == nil {
		lock.Dependencies = []lockedChart{}
	}
	return lock.Dependencies, nil
}

// lockable is what a lock says about a chart: only those that a declared
// repository brings are locked. The path of an OCI chart belongs to its
// repository.
func lockable(c Chart) (lockedChart, bool) {
	if c.Repository == nil {
		return lockedChart{}, false
	}
	_, name, _ := strings.Cut(c.Ref, "/")
	url := c.Repository.URL
	if c.Repository.OCI {
		url = "oci://" + url
		if at := strings.LastIndexByte(name, '/'); at >= 0 {
			url, name = strings.TrimSuffix(url, "/")+"/"+name[:at], name[at+1:]
		}
	}
	return lockedChart{Name: name, Repository: url, Version: c.Version}, true
}

// lockedVersion gives the locked version of a chart: the first of that name that the
// declared version allows. Old locks have the whole path as the name of an OCI
// chart.
func lockedVersion(c Chart, all []lockedChart, path string) (string, error) {
	want, ok := lockable(c)
	if !ok {
		return c.Version, nil
	}
	asked := orText(want.Version, "*")
	if want.Version == "" && c.Devel {
		asked = ">0.0.0-0" // what helm's --devel means
	}
	constraint, err := semver.NewConstraint(asked)
	if err != nil {
		return "", fmt.Errorf("version %q is neither a version nor a range: %w", want.Version, err)
	}
	_, whole, _ := strings.Cut(c.Ref, "/")
	for _, name := range []string{want.Name, whole} {
		for _, one := range all {
			if one.Name != name {
				continue
			}
			version, err := semver.NewVersion(one.Version)
			if err != nil {
				return "", fmt.Errorf("%s locks %s at %q, which is no version", path, name, one.Version)
			}
			if constraint.Check(version) {
				return one.Version, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no version of %s that %q allows: bring it up to date with flotilla deps", path, want.Name, asked)
}

// Resolved is a release with the concrete version of its chart.
type Resolved struct {
	Release Release
	Version string
}

// LockFiles gives the lock files that the releases of a run ask for, one for
// each state file with charts from declared repositories. Tool is the version
// of the program that writes them; what is no semantic version is left out. A
// file whose content would stay the same but for the time is left out, too.
func (s *Spec) LockFiles(all []Resolved, tool string, now time.Time) ([]LockFile, error) {
	byFile := map[int][]Resolved{}
	for _, r := range all {
		if _, ok := lockable(r.Release.Chart); ok {
			byFile[r.Release.File] = append(byFile[r.Release.File], r)
		}
	}
	var out []LockFile
	for i := range s.Files {
		if s.loaded == nil || len(byFile[i]) == 0 {
			continue
		}
		path := s.loaded.files[i].file.lockPath()
		if path == "" {
			continue
		}
		lock, err := newLock(append(byFile[i], s.stillLocked(i, byFile[i], path)...))
		if err != nil {
			return nil, err
		}
		if _, err := semver.NewVersion(tool); err == nil {
			lock.Version = tool // helmfile takes nothing but a version here, or nothing
		}
		lock.Generated = now
		if same(path, lock) {
			continue
		}
		text, err := yaml.Marshal(lock)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", path, err)
		}
		out = append(out, LockFile{Path: path, Text: text})
	}
	return out, nil
}

// stillLocked gives what a lock says of the releases of its file that are not
// selected: they keep their versions.
func (s *Spec) stillLocked(file int, selected []Resolved, path string) []Resolved {
	old, err := readLock(readBounded, path)
	if err != nil {
		return nil // it is made anew
	}
	var out []Resolved
	for _, r := range s.Releases {
		if _, ok := lockable(r.Chart); !ok || r.File != file || slices.ContainsFunc(selected, func(s Resolved) bool { return s.Release.Index == r.Index }) {
			continue
		}
		if version, err := lockedVersion(r.Chart, old, path); err == nil {
			out = append(out, Resolved{Release: r, Version: version})
		}
	}
	return out
}

// newLock makes the content of a lock. Its digest is over what is declared and
// what is locked, as Helm's is.
func newLock(all []Resolved) (lockFile, error) {
	var declared, locked []lockedChart
	for _, r := range all {
		c, _ := lockable(r.Release.Chart)
		c.Version = orText(c.Version, "*")
		declared = append(declared, c)
		c.Version = r.Version
		locked = append(locked, c)
	}
	order := func(a, b lockedChart) int {
		return strings.Compare(a.Name+"\x00"+a.Repository+"\x00"+a.Version, b.Name+"\x00"+b.Repository+"\x00"+b.Version)
	}
	slices.SortFunc(declared, order)
	slices.SortFunc(locked, order)
	locked = slices.Compact(locked)
	text, err := json.Marshal([2][]lockedChart{declared, locked})
	if err != nil {
		return lockFile{}, err
	}
	return lockFile{Dependencies: locked, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(text))}, nil
}

// same says that the file has this lock already.
func same(path string, lock lockFile) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	var old lockFile
	if yaml.Unmarshal(text, &old) != nil {
		return false
	}
	return old.Digest == lock.Digest && slices.Equal(old.Dependencies, lock.Dependencies)
}
