package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

// planFormat is format without its letter, which names the file here.
type planFormat struct {
	Output string `enum:"text,json,yaml,dyff,simple,diff,structured,template," default:"text" help:"Output format: text (also diff), dyff (differences by their path), simple (names of objects only), json (also structured), yaml."`
}

func (f planFormat) format() format { return format(f) }

type planCmd struct {
	planFormat
	reportFlags
	concurrency
	overlay
	needsFlags
	diffFlags
	rawArgs
	templateFlags
	upgradeFlags
	installFlags
	trackFlags
	pruneFlags
	against
	identities
	Out              string   `short:"o" placeholder:"FILE" help:"Save the plan, with all that applying it needs. The file holds secrets."`
	EncryptTo        []string `sep:"none" placeholder:"age1..." help:"Encrypt the file to this age recipient; may be repeated."`
	Replan           string   `placeholder:"PLAN" help:"Make a new plan of a saved one: releases that have moved since are planned anew, with the flags of that plan; all others stay as they are."`
	ForcePending     bool     `help:"Plan to take over releases that say an operation is in progress, when whoever started it is gone."`
	DetailedExitcode bool     `help:"Exit with 2 when there are changes."`
}

// Run shows the plan that apply would run, as diff does, and saves it.
func (c *planCmd) Run(ctx context.Context, s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Replan != "" {
		return c.replan(ctx, s)
	}
	if c.Out != "" {
		s.reads = &spec.ReadFiles{}
	}
	t, f, err := s.bound(ctx, c.request())
	if err != nil {
		return err
	}
	if f.prune, err = s.pruning(f, c.pruneFlags); err != nil {
		return err
	}
	look := f.look(c.diffFlags, c.format())
	if c.Out != "" {
		look.compare.ShowSecrets = false
	}
	return t.around(ctx, f, func(f *fleet) error {
		defer t.tidy(ctx, f.releases)
		p, err := c.make(ctx, t, f, look)
		if err != nil {
			return err
		}
		s.view.Plan(p, look.show)
		if err := f.accepted(p); err != nil {
			return err
		}
		if c.Out != "" {
			if err := c.save(ctx, t, f, planned{p, look.compare.NoHooks}); err != nil {
				return fmt.Errorf("saving the plan in %s: %w", c.Out, err)
			}
		}
		if c.DetailedExitcode && p.Changed() {
			return told{exitChanges}
		}
		return nil
	})
}

func (c *planCmd) request() request {
	r := toChange(c.overlay, c.diffFlags, c.rawArgs, helmFlags{template: c.templateFlags, upgrade: c.upgradeFlags, install: c.installFlags, track: c.trackFlags})
	r.needs, r.limit = c.needsFlags, c.Concurrency
	return r
}

func (c *planCmd) make(ctx context.Context, t *tools, f *fleet, look planLook) (*plan.Plan, error) {
	return t.session.plan(ctx, t, f, plan.Policy{Against: c.Against, ForcePending: c.ForcePending, Diff: look.compare})
}

func (c *planCmd) check() error {
	switch {
	case len(c.EncryptTo) > 0 && c.Out == "":
		return fmt.Errorf("%w: --encrypt-to needs -o FILE", errUsage)
	case len(c.Identity) > 0 && c.Replan == "":
		return fmt.Errorf("%w: --identity opens a saved plan: name its file with --replan", errUsage)
	case c.ShowSecrets && c.Out != "":
		return fmt.Errorf("%w: --show-secrets and -o exclude each other: the differences in a saved plan are masked", errUsage)
	}
	return c.diffFlags.check()
}

// planned is a plan, and whether hooks of charts were compared for it.
type planned struct {
	*plan.Plan
	noHooks bool
}

// save writes the plan into its file. The file is for its owner alone and is
// there as a whole or not at all.
func (c *planCmd) save(ctx context.Context, t *tools, f *fleet, p planned) error {
	from, err := c.origin(ctx, t, f, p)
	if err != nil {
		return err
	}
	saved, err := p.Save(from)
	if err != nil {
		return err
	}
	charts, err := t.archives(saved, nil)
	if err != nil {
		return err
	}
	return c.write(t.session, savedPlan{saved, charts})
}

// writePrivate puts a file in its place that only its owner can read.
func writePrivate(path string, data []byte) error {
	made, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	_, err = made.Write(data)
	if err == nil {
		err = made.Sync()
	}
	if err = errors.Join(err, made.Close()); err == nil {
		err = os.Rename(made.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(made.Name()))
	}
	return nil
}

// freeze renders the hooks that executing the plan will fire.
func (l *lifecycle) freeze(ctx context.Context, p *plan.Plan) ([]plan.StepHooks, error) {
	if !p.Changed() {
		return nil, nil
	}
	var all []plan.StepHooks
	var errs []error
	for _, s := range p.Steps {
		if len(s.Release.Hooks) == 0 {
			continue
		}
		frozen, err := l.runners[s.Release.File].Freeze(ctx, eventsOf(s.Action), &s.Release, s.Release.Hooks)
		errs = append(errs, err)
		if len(frozen) > 0 {
			all = append(all, plan.StepHooks{Release: s.Release.ID, Hooks: frozen})
		}
	}
	return all, errors.Join(errs...)
}

// eventsOf are the events of a step, as the executor fires them in an apply.
// Cleanup goes together with prepare, and both belong to planning.
func eventsOf(a plan.Action) []spec.HookEvent {
	events := []spec.HookEvent{spec.EventPreApply}
	if a.Writes() {
		events = append(events, spec.EventPreSync, spec.EventPostSync)
	}
	if a.Deletes() {
		events = append(events, spec.EventPreUninstall, spec.EventPostUninstall)
	}
	return events
}

// frozenHooks fires the hooks of a saved plan. It is an executor.HookRunner.
type frozenHooks struct {
	runner *hooks.Runner
	of     map[spec.ReleaseID][]hooks.Frozen
}

// Fire runs the hooks that a release has for an event.
func (h frozenHooks) Fire(ctx context.Context, event spec.HookEvent, r spec.Release, cause error) error {
	return h.runner.FireFrozen(ctx, event, h.of[r.ID], cause)
}
