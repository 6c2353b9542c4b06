package cli

import (
	"context"

	"github.com/flotilla-sh/flotilla/plan"
)

type diffCmd struct {
	format
	overlay
	needsFlags
	diffFlags
	ReuseValues          bool `help:"Put the values on top of those of the deployed revision."`
	SkipSchemaValidation bool `help:"Do not check values against the chart's schema."`
	ForcePending         bool `help:"Show what would be done to releases that say an operation is in progress."`
	DetailedExitcode     bool `help:"Exit with 2 when there are changes."`
	SuppressDiff         bool `help:"Show one line a release instead of the differences."`
}

// Run shows the plan that apply would run, and writes nothing.
func (c *diffCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, c.overlay, c.needsFlags)
	if err != nil {
		return interrupted(ctx, err)
	}
	t := s.tools(f)
	if f, err = f.bind(t); err != nil {
		return err
	}
	helm := helmFlags{ReuseValues: c.ReuseValues, SkipSchemaValidation: c.SkipSchemaValidation}
	f.releases = changeRequest{helm: helm}.override(f.releases)
	return t.hooks.around(ctx, f.releases, func() error {
		p, err := s.plan(ctx, t, f, plan.Policy{ForcePending: c.ForcePending, Diff: c.compare()})
		if err != nil {
			return err
		}
		show := c.show()
		show.Brief = c.SuppressDiff
		s.view.Plan(p, show)
		if c.DetailedExitcode && p.Changed() {
			return told{exitChanges}
		}
		return nil
	})
}
