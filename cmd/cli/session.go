package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// session is one run of one command: what was asked, and where to print.
type session struct {
	globals *Globals
	env     Env
	view    view.View
	parser  *kong.Kong
	command string          // name of the command that runs
	dir     string          // where the path of state files starts; empty: the working folder
	reads   *spec.ReadFiles // of the state files and all that they name; nil: nobody asks
	given   map[string]bool // long names of the flags that were typed

	edited map[string][]byte // as spec.LoadOptions.Edited

	run      string // ID of the run, as runID gives it; empty: it has none yet
	planFile string // digest of the file of the saved plan that was read; empty: none was
	planPath string // of that file

	secrets  *secrets
	reports  *reports // nil: none is to be written
	fence    *fence
	stop     *stopper
	clusters func() *cluster.Clusters // the same ones at every call
}

// request is what a command asks of every release.
type request struct {
	over  overlay
	needs needsFlags
	helm  helmFlags
	raw   helmText
	limit int // releases worked on at once; zero: the command's own

	validate bool // hold what is wanted against the schemas of its kinds

	pinning  *pinning         // collect what comes from the network, as it is now; nil: nobody asks
	unlocked bool             // take chart versions as declared, whatever lock files say
	policy   spec.NeedsPolicy // empty: what needs says
}

// toChange is what apply, sync, plan and resume ask alike: what is wanted, to show
// it and to write it.
func toChange(over overlay, d diffFlags, raw rawArgs, helm helmFlags) request {
	helm.lines = d.SuppressOutputLineRegex
	return request{over: over, validate: d.Validate, helm: helm, raw: helmText{
		args: raw.Args, diff: d.DiffArgs, sync: helm.install.SyncArgs, template: helm.template.TemplateArgs,
		heeds: []helmList{listShow, listRender, listSync},
	}}
}

// fleet is what was loaded and selected.
type fleet struct {
	spec     *spec.Spec
	releases []spec.Release
	calls    []helmCall // as spec.Files: what flags of Helm given as text ask for
	limit    int        // releases worked on at once; zero: the command's own
	validate bool       // as in request
	prune    *pruning   // of releases that are not declared any more; nil: they are left alone
}

// load reads the state files and selects. With --allow-no-matching-release an
// empty fleet is no error.
func (s *session) load(ctx context.Context, q request) (*fleet, error) {
	loaded, selector, err := s.read(ctx, q)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	if q.policy == "" {
		q.policy = q.needs.policy()
	}
	selected, err := loaded.Select(selector, q.policy)
	if err == nil && q.needs.EnforceNeedsAreInstalled {
		err = enforce(loaded, selected)
	}
	f, err := s.fleet(loaded, selected, err)
	if err != nil {
		return nil, err
	}
	f.limit, f.validate = q.limit, q.validate
	return f, s.edit(f, q)
}

// enforce refuses needs on releases that are not to be installed. Like
// helmfile's, it looks at the names of releases only.
func enforce(loaded *spec.Spec, selected []spec.Release) error {
	absent := map[string]bool{}
	for _, r := range loaded.Releases {
		if !r.Installed {
			absent[r.ID.Name] = true
		}
	}
	var errs []error
	for _, r := range selected {
		for _, n := range r.Needs {
			if r.Installed && absent[n.ID.Name] {
				errs = append(errs, &spec.Error{Pos: n.Pos, Field: "needs", Err: fmt.Errorf("release %q needs %q, which has installed: false", r.ID, n.ID)})
			}
		}
	}
	return errors.Join(errs...)
}

// edit puts what the flags say on top of the selected releases.
func (s *session) edit(f *fleet, q request) error {
	unknown := map[string]bool{}
	for _, file := range f.spec.Files {
		call, err := q.raw.parse(file)
		if err != nil {
			return err
		}
		for _, name := range call.unknown {
			unknown[name] = true
		}
		s.globals.Debug = s.globals.Debug || call.debug
		f.calls = append(f.calls, call)
	}
	if len(unknown) > 0 {
		s.view.Warn("flags of helm without effect here: " + strings.Join(slices.Sorted(maps.Keys(unknown)), ", "))
	}
	if err := s.connect(f); err != nil {
		return err
	}
	f.releases = slices.Clone(f.releases)
	for i := range f.releases {
		r := &f.releases[i]
		q.helm.apply(&r.Options)
		r.Chart.PlainHTTP = r.Chart.PlainHTTP || s.globals.OCIPlainHTTP
		for _, change := range f.calls[r.File].changes {
			change(r)
		}
		r.Options.SuppressLines = append(slices.Clip(r.Options.SuppressLines), f.calls[r.File].lines...)
	}
	return nil
}

// tell prints a line of progress, which is no result and so goes to stderr.
func (s *session) tell(line string) error {
	if s.globals.quiet() {
		return nil
	}
	return view.Text(s.env.Streams.Err, line+"\n")
}

// at gives how many releases are worked on at once.
func (f *fleet) at(otherwise int) int {
	if f.limit > 0 {
		return f.limit
	}
	return max(otherwise, 1)
}

// bound loads and selects for a command that works on the cluster, with every
// context and namespace filled in.
func (s *session) bound(ctx context.Context, q request) (*tools, *fleet, error) {
	f, err := s.load(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	t := s.tools(f)
	f, err = f.bind(t)
	s.reports.bound(f)
	return t, f, err
}

// loadAll is load for commands that show what is declared: it does not look at
// needs and, as in helmfile, without a selector also keeps the releases that a
// condition switches off.
func (s *session) loadAll(ctx context.Context) (*fleet, error) {
	loaded, selector, err := s.read(ctx, request{})
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	if !selector.Empty() {
		selected, err := loaded.Select(selector, spec.NeedsIgnore)
		return s.fleet(loaded, selected, err)
	}
	declared, err := loaded.Declared(selector)
	return s.fleet(loaded, declared, err)
}

func (s *session) read(ctx context.Context, q request) (*spec.Spec, spec.Selector, error) {
	selector, err := spec.ParseSelector(s.globals.Selector)
	if err != nil {
		return nil, spec.Selector{}, err
	}
	loaded, err := spec.Load(ctx, s.globals.File, s.loadOptions(q))
	s.reports.loaded(loaded)
	return loaded, selector, err
}

func (s *session) fleet(loaded *spec.Spec, selected []spec.Release, err error) (*fleet, error) {
	if errors.Is(err, spec.ErrNothingMatched) && s.globals.AllowNoMatchingRelease {
		s.view.Warn(err.Error())
		return &fleet{spec: loaded}, nil
	}
	if err != nil {
		return nil, err
	}
	return &fleet{spec: loaded, releases: selected}, nil
}

func (s *session) loadOptions(q request) spec.LoadOptions {
	g := s.globals
	sources, got := s.cacheDir("sources"), (func(string, source.Pin))(nil)
	if q.pinning != nil {
		sources, got = q.pinning.dir, q.pinning.source
	}
	return s.secrets.options(spec.LoadOptions{
		Environment:          g.Environment,
		Namespace:            g.Namespace,
		KubeContext:          g.KubeContext,
		Chart:                g.Chart,
		StateValuesFiles:     g.StateValuesFile,
		StateValuesSet:       g.StateValuesSet,
		StateValuesSetString: g.StateValuesSetString,
		ReleaseValues:        q.over.Values,
		ReleaseSet:           q.over.Set,
		Helm:                 q.helm.between(),
		Stdin:                s.env.Stdin,
		NoExec:               g.NoExec,
		IgnoreLock:           q.unlocked,
		Sequential:           g.SequentialHelmfiles,
		NoFileOrder:          g.FileOrder == "none",
		IgnorePins:           q.unlocked || q.pinning != nil,
		GotSource:            got,
		CacheDir:             sources,
		Dir:                  s.dir,
		ReadFiles:            s.reads,
		Edited:               s.edited,
		LookupEnv:            s.env.Lookup,
		Warn:                 s.view.Warn,
	}, s.clusters)
}

// cacheDir follows the XDG rules, as Helm does.
func (s *session) cacheDir(room string) string {
	base := s.globals.CacheDir
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			user = os.TempDir()
		}
		base = filepath.Join(user, "flotilla")
	}
	return filepath.Join(base, room)
}

// interrupted turns a cancelled context into its cause, so that an error says
// who cancelled.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
