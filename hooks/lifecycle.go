package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/program"
)

// ErrNoExec: a hook was due although starting programs is switched off.
var ErrNoExec = errors.New("hooks are switched off")

// Options say how the hooks of one state file run.
type Options struct {
	// File is the state file: its folder is the working folder of every hook,
	// its environment and values are what templates see.
	File spec.File
	// Namespace is .Namespace of templates: the namespace that the command line
	// puts on all releases, empty if none, as in helmfile.
	Namespace string
	// Command is .HelmfileCommand of templates: the name of our own command.
	Command string
	// Render renders a template with data; ctx is that of who fires. Nil takes
	// text as it is.
	Render func(ctx context.Context, text string, data any) (string, error)
	// Output gets the output of hooks that have showlogs, line by line as it
	// comes. It is called by one goroutine at a time within one Fire; several
	// Fires may run at once. Nil drops the output.
	Output func(Line)
	// NoExec makes every hook that is due an error.
	NoExec bool
	// Grace is the time between the signal that asks a hook to end and the one
	// that ends it. Zero: 10 s.
	Grace time.Duration
}

// Line is one line of a hook's output.
type Line struct {
	Event spec.HookEvent
	Hook  string // its name
	Text  string // without line break
}

// Error says which hook failed, and the last lines that it wrote. It never
// holds arguments: they may be secrets.
type Error struct {
	Event  spec.HookEvent
	Hook   string
	Pos    spec.Pos
	Output []string // the last lines, at most 20
	Err    error
}

// Error prints the place first, as compilers do.
func (e *Error) Error() string {
	var s strings.Builder
	if at := e.Pos.String(); at != "" {
		s.WriteString(at + ": ")
	}
	fmt.Fprintf(&s, "running hook %q at %s: %v", e.Hook, e.Event, e.Err)
	return Told(s.String(), e.Output)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Runner runs the lifecycle hooks of one state file. Safe for concurrent use.
type Runner struct{ opts Options }

// New makes a Runner.
func New(opts Options) *Runner {
	if opts.Grace == 0 {
		opts.Grace = 10 * time.Second
	}
	if opts.Render == nil {
		opts.Render = func(_ context.Context, text string, _ any) (string, error) { return text, nil }
	}
	return &Runner{opts: opts}
}

// Fire runs those of hooks that listen to event, in list order; the first that
// fails stops the list. A nil release means global hooks, which see neither
// .Release nor .Values. Cause is what failed before, for .Event.Error, or nil.
//
// When ctx ends, the running hook and all processes of its group are asked to
// end, and ended after Options.Grace. Errors are *Error.
func (r *Runner) Fire(ctx context.Context, event spec.HookEvent, rel *spec.Release, hooks []spec.Hook, cause error) error {
	for _, hook := range hooks {
		if !slices.Contains(hook.Events, event) {
			continue
		}
		failed := &Error{Event: event, Hook: nameOf(hook), Pos: hook.Pos}
		if err := r.run(ctx, hook, r.data(event, rel, cause), failed); err != nil {
			failed.Err = err
			return failed
		}
	}
	return nil
}

// nameOf is the name, or what the hook starts, before templates are rendered.
func nameOf(hook spec.Hook) string {
	switch {
	case hook.Name != "":
		return hook.Name
	case hook.KubectlApply != nil:
		return "kubectlApply"
	default:
		return hook.Command
	}
}

func (r *Runner) run(ctx context.Context, hook spec.Hook, data map[string]any, failed *Error) error {
	if err := r.startable(ctx); err != nil {
		return err
	}
	argv, err := r.render(ctx, hook, data)
	if err != nil {
		return err
	}
	return r.start(ctx, process{argv: argv, dir: r.opts.File.Dir, show: hook.ShowLogs}, failed)
}

func (r *Runner) startable(ctx context.Context) error {
	if r.opts.NoExec {
		return fmt.Errorf("%w: this run must not start programs", ErrNoExec)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("not started: %w", context.Cause(ctx))
	}
	return nil
}

// render gives the program to start and its arguments.
func (r *Runner) render(ctx context.Context, hook spec.Hook, data map[string]any) ([]string, error) {
	argv, err := argvOf(hook)
	if err != nil {
		return nil, err
	}
	for i, text := range argv {
		if argv[i], err = r.opts.Render(ctx, text, data); err != nil {
			return nil, fmt.Errorf("rendering %s: %w", part(i), err)
		}
	}
	if strings.TrimSpace(argv[0]) == "" {
		return nil, errors.New("its command is empty")
	}
	return argv, nil
}

// argvOf gives the command and arguments, not rendered yet. A kubectlApply wins
// over a command, as in helmfile.
func argvOf(hook spec.Hook) ([]string, error) {
	if hook.KubectlApply == nil {
		return append([]string{hook.Command}, hook.Args...), nil
	}
	file, isFile := hook.KubectlApply["filename"]
	folder, isFolder := hook.KubectlApply["kustomize"]
	switch {
	case isFile && isFolder:
		return nil, errors.New("kubectlApply has both filename and kustomize: give one of them")
	case isFile:
		return []string{"kubectl", "apply", "-f", file}, nil
	case isFolder:
		return []string{"kubectl", "apply", "-k", folder}, nil
	default:
		return nil, errors.New("kubectlApply has neither filename nor kustomize: give one of them")
	}
}

func part(i int) string {
	if i == 0 {
		return "its command"
	}
	return fmt.Sprintf("its argument %d", i)
}

// process is a program that a hook starts.
type process struct {
	argv []string
	env  []string // on top of our own
	dir  string
	show bool // its output is for Options.Output
	hide func(text string) string
}

// start runs a program without a shell and waits for it. failed gets its last
// lines.
func (r *Runner) start(ctx context.Context, p process, failed *Error) error {
	out := &lines{hide: p.hide}
	if p.show && r.opts.Output != nil {
		out.emit = func(text string) {
			r.opts.Output(Line{Event: failed.Event, Hook: failed.Hook, Text: text})
		}
	}
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Dir = p.dir
	if len(p.env) > 0 {
		cmd.Env = append(os.Environ(), p.env...)
	}
	cmd.Stdout, cmd.Stderr = out, out
	err := program.Run(ctx, cmd, r.opts.Grace)
	out.flush()
	failed.Output = out.last()
	var lookup *exec.Error
	if errors.As(err, &lookup) {
		return fmt.Errorf("starting %q: %w", filepath.Base(lookup.Name), lookup.Err)
	}
	return err
}
