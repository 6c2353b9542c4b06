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

	Apply       applyCmd       `cmd:"" help:"Diff, then install, upgrade and uninstall what changed."`
	Sync        syncCmd        `cmd:"" help:"Install or upgrade every selected release, changed or not."`
	Diff        diffCmd        `cmd:"" help:"Show what apply would change."`
	Plan        planCmd        `cmd:"" help:"Show what apply would change, and save it for a later apply."`
	Show        showCmd        `cmd:"" help:"Show a saved plan."`
	Explain     explainCmd     `cmd:"" help:"Tell where the values of a release come from: file, line and layer, and what they override."`
	Drift       driftCmd       `cmd:"" help:"Show what in the clusters is not any more as it was deployed, and who changed it."`
	Destroy     destroyCmd     `cmd:"" help:"Uninstall every selected release, dependents first."`
	Resume      resumeCmd      `cmd:"" help:"Finish a run that was cut off or ended halfway, or put back what it did."`
	Rollback    rollbackCmd    `cmd:"" help:"Undo a finished run, provided that nobody has worked on its releases since."`
	Promote     promoteCmd     `cmd:"" help:"Move what runs in one environment into the files of another one, and show the plan that comes of it."`
	Unlock      unlockCmd      `cmd:"" help:"Show which run holds the lock of these state files, and break it."`
	Template    templateCmd    `cmd:"" help:"Render the manifests of the selected releases to stdout."`
	Lint        lintCmd        `cmd:"" help:"Check charts and values of the selected releases."`
	List        listCmd        `cmd:"" help:"List the declared releases; needs no cluster."`
	Status      statusCmd      `cmd:"" help:"Show how the selected releases are in the cluster."`
	History     historyCmd     `cmd:"" help:"List the runs that wrote to the clusters of the state file, and how each of them ended."`
	Test        testCmd        `cmd:"" help:"Run the test hooks of the selected releases."`
	Build       buildCmd       `cmd:"" help:"Print the final state files as YAML."`
	PrintEnv    printEnvCmd    `cmd:"" name:"print-env" help:"Print the environment and merged values of every state file."`
	WriteValues writeValuesCmd `cmd:"" name:"write-values" help:"Write the merged values of the selected releases into files."`
	Unittest    unittestCmd    `cmd:"" help:"Run the unit tests of charts with the helm-unittest plugin."`
	ShowDag     showDagCmd     `cmd:"" name:"show-dag" help:"Print the needs of the selected releases."`
	Deps        depsCmd        `cmd:"" help:"Download the charts of the selected releases and their dependencies into the cache."`
	Lock        pinCmd         `cmd:"" help:"Pin the charts and remote sources of the environment by version and content in flotilla.lock.yaml, which later runs hold them to."`
	Outdated    outdatedCmd    `cmd:"" help:"List the charts of which there are newer versions than those in use."`
	Repos       reposCmd       `cmd:"" help:"Check that every declared repository can be reached with its credentials."`
	Fetch       fetchCmd       `cmd:"" help:"Download the charts of the selected releases and unpack them."`
	Cache       cacheCmd       `cmd:"" help:"Look at the cache of charts and remote files, or empty it."`
	Create      createCmd      `cmd:"" help:"Write a state file to begin with."`
	Init        initCmd        `cmd:"" help:"Say that nothing has to be installed."`
	Version     versionCmd     `cmd:"" help:"Print the version." aliases:"ver"`
	Completion  completionCmd  `cmd:"" help:"Print a shell completion script."`
}

const description = `Run many Helm releases as one unit: one graph over all state files, one diff, one concurrent apply, and rollback of everything when a release fails.

Exit codes: 0 done; 1 failed; 2 changes, with --detailed-exitcode, or drift that drift --fix leaves; 3 usage, or nothing matched; 4 the plan is stale; 5 another operation is in progress; 6 failed and fully undone; 7 failed and undo incomplete; 8 refused by a rule; 130/143 interrupted, after a clean stop.`

// Run parses args and runs one command. It returns the exit code of the
// process; what went wrong is printed once, on the error stream.
func Run(ctx context.Context, args []string, env Env) int {
	var g grammar
	exited := -1
	parser, typed, err := grammarFor(&g, env, args, func(code int) { exited = code })
	if err != nil {
		fmt.Fprintf(env.Streams.Err, "flotilla: building the command line: %v\n", err)
		return exitFailed
	}
	command, err := parser.Parse(typed.args)
	if exited >= 0 {
		return exited
	}
	secrets := newSecrets(env)
	defer secrets.close()
	env.Streams = secrets.mask(env.Streams)
	asked, rerr := g.reports(env, typed.given)
	env.Streams = asked.streams(env.Streams)
	v, verr := g.view(env, typed.given)
	if err := errors.Join(usage(err), usage(verr), usage(rerr)); err != nil {
		if v == nil {
			v, _ = view.New(view.FormatHuman, env.Streams, env.Now)
		}
		v.Error(err)
		return exitUsage
	}
	v = asked.collect(v, env, command.Command(), &g.Globals)
	tellIdle(v, typed, g.formats())
	s := &session{globals: &g.Globals, env: env, view: secrets.view(v), parser: parser, command: command.Command(), given: typed.given, secrets: secrets, fence: &fence{}, reports: asked}
	s.clusters = s.clustersOnce()
	defer s.listen(ctx, graceOf(command.Selected()))()
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(s)
	if untold := withoutTold(err); untold != nil {
		s.view.Error(untold)
	}
	return asked.write(v, exitCode(ctx, err))
}

func usage(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; see flotilla --help", err)
}
