// Package cli is the command line: one kong grammar, one file a command, and
// the wiring of all packages. It holds no logic of releases.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

// Env is what the process gives to a command. Every field but Abort is needed.
type Env struct {
	Stdin   io.Reader
	Streams view.Streams
	Lookup  func(string) (string, bool) // environment variables
	Now     func() time.Time
	Version Version
	Abort   <-chan struct{} // closed by a second interrupt
}

// Terminal makes the streams of a process: colour and a live table where they
// go to a terminal.
func Terminal(out, err *os.File) view.Streams { return view.Terminal(out, err) }

// Version says what was built.
type Version struct {
	Flotilla string `json:"flotilla"`
	Helm     string `json:"helm"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

type grammar struct {
	Globals

	Apply      applyCmd      `cmd:"" help:"Diff, then install, upgrade and uninstall what changed."`
	Sync       syncCmd       `cmd:"" help:"Install or upgrade every selected release, changed or not."`
	Diff       diffCmd       `cmd:"" help:"Show what apply would change."`
	Destroy    destroyCmd    `cmd:"" help:"Uninstall every selected release, dependents first."`
	Template   templateCmd   `cmd:"" help:"Render the manifests of the selected releases to stdout."`
	Lint       lintCmd       `cmd:"" help:"Check charts and values of the selected releases."`
	List       listCmd       `cmd:"" help:"List the declared releases; needs no cluster."`
	Status     statusCmd     `cmd:"" help:"Show how the selected releases are in the cluster."`
	Test       testCmd       `cmd:"" help:"Run the test hooks of the selected releases."`
	Build      buildCmd      `cmd:"" help:"Print the final state files as YAML."`
	PrintEnv   printEnvCmd   `cmd:"" name:"print-env" help:"Print the environment and merged values of every state file."`
	ShowDag    showDagCmd    `cmd:"" name:"show-dag" help:"Print the needs of the selected releases."`
	Deps       depsCmd       `cmd:"" help:"Download the charts of the selected releases and their dependencies into the cache."`
	Repos      reposCmd      `cmd:"" help:"Check that every declared repository can be reached with its credentials."`
	Version    versionCmd    `cmd:"" help:"Print the version." aliases:"ver"`
	Completion completionCmd `cmd:"" help:"Print a shell completion script."`
}

const description = `Run many Helm releases as one unit: one graph over all state files, one diff, one concurrent apply, and rollback of everything when a release fails.

Exit codes: 0 done; 1 failed; 2 changes, with --detailed-exitcode; 3 usage, or nothing matched; 5 another operation is in progress; 6 failed and fully undone; 7 failed and undo incomplete; 130/143 interrupted, after a clean stop.`

// Run parses args and runs one command. It returns the exit code of the
// process; what went wrong is printed once, on the error stream.
func Run(ctx context.Context, args []string, env Env) int {
	var g grammar
	exited := -1
	parser, err := newParser(&g, env, func(code int) { exited = code })
	if err != nil {
		fmt.Fprintf(env.Streams.Err, "flotilla: building the command line: %v\n", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	secrets := newSecrets(env)
	defer secrets.close()
	env.Streams = secrets.mask(env.Streams)
	v, verr := g.view(env)
	if err := errors.Join(usage(err), usage(verr)); err != nil {
		if v == nil {
			v, _ = view.New(view.FormatHuman, env.Streams, env.Now)
		}
		v.Error(err)
		return exitUsage
	}
	session := &session{globals: &g.Globals, env: env, view: secrets.view(v), parser: parser, command: command.Command(), secrets: secrets}
	session.clusters = session.clustersOnce()
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(session)
	if untold := withoutTold(err); untold != nil {
		v.Error(untold)
	}
	return exitCode(ctx, err)
}

func newParser(g *grammar, env Env, exit func(int)) (*kong.Kong, error) {
	return kong.New(g,
		kong.Name("flotilla"),
		kong.Description(description),
		kong.Writers(env.Streams.Out, env.Streams.Err),
		kong.Exit(exit),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
	)
}

func usage(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; see flotilla --help", err)
}

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
	NoExec              bool   `env:"FLOTILLA_NO_EXEC" help:"Refuse to run programs that state files name: exec in templates, hooks, post-renderers."`
	FileOrder           string `enum:"listed,none" default:"listed" help:"Order between state files: listed keeps helmfile's order, none leaves only needs (listed, none)."`
	SequentialHelmfiles bool   `help:"Put the files of a folder in order of their names, one after another."`
	CacheDir            string `placeholder:"DIR" env:"FLOTILLA_CACHE_HOME,HELMFILE_CACHE_HOME" help:"Cache of charts and remote files."`

	Interactive bool `short:"i" env:"FLOTILLA_INTERACTIVE,HELMFILE_INTERACTIVE" help:"Ask before changing anything."`
	Color       bool `xor:"color" help:"Colour even where the output is no terminal."`
	NoColor     bool `xor:"color" env:"FLOTILLA_NO_COLOR,HELMFILE_NO_COLOR" help:"No colour. NO_COLOR does the same."`
	Quiet       bool `short:"q" env:"FLOTILLA_QUIET,HELMFILE_QUIET" help:"Print results and errors only."`
	Debug       bool `env:"FLOTILLA_DEBUG,HELMFILE_DEBUG" help:"Log what Helm does, to stderr."`
}

// format is a flag of the commands that can answer in JSON.
type format struct {
	Output view.Format `short:"o" enum:"text,json" default:"text" help:"Output format (text, json)."`
}

func (g *grammar) view(env Env) (view.View, error) {
	s := env.Streams
	_, noColor := env.Lookup("NO_COLOR")
	s.Color = (s.Color || g.Color) && !g.NoColor && (!noColor || g.Color)
	s.Quiet = g.Quiet
	s.Live = s.Live && !g.Quiet
	f := view.FormatHuman
	for _, o := range []format{g.Apply.format, g.Sync.format, g.Diff.format, g.Destroy.format} {
		if o.Output == view.FormatJSON {
			f = o.Output
		}
	}
	return view.New(f, s, env.Now)
}
