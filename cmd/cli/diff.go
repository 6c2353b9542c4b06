package cli

import (
	"context"
	"errors"

	"github.com/flotilla-sh/flotilla/plan"
)

type diffCmd struct {
	format
	reportFlags
	concurrency
	overlay
	needsFlags
	diffFlags
	rawArgs
	templateFlags
	upgradeFlags
	pruneFlags
	against
	ForcePending     bool `help:"Show what would be done to releases that say an operation is in progress."`
	DetailedExitcode bool `help:"Exit with 2 when there are changes."`
}

// Run shows the plan that apply would run, and writes nothing.
func (c *diffCmd) Run(ctx context.Context, s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	t, f, err := s.bound(ctx, request{
		over: c.overlay, needs: c.needsFlags, limit: c.Concurrency, validate: c.Validate,
		helm: helmFlags{template: c.templateFlags, upgrade: c.upgradeFlags, lines: c.SuppressOutputLineRegex},
		raw:  helmText{args: c.Args, diff: c.DiffArgs, template: c.TemplateArgs, heeds: []helmList{listDiff, listRender}},
	})
	if err != nil {
		return err
	}
	if f.prune, err = s.pruning(f, c.pruneFlags); err != nil {
		return err
	}
	look := f.look(c.diffFlags, c.format)
	return t.around(ctx, f, func(f *fleet) error {
		defer t.tidy(ctx, f.releases)
		p, err := s.plan(ctx, t, f, plan.Policy{Against: c.Against, ForcePending: c.ForcePending, Diff: look.compare})
		if err != nil {
			return err
		}
		s.view.Plan(p, look.show)
		// At the level live a conflict is the nature of much drift, which whoever
		// looks for drift wants told as such.
		if err := objected(p); err != nil && c.Against != plan.LevelLive {
			return errors.Join(err, f.prune.judge(p))
		}
		if err := f.prune.judge(p); err != nil {
			return err
		}
		if c.DetailedExitcode && p.Changed() {
			return told{exitChanges}
		}
		return nil
	})
}
