package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
)

// command makes a program that has to end well.
func (r *Runner) command(g spec.Gate) trial {
	p := hooks.Program{Name: g.Title(), Argv: g.Command.Argv, Dir: g.Command.Dir, Show: g.Command.ShowLogs}
	for _, name := range slices.Sorted(maps.Keys(g.Command.Env)) {
		p.Env = append(p.Env, name+"="+g.Command.Env[name])
	}
	return trial{want: "exit status 0", try: func(ctx context.Context) error {
		said, err := r.opts.Programs.Start(ctx, p)
		switch {
		case err == nil:
			return nil
		case len(said) == 0:
			return err
		default:
			return fmt.Errorf("%w; its last output:\n  %s", err, r.opts.Redact(strings.Join(said, "\n  ")))
		}
	}}
}
