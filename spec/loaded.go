package spec

import (
	"context"
	"errors"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// loaded is what a Spec keeps of its loading: how to read the values of its
// releases, and how its files were reached. It never changes after Load and is
// shared by the copies that Bind makes.
type loaded struct {
	loader   *loader
	top      string         // absolute path of the file or folder that was asked for, "-", or the address of a remote one
	files    []fileExtra    // as Spec.Files
	releases []releaseExtra // as Spec.Releases
	lacking  string         // the last file that is not there, where that may pass
	skipped  []leftOut      // files that do not define the selected environment
	partial  bool           // nested files were left out because of the selectors of the run
}

// leftOut is a state file that takes no part.
type leftOut struct {
	path string
	text []byte
}

type fileExtra struct {
	file      *stateFile
	selectors []Selector // explicit ones in effect, if explicit is set
	explicit  bool
	chain     []Selector // explicit selectors on the way to the file
}

type releaseExtra struct {
	raw       *schema.Release // rendered, overrides applied
	namespace string          // as the state says, before Bind
	context   string
	lock      error // its chart is not in the lock file; told when the release is selected
}

// newFile makes the exported form of a loaded file.
func (l *loader) newFile(f *stateFile, n nested) File {
	repositories := make([]Repository, 0, len(f.state.Repositories))
	for _, r := range f.state.Repositories {
		repositories = append(repositories, l.repository(f, r))
	}
	e := f.env.view()
	merged := f.env.merged()
	return File{
		Path: f.path, Dir: f.dir, Parent: -1,
		KubeContext:  f.state.KubeContext,
		Environment:  Environment{Name: e.Name, KubeContext: e.KubeContext, Values: merged},
		Values:       merged,
		Repositories: repositories,
		Hooks:        hooks(f.state.Hooks),
		APIVersions:  f.state.APIVersions,
		KubeVersion:  f.state.KubeVersion,
		HelmArgs: HelmArgs{
			Args: f.state.HelmDefaults.Args, DiffArgs: f.state.HelmDefaults.DiffArgs,
			SyncArgs: f.state.HelmDefaults.SyncArgs, TemplateArgs: f.state.HelmDefaults.TemplateArgs,
		},
		Owner: f.state.Owner, StateNamespace: f.state.StateNamespace, HistoryLimit: f.state.HistoryLimit,
		Prune: switchText(f.state.Prune), DeletionBudget: f.state.DeletionBudget,
	}
}

// addReleases renders the releases of a file and appends them to the Spec.
func (l *loader) addReleases(ctx context.Context, f *stateFile, file int) error {
	texts, err := l.tmpl.Session(ctx, f.dir)
	if err != nil {
		return err
	}
	c := &converter{loader: l, file: f, index: file, data: l.releaseTemplateData(f), texts: texts}
	for i := range l.spec.Files[file].Repositories {
		c.repositories = append(c.repositories, &l.spec.Files[file].Repositories[i])
	}
	for i := range f.state.Releases {
		c.add(&f.state.Releases[i])
	}
	c.resolveNeeds()
	var wrong []error
	l.spec.Files[file].Groups, wrong = groupGates(f.state.Groups, file)
	c.errs = append(c.errs, wrong...)
	if err := c.join(); err != nil {
		return err
	}
	l.warnIdle(f, c.raw)
	locks, err := l.applyLock(f, c)
	if err != nil {
		return err
	}
	for i, r := range c.releases {
		r.Index = len(l.spec.Releases)
		l.spec.Releases = append(l.spec.Releases, r)
		l.spec.loaded.releases = append(l.spec.loaded.releases, releaseExtra{raw: c.raw[i], namespace: r.ID.Namespace, context: r.ID.Context, lock: locks[i]})
	}
	return nil
}

// applyLock gives releases the chart versions of the file's lock. It returns
// what is wrong with each release.
func (l *loader) applyLock(f *stateFile, c *converter) ([]error, error) {
	out := make([]error, len(c.releases))
	all, err := l.locked(f)
	if err != nil {
		return out, err
	}
	for i := range c.releases {
		r := &c.releases[i]
		var err error
		if all != nil {
			err = r.Chart.lock(all, f.lockPath())
		}
		if err == nil {
			err = l.pinAll(r)
		}
		if err != nil {
			out[i] = &Error{Pos: r.Pos, Field: "releases." + r.ID.Name + ".version", Err: err}
			continue
		}
		c.raw[i].Version = r.Chart.Version
	}
	return out, nil
}

func (c *Chart) lock(all []lockedChart, path string) error {
	version, err := lockedVersion(*c, all, path)
	if err == nil {
		c.Version = version
	}
	return err
}

// unlocked joins what is wrong with the chart versions of releases.
func (s *Spec) unlocked(releases []Release) error {
	if s.loaded == nil {
		return nil
	}
	var errs []error
	for _, r := range releases {
		errs = append(errs, s.loaded.releases[r.Index].lock)
	}
	return errors.Join(errs...)
}
