package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// session is one run of one command: what was asked, and where to print.
type session struct {
	globals *Globals
	env     Env
	view    view.View
	parser  *kong.Kong
	command string // name of the command that runs

	secrets  *secrets
	clusters func() *cluster.Clusters // the same ones at every call
}

// overlay is what a command's own flags put on top of every release.
type overlay struct {
	Set    []string `sep:"none" placeholder:"K=V" help:"Set a value on every release, on top of all others."`
	Values []string `sep:"none" placeholder:"PATH" help:"Values file for every release, above the state file's."`
}

// needsFlags say what to do with needs that the selector leaves out.
type needsFlags struct {
	SkipNeeds              bool `default:"true" negatable:"" help:"Ignore needs that the selector leaves out."`
	IncludeNeeds           bool `help:"Also select what the selected releases need."`
	IncludeTransitiveNeeds bool `help:"Like --include-needs."`
}

// fleet is what was loaded and selected.
type fleet struct {
	spec     *spec.Spec
	releases []spec.Release
}

// load reads the state files and selects. With --allow-no-matching-release an
// empty fleet is no error.
func (s *session) load(ctx context.Context, over overlay, needs needsFlags) (*fleet, error) {
	loaded, selector, err := s.read(ctx, over)
	if err != nil {
		return nil, err
	}
	selected, err := loaded.Select(selector, needs.policy())
	return s.fleet(loaded, selected, err)
}

// loadAll is load for commands that show what is declared: it keeps releases
// that a condition switches off and does not look at needs.
func (s *session) loadAll(ctx context.Context) (*fleet, error) {
	loaded, selector, err := s.read(ctx, overlay{})
	if err != nil {
		return nil, err
	}
	declared, err := loaded.Declared(selector)
	return s.fleet(loaded, declared, err)
}

func (s *session) read(ctx context.Context, over overlay) (*spec.Spec, spec.Selector, error) {
	selector, err := spec.ParseSelector(s.globals.Selector)
	if err != nil {
		return nil, spec.Selector{}, fmt.Errorf("%w: %w", errUsage, err)
	}
	loaded, err := spec.Load(ctx, s.globals.File, s.loadOptions(over))
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

func (n needsFlags) policy() spec.NeedsPolicy {
	switch {
	case n.IncludeNeeds, n.IncludeTransitiveNeeds:
		return spec.NeedsInclude
	case n.SkipNeeds:
		return spec.NeedsSkip
	default:
		return spec.NeedsRequire
	}
}

func (s *session) loadOptions(over overlay) spec.LoadOptions {
	g := s.globals
	return s.secrets.options(spec.LoadOptions{
		Environment:          g.Environment,
		Namespace:            g.Namespace,
		KubeContext:          g.KubeContext,
		Chart:                g.Chart,
		StateValuesFiles:     g.StateValuesFile,
		StateValuesSet:       g.StateValuesSet,
		StateValuesSetString: g.StateValuesSetString,
		ReleaseValues:        over.Values,
		ReleaseSet:           over.Set,
		Stdin:                s.env.Stdin,
		NoExec:               g.NoExec,
		Sequential:           g.SequentialHelmfiles,
		NoFileOrder:          g.FileOrder == "none",
		CacheDir:             s.cacheDir("sources"),
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
