package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/spec"
)

type lintCmd struct {
	concurrency
	overlay
	needsFlags
	rawArgs
}

// Run checks charts with the values that each release gives them.
func (c *lintCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, request{over: c.overlay, needs: c.needsFlags, limit: c.Concurrency, raw: helmText{args: c.Args}})
	if err != nil {
		return err
	}
	t := s.tools(f)
	return t.around(ctx, f, func(f *fleet) error {
		defer t.tidy(ctx, f.releases)
		return s.lint(ctx, t, f)
	})
}

func (s *session) lint(ctx context.Context, t *tools, f *fleet) error {
	messages := make([][]engine.LintMessage, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(fetches), func(i int) { messages[i], errs[i] = t.lint(ctx, f, f.releases[i]) })
	for i, r := range f.releases {
		for _, m := range messages[i] {
			if m.Severity == engine.SeverityError || m.Severity == engine.SeverityWarning && f.calls[r.File].strict {
				errs = append(errs, fmt.Errorf("linting %s: %s: %s", r.ID, m.Path, m.Text))
				continue
			}
			line := fmt.Sprintf("%s: %s: %s: %s\n", r.ID, m.Severity, m.Path, m.Text)
			if err := view.Text(s.env.Streams.Out, s.secrets.met.Redact(line)); err != nil {
				return err
			}
		}
	}
	return interrupted(ctx, errors.Join(errs...))
}

func (t *tools) lint(ctx context.Context, f *fleet, r spec.Release) ([]engine.LintMessage, error) {
	if !r.Installed {
		return nil, nil
	}
	in, err := f.complete(ctx, engine.RenderInput{Release: r})
	if err != nil {
		return nil, err
	}
	return t.engine.Lint(ctx, in)
}
