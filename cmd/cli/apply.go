package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
)

// diffFlags are the ways to show a plan.
type diffFlags struct {
	Context           int      `default:"3" help:"Lines of context around a difference; -1 shows whole objects."`
	SkipDiffOnInstall bool     `help:"Of releases that are not installed yet, list the objects without their content."`
	Suppress          []string `sep:"none" placeholder:"KIND" help:"Kinds of objects not to show."`
	ShowSecrets       bool     `help:"Show the values of Secrets."`
	NoHooks           bool     `help:"Do not compare chart hooks."`
}

func (d diffFlags) show() view.PlanOptions {
	return view.PlanOptions{Context: d.Context, Suppress: d.Suppress, NamesOnInstall: d.SkipDiffOnInstall}
}

func (d diffFlags) compare() diff.Options {
	return diff.Options{ShowSecrets: d.ShowSecrets, NoHooks: d.NoHooks}
}

// runFlags are the ways to run a plan.
type runFlags struct {
	Concurrency  int        `default:"0" help:"Releases worked on at once; 0: as many as the graph allows, at most 64."`
	Rollback     plan.Scope `enum:"plan,group,release,none" default:"plan" help:"What to put back when a release fails: everything this run did (plan), the failed release's atomicGroup and what needs it (group), only the failed release (release), or nothing (none)."`
	KeepGoing    bool       `help:"Let releases that do not need a failed one go on."`
	ForcePending bool       `help:"Take over releases that say an operation is in progress, when whoever started it is gone."`
}

// helmFlags override how Helm works on every release.
type helmFlags struct {
	Wait                 bool   `help:"Wait until the objects of every release are ready."`
	WaitForJobs          bool   `help:"With waiting, also wait until Jobs are complete."`
	Timeout              int    `placeholder:"SECONDS" help:"Timeout of one operation on a release."`
	SkipCRDs             bool   `name:"skip-crds" help:"Do not install the CRDs of charts."`
	TakeOwnership        bool   `help:"Adopt objects that belong to nobody or to another release."`
	ReuseValues          bool   `help:"Put the values on top of those of the deployed revision."`
	SkipSchemaValidation bool   `help:"Do not check values against the chart's schema."`
	Description          string `help:"Description of the new revisions."`
	Cascade              string `enum:",background,foreground,orphan" default:"" help:"How objects are deleted (background, foreground, orphan)."`
}

type applyCmd struct {
	format
	overlay
	needsFlags
	diffFlags
	runFlags
	helmFlags
	DetailedExitcode bool `help:"Exit with 2 when something was changed."`
	SuppressDiff     bool `help:"Show one line a release instead of the differences."`
}

// Run diffs, asks if wanted, and changes what differs.
func (c *applyCmd) Run(ctx context.Context, s *session) error {
	return s.change(ctx, changeRequest{
		mode: plan.ModeApply, over: c.overlay, needs: c.needsFlags, diff: c.diffFlags, run: c.runFlags, helm: c.helmFlags,
		brief: c.SuppressDiff, detailed: c.DetailedExitcode,
	})
}

type syncCmd struct {
	format
	overlay
	needsFlags
	diffFlags
	runFlags
	helmFlags
	DetailedExitcode bool `help:"Exit with 2 when something was changed."`
}

// Run installs or upgrades every release; like helmfile it shows differences
// only to ask whether to go on.
func (c *syncCmd) Run(ctx context.Context, s *session) error {
	return s.change(ctx, changeRequest{
		mode: plan.ModeSync, over: c.overlay, needs: c.needsFlags, diff: c.diffFlags, run: c.runFlags, helm: c.helmFlags,
		brief: !s.globals.Interactive, detailed: c.DetailedExitcode,
	})
}

type destroyCmd struct {
	format
	needsFlags
	runFlags
	Cascade       string `enum:",background,foreground,orphan" default:"" help:"How objects are deleted (background, foreground, orphan)."`
	DeleteWait    bool   `name:"deleteWait" help:"Wait until the objects are gone."`
	DeleteTimeout int    `name:"deleteTimeout" placeholder:"SECONDS" help:"Timeout of one uninstall."`
}

// Run uninstalls the selected releases in reverse order of their needs.
func (c *destroyCmd) Run(ctx context.Context, s *session) error {
	return s.change(ctx, changeRequest{
		mode: plan.ModeDestroy, needs: c.needsFlags, run: c.runFlags, brief: true,
		helm: helmFlags{Cascade: c.Cascade}, deleteWait: c.DeleteWait, deleteTimeout: c.DeleteTimeout,
	})
}

// changeRequest is what apply, sync and destroy ask of the same pipeline.
type changeRequest struct {
	mode          plan.Mode
	over          overlay
	needs         needsFlags
	diff          diffFlags
	run           runFlags
	helm          helmFlags
	brief         bool
	detailed      bool
	deleteWait    bool
	deleteTimeout int
}

func (s *session) change(ctx context.Context, q changeRequest) error {
	f, err := s.load(ctx, q.over, q.needs)
	if err != nil {
		return interrupted(ctx, err)
	}
	t := s.tools(f)
	if f, err = f.bind(t); err != nil {
		return err
	}
	f.releases = q.override(f.releases)
	return t.hooks.around(ctx, f.releases, func() error {
		p, err := s.plan(ctx, t, f, plan.Policy{Mode: q.mode, ForcePending: q.run.ForcePending, Diff: q.diff.compare()})
		if err != nil {
			return err
		}
		show := q.diff.show()
		show.Brief = q.brief
		s.view.Plan(p, show)
		if !p.Changed() {
			return nil
		}
		if yes, err := s.confirm(ctx, q.mode); err != nil || !yes {
			return err
		}
		return s.execute(ctx, t, p, q)
	})
}

// execute runs a plan and tells how it went; the report decides the exit code.
func (s *session) execute(ctx context.Context, t *tools, p *plan.Plan, q changeRequest) error {
	s.view.Begin(p)
	report := executor.Run(ctx, p, executor.Workers{Releases: t.engine, Undo: t.engine, Hooks: t.hooks}, executor.Options{
		Concurrency: q.run.Concurrency,
		Scope:       q.run.Rollback,
		KeepGoing:   q.run.KeepGoing,
		Observe:     s.view.Event,
		Now:         s.env.Now,
		Abort:       s.env.Abort,
	})
	s.view.End()
	s.view.Report(report, p.Mode)
	if code := reportCode(report); code != exitDone {
		return told{code}
	}
	if q.detailed && p.Changed() {
		return told{exitChanges}
	}
	return nil
}

// confirm asks when --interactive says so. An interrupt is an answer, too: the
// goroutine that still reads then ends with the process.
func (s *session) confirm(ctx context.Context, mode plan.Mode) (bool, error) {
	if !s.globals.Interactive {
		return true, nil
	}
	s.view.Ask(fmt.Sprintf("Do you really want to %s?", mode))
	type line struct {
		text string
		err  error
	}
	answered := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(s.env.Stdin).ReadString('\n')
		answered <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case answer := <-answered:
		if answer.err != nil && answer.text == "" {
			return false, fmt.Errorf("reading the answer: %w", answer.err)
		}
		reply := strings.ToLower(strings.TrimSpace(answer.text))
		return reply == "y" || reply == "yes", nil
	}
}
