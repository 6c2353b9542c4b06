package chart

import (
	"context"
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
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/spec"
)

// Update is what brings charts/ and the lock of a chart folder up to date, as
// helm dependency update does. Nothing is written before Write.
type Update struct {
	// Dir is the absolute folder of the chart.
	Dir string

	head     *chartv2.Chart
	declared []*chartv2.Dependency // aliases resolved
	locked   []*chartv2.Dependency // versions of file:// dependencies come with Write
	archives []archived            // as locked; the zero value for what is not downloaded
}

// archived is a file of charts/.
type archived struct {
	name string
	data []byte
}

// Written lists the absolute paths that Write changed, sorted.
type Written struct {
	Files   []string
	Removed []string
}

// Update resolves anew what the chart folder of a release declares as
// dependencies, and downloads them; SkipDeps does not count here. It gives nil
// for what is no folder with a Chart.yaml or declares nothing, and the same
// Update to all who ask for one folder. A Store must not have read the folder
// before Write. Errors are of the kinds of this package; those of the
// dependencies are reported all.
func (s *Store) Update(ctx context.Context, ref spec.Chart) (*Update, error) {
	src, err := s.locate(ref)
	if err != nil || src.kind != fromDisk {
		return nil, err
	}
	src.skipDeps, src.verify, src.keyring = false, false, "" // a folder has no signature
	return s.updates.do(ctx, src.path, func(ctx context.Context) (*Update, error) {
		head, err := headOf(src)
		if err != nil || head == nil || head.Metadata.Dependencies == nil {
			return nil, err
		}
		declared, unknown, err := s.resolveAliases(head.Metadata.Dependencies)
		if err != nil {
			return nil, err
		}
		if len(unknown) > 0 {
			return nil, fail(ErrUnknownRepository, "chart %s: there is no repository %s, neither in repositories: nor in Helm's %s",
				src, strings.Join(unknown, ", "), s.opts.RepositoryConfig)
		}
		if declared == nil {
			declared = []*chartv2.Dependency{} // the digest tells it from null
		}
		u := &Update{Dir: src.path, head: head, declared: declared}
		return u, s.resolve(ctx, content{src: src, dir: src.path}, u)
	})
}

// headOf reads what declares and locks dependencies; nil where there is no
// Chart.yaml.
func headOf(src source) (*chartv2.Chart, error) {
	root, err := os.OpenRoot(src.path)
	if err != nil {
		return nil, nil // an archive, or nothing, which Get tells
	}
	defer root.Close()
	f := &folder{root: root, path: src.path, budget: archive.MaxDecompressedChartSize}
	for _, name := range []string{"Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock"} {
		if _, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			if name == "Chart.yaml" {
				return nil, nil
			}
			continue
		}
		if err := f.add(name); err != nil {
			return nil, err
		}
	}
	return readHead(content{src: src, files: f.files})
}

// resolve finds the version of each dependency by the rules of Helm, which
// wants a range from all, and downloads what is not on this machine.
func (s *Store) resolve(ctx context.Context, c content, u *Update) error {
	u.locked = make([]*chartv2.Dependency, len(u.declared))
	u.archives = make([]archived, len(u.declared))
	faults := make([]error, len(u.declared))
	each(len(u.declared), func(i int) {
		d := u.declared[i]
		u.locked[i] = &chartv2.Dependency{Name: d.Name, Repository: d.Repository, Version: d.Version}
		if _, err := semver.NewConstraint(d.Version); err != nil {
			faults[i] = failFor(ErrInvalid, err, "dependency %q of chart %s: %q is neither a version nor a range of versions", d.Name, c.src, d.Version)
			return
		}
		if d.Repository == "" || strings.HasPrefix(d.Repository, fileScheme) {
			return
		}
		var err error
		if u.archives[i], u.locked[i].Version, err = s.download(ctx, c, d); err != nil {
			faults[i] = fmt.Errorf("downloading dependency %q of chart %s: %w", d.Name, c.src, err)
		}
	})
	return errors.Join(faults...)
}

// download gets the archive of a dependency as it is published.
func (s *Store) download(ctx context.Context, c content, d *chartv2.Dependency) (archived, string, error) {
	src, err := s.locateNeed(c, need{name: d.Name, version: d.Version, repository: d.Repository})
	if err != nil {
		return archived{}, "", err
	}
	found, err := s.read(ctx, src)
	if err != nil {
		return archived{}, "", err
	}
	head, err := readHead(found)
	if err != nil {
		return archived{}, "", err
	}
	if head.Metadata.Name != d.Name {
		return archived{}, "", fail(ErrInvalid, "the chart at %s is named %q", src, head.Metadata.Name)
	}
	name := found.file
	if !strings.HasSuffix(name, ".tgz") || strings.ContainsAny(name, `/\`) || strings.IndexAny(name, "_.") == 0 {
		name = d.Name + "-" + found.src.version + ".tgz" // Helm would not find it in charts/
	}
	if filepath.Base(name) != name {
		return archived{}, "", fail(ErrInvalid, "the chart at %s cannot be kept in charts/: %q is no name of a file", src, name)
	}
	return archived{name: name, data: found.packed}, found.src.version, nil
}

// Write packs the dependencies that are folders, puts all archives into
// charts/, removes from there the archives that nothing declares any longer,
// and writes the lock with that time unless it says the same already. Files
// appear whole or not at all, and nothing is changed where a dependency cannot
// be had. What lies in charts/ unpacked stays, as with Helm.
func (u *Update) Write(ctx context.Context, now time.Time) (Written, error) {
	root, err := os.OpenRoot(u.Dir)
	if err != nil {
		return Written{}, fmt.Errorf("updating chart %s: %w", u.Dir, err)
	}
	defer root.Close()
	files := map[string][]byte{}
	unpacked := map[string]bool{}
	var faults []error
	for i, d := range u.locked {
		file, err := u.file(ctx, i)
		if err != nil {
			faults = append(faults, fmt.Errorf("updating dependency %q of chart %s: %w", d.Name, u.Dir, err))
			continue
		}
		unpacked[d.Name] = unpacked[d.Name] || d.Repository == ""
		if file.data != nil {
			files[file.name] = file.data
		}
	}
	if err := errors.Join(faults...); err != nil {
		return Written{}, err
	}
	lock, err := u.lock(now)
	if err != nil {
		return Written{}, err
	}
	w := writer{root: root, dir: u.Dir}
	if err := w.update(files, unpacked, lock); err != nil {
		return w.done(), fmt.Errorf("updating chart %s: %w", u.Dir, err)
	}
	return w.done(), nil
}

// file is what goes into charts/ for one dependency; nothing for one that lies
// there unpacked.
func (u *Update) file(ctx context.Context, i int) (archived, error) {
	d := u.locked[i]
	switch {
	case d.Repository == "":
		return archived{}, u.unpacked(d)
	case strings.HasPrefix(d.Repository, fileScheme):
		folder := need{repository: d.Repository}.folder(content{dir: u.Dir})
		file, version, err := packFolder(ctx, folder, u.declared[i])
		d.Version = version
		return file, err
	default:
		return u.archives[i], nil
	}
}

// unpacked checks a dependency without repository: Helm takes it from the
// folder of its name only.
func (u *Update) unpacked(d *chartv2.Dependency) error {
	path := filepath.Join(u.Dir, "charts", d.Name)
	if !filepath.IsLocal(d.Name) {
		return fail(ErrInvalid, "%s is not below charts/", path)
	}
	head, err := headOf(source{kind: fromDisk, path: path})
	if err != nil {
		return err
	}
	if head == nil {
		return fail(ErrMissingDependency, "it names no repository, and there is no chart in the folder %s", path)
	}
	return fits(head, path, d.Version)
}

func fits(head *chartv2.Chart, path, want string) error {
	limit, err := semver.NewConstraint(want)
	if err != nil {
		return failFor(ErrInvalid, err, "%q is neither a version nor a range of versions", want)
	}
	have, err := semver.NewVersion(head.Metadata.Version)
	if err != nil {
		return failFor(ErrInvalid, err, "version %q of the chart at %s", head.Metadata.Version, path)
	}
	if !limit.Check(have) {
		return fail(ErrNotFound, "version %s is needed, but %s is version %s", want, path, head.Metadata.Version)
	}
	return nil
}

// packFolder packs a chart folder as helm package does: with what its own
// charts/ holds, and with the times of its files.
func packFolder(ctx context.Context, path string, d *chartv2.Dependency) (archived, string, error) {
	files, err := readFolder(ctx, path)
	if err != nil {
		return archived{}, "", err
	}
	parsed, err := loader.LoadFiles(files)
	if err != nil {
		return archived{}, "", failFor(ErrInvalid, err, "loading chart from %s", path)
	}
	if parsed.Name() != d.Name {
		return archived{}, "", fail(ErrInvalid, "the chart at %s is named %q", path, parsed.Name())
	}
	if err := fits(parsed, path, d.Version); err != nil {
		return archived{}, "", err
	}
	sortDependencies(parsed)
	temp, err := os.MkdirTemp("", "flotilla-chart-*")
	if err != nil {
		return archived{}, "", err
	}
	defer os.RemoveAll(temp)
	at, err := chartutil.Save(parsed, temp)
	if err != nil {
		return archived{}, "", failFor(ErrInvalid, err, "packing the chart at %s", path)
	}
	data, err := os.ReadFile(at)
	return archived{name: filepath.Base(at), data: data}, parsed.Metadata.Version, err
}

// lock is the text of the lock file; no data if the one that is there says the
// same, so that the time in it stays.
func (u *Update) lock(now time.Time) (archived, error) {
	both, err := json.Marshal([2][]*chartv2.Dependency{u.declared, u.locked})
	if err != nil {
		return archived{}, failFor(ErrInvalid, err, "chart %s", u.Dir)
	}
	lock := chartv2.Lock{Generated: now, Digest: digestBytes(both), Dependencies: u.locked}
	out := archived{name: lockName(u.head)}
	if u.head.Lock != nil && u.head.Lock.Digest == lock.Digest {
		return out, nil
	}
	out.data, err = yaml.Marshal(lock)
	return out, err
}

// writer changes a chart folder and keeps book of it.
type writer struct {
	root *os.Root
	dir  string
	Written
}

func (w *writer) done() Written {
	slices.Sort(w.Files)
	slices.Sort(w.Removed)
	return w.Written
}
