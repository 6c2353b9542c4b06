package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

// Globals are the flags of every command. Their names and variables are
// helmfile's where helmfile has one.
type Globals struct {
	File                   string   `short:"f" placeholder:"PATH" env:"FLOTILLA_FILE_PATH,HELMFILE_FILE_PATH" help:"State file, folder of state files, or - for stdin. Default: flotilla.yaml, helmfile.yaml, their .gotmpl forms, flotilla.d or helmfile.d."`
	Environment            string   `short:"e" default:"default" env:"FLOTILLA_ENVIRONMENT,HELMFILE_ENVIRONMENT" help:"Environment to use."`
	Selector               []string `short:"l" sep:"none" placeholder:"K=V" help:"Select releases by label: k=v, k!=v; comma means and, repeating means or."`
	AllowNoMatchingRelease bool     `help:"Do not fail when nothing matches."`

	Namespace   string `short:"n" env:"FLOTILLA_NAMESPACE,HELMFILE_NAMESPACE" help:"Namespace of every release."`
	Chart       string `short:"c" help:"Chart of every release."`
	KubeContext string `env:"FLOTILLA_KUBE_CONTEXT,HELMFILE_KUBE_CONTEXT" help:"Kube context of every release."`
	Kubeconfig  string `placeholder:"PATH" help:"Kubeconfig file; default: KUBECONFIG or ~/.kube/config."`

	StateValuesSet       []string `sep:"none" placeholder:"K=V" help:"Set state values: a.b=x,c=y."`
	StateValuesSetString []string `sep:"none" placeholder:"K=V" help:"Like --state-values-set, always strings."`
	StateValuesFile      []string `sep:"none" placeholder:"PATH" help:"File of state values."`

	SkipDeps            bool   `help:"Take charts/ folders as they are: build no dependencies."`
	SkipRefresh         bool   `help:"Use what earlier runs found in repositories and registries; ask only for what is not known."`
	OCIPlainHTTP        bool   `name:"oci-plain-http" help:"Speak plain HTTP with OCI registries."`
	RepoRetries         int    `placeholder:"N" env:"FLOTILLA_REPO_RETRIES,HELMFILE_REPO_RETRIES" help:"Ask repositories and registries that do not answer N times more, after 1, 2, 4 ... 30 s."`
	Retries             int    `default:"14" placeholder:"N" env:"FLOTILLA_RETRIES" help:"Ask a cluster that does not answer, or cannot just now, N times more, where that does no harm; the default outlasts 40 s, 0 asks once."`
	AllowFailedReleases bool   `help:"Leave out releases whose chart cannot be had, and report them at the end."`
	NoExec              bool   `env:"FLOTILLA_NO_EXEC" help:"Refuse to run programs that state files name: exec in templates, hooks, post-renderers."`
	FileOrder           string `enum:"listed,none" default:"listed" help:"Order between state files: listed keeps helmfile's order, none leaves only needs (listed, none)."`
	SequentialHelmfiles bool   `help:"Put the files of a folder in order of their names, one after another."`
	CacheDir            string `placeholder:"DIR" env:"FLOTILLA_CACHE_HOME,HELMFILE_CACHE_HOME" help:"Cache of charts and remote files."`

	Interactive bool   `short:"i" env:"FLOTILLA_INTERACTIVE,HELMFILE_INTERACTIVE" help:"Ask before changing anything."`
	Color       bool   `help:"Colour even where the output is no terminal."`
	NoColor     bool   `env:"FLOTILLA_NO_COLOR,HELMFILE_NO_COLOR" help:"No colour. NO_COLOR does the same."`
	LogLevel    string `enum:",debug,info,warn,error,dpanic,panic,fatal" default:"" placeholder:"LEVEL" env:"FLOTILLA_LOG_LEVEL,HELMFILE_LOG_LEVEL" help:"debug: as --debug; info; warn: as --quiet; error: as --quiet, and no warnings."`
	Quiet       bool   `short:"q" env:"FLOTILLA_QUIET,HELMFILE_QUIET" help:"Print results, warnings and errors only."`
	Debug       bool   `env:"FLOTILLA_DEBUG,HELMFILE_DEBUG" help:"Log what Helm does, to stderr."`

	idleGlobals
}

// The levels of helmfile that say less than info.
const (
	logDebug = "debug"
	logInfo  = "info"
	logWarn  = "warn"
)

// debug reports whether Helm's own messages are wanted; --debug beats --quiet,
// as in helmfile.
func (g *Globals) debug() bool { return g.Debug || g.LogLevel == logDebug && !g.Quiet }

func (g *Globals) quiet() bool {
	return !g.debug() && (g.Quiet || g.LogLevel != "" && g.LogLevel != logInfo && g.LogLevel != logDebug)
}

// silent reports whether not even warnings are wanted.
func (g *Globals) silent() bool { return g.quiet() && !g.Quiet && g.LogLevel != logWarn }

func (g *grammar) view(env Env, given map[string]bool) (view.View, error) {
	if given["color"] && given["no-color"] && g.Color && g.NoColor {
		return nil, errors.New("--color and --no-color exclude each other")
	}
	s := env.Streams
	s.Color, s.ErrColor = g.Color || s.Color && !g.NoColor, g.Color || s.ErrColor && !g.NoColor
	if given["no-color"] && g.NoColor {
		s.Color, s.ErrColor = false, false
	}
	if standard, _ := env.Lookup("NO_COLOR"); standard != "" && !g.Color {
		s.Color, s.ErrColor = false, false
	}
	s.Quiet = g.quiet()
	s.Live = s.Live && !s.Quiet && !g.debug() // log lines would tear the table
	f := view.FormatHuman
	for _, o := range g.formats() {
		if other := o.view(); other != view.FormatHuman {
			f = other
		}
	}
	v, err := view.New(f, s, env.Now)
	if err == nil && g.silent() {
		v = silentView{v}
	}
	return v, err
}

// formats are the flags --output of the commands that show a plan; those of
// the commands that do not run have their default.
func (g *grammar) formats() []format {
	return []format{g.Apply.format, g.Sync.format, g.Diff.format, g.Destroy.format, g.Plan.format(), g.Show.format, format(g.Drift.driftFormat), g.Promote.format(), g.Resume.format, g.Rollback.format}
}

// silentView tells no warnings.
type silentView struct{ view.View }

func (silentView) Warn(string) {}

// variables reads what the flags' environment variables say: the first that is
// not empty holds. helmfile takes nothing but "true" for yes, so what else its
// own variables say of a boolean means no.
type variables struct {
	lookup func(string) (string, bool)
}

// Validate has nothing to find.
func (v variables) Validate(*kong.Application) error { return nil }

// Resolve gives what a flag's variables say, nil for one that has none.
func (v variables) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if len(flag.Envs) == 0 {
		return nil, nil
	}
	for _, name := range flag.Envs {
		value, _ := v.lookup(name)
		switch {
		case value == "":
			continue
		case !flag.IsBool():
			return value, nil
		case strings.HasPrefix(name, "HELMFILE_"):
			return value == "true", nil
		}
		on, err := strconv.ParseBool(value)
		if err != nil {
			return nil, fmt.Errorf("%s=%q: expected true or false", name, value)
		}
		return on, nil
	}
	// An answer in any case: kong has read the variables in its own way before.
	switch {
	case flag.IsBool():
		return false, nil
	case flag.HasDefault:
		return flag.Default, nil
	default:
		return zero(flag), nil
	}
}

// zero is how the value of a flag that nobody set is written.
func zero(flag *kong.Flag) string {
	if flag.Target.CanInt() {
		return "0"
	}
	return ""
}
