package verify

import (
	"context"
	"maps"
	"slices"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
)

// command makes a program that has to end well.
func (r *Runner) command(g spec.Gate) trial {
	var secrets []string
	p := hooks.Program{Name: g.Title(), Argv: g.Command.Argv, Dir: g.Command.Dir, Show: g.Command.ShowLogs}
	for _, name := range slices.Sorted(maps.Keys(g.Command.Env)) {
		value := g.Command.Env[name]
		p.Env = append(p.Env, name+"="+value)
		if spec.SecretNamed(name) || spec.SecretText(value) {
			secrets = append(secrets, value)
		}
	}
	p.Hide = r.hiding(secrets)
	return trial{want: "exit status 0", try: func(ctx context.Context) error {
		lines, err := r.opts.Programs.Start(ctx, p)
		if err == nil || len(lines) == 0 {
			return err
		}
		return said{err, lines}
	}}
}

// said is how a program ended, with the last lines that it wrote.
type said struct {
	error
	lines []string
}

// Unwrap gives how it ended.
func (s said) Unwrap() error { return s.error }
