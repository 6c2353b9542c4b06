package cli

import (
	"bufio"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/journal"
	"github.com/flotilla-sh/flotilla/state/lease"
)

// changeFlags are what apply and sync have in common.
type changeFlags struct {
	format
	reportFlags
	overlay
	needsFlags
	diffFlags
	runFlags
	gateFlags
	pruneFlags
	rawArgs
	templateFlags
	upgradeFlags
	installFlags
	trackFlags
	idleTrack
	heldByNotes
	DetailedExitcode bool `help:"Exit with 2 when something was changed."`
}

func (c changeFlags) request(mode plan.Mode) changeRequest {
	r := toChange(c.overlay, c.diffFlags, c.rawArgs, helmFlags{template: c.templateFlags, upgrade: c.upgradeFlags, install: c.installFlags, track: c.trackFlags})
	r.needs, r.limit = c.needsFlags, c.Concurrency
	return changeRequest{
		request: r, mode: mode, format: c.format, diff: c.diffFlags, run: c.runFlags, detailed: c.DetailedExitcode, skipGates: c.SkipGates, prune: c.pruneFlags,
	}
}

type applyCmd struct {
	changeFlags
	against
	identities
	idleCleanup
	Replan bool   `help:"Of a saved plan, plan releases that have moved since anew, with its flags. What is not as reviewed is shown and needs --interactive."`
	Plan   string `arg:"" optional:"" name:"plan" help:"A file that plan -o wrote: apply exactly that, without state files, repositories and secret stores."`
}

// Run diffs, asks if wanted, and changes what differs; of a saved plan, what
// that says.
func (c *applyCmd) Run(ctx context.Context, s *session) error {
	if c.Plan != "" {
		return s.applySaved(ctx, c)
	}
	if c.Replan {
		return fmt.Errorf("%w: --replan is for a saved plan: name its file", errUsage)
	}
	if len(c.Identity) > 0 {
		return fmt.Errorf("%w: --identity opens a saved plan: name its file", errUsage)
	}
	q := c.request(plan.ModeApply)
	q.against = c.Against
	return s.change(ctx, q)
}

type syncCmd struct {
	changeFlags
}

// Run installs or upgrades every release; like helmfile it shows differences
// only to ask whether to go on.
func (c *syncCmd) Run(ctx context.Context, s *session) error {
	q := c.request(plan.ModeSync)
	q.diff.SuppressDiff = q.diff.SuppressDiff || !s.globals.Interactive
	return s.change(ctx, q)
}

type destroyCmd struct {
	format
	reportFlags
	needsFlags
	runFlags
	rawArgs
	deleteFlags
	heldByLooking
}

// Run uninstalls the selected releases in reverse order of their needs.
func (c *destroyCmd) Run(ctx context.Context, s *session) error {
	return s.change(ctx, changeRequest{
		request: request{needs: c.needsFlags, limit: c.Concurrency, helm: helmFlags{delete: c.deleteFlags}, raw: helmText{args: c.Args, acts: true}},
		mode:    plan.ModeDestroy, format: c.format, diff: diffFlags{showFlags: showFlags{SuppressDiff: true}}, run: c.runFlags,
	})
}

// changeRequest is what apply, sync and destroy ask of the same pipeline.
type changeRequest struct {
	request
	mode     plan.Mode
	against  plan.Level
	format   format
	diff     diffFlags
	run      runFlags
	detailed bool

	skipGates bool // of releases and groups
	prune     pruneFlags

	owner spec.Owner
	dir   string      // of the state files; empty: nobody knows
	made  *plan.Made  // of a saved plan; nil: this is none
	lock  *lease.Lock // that the run has; nil: none yet
	// expected waits for what earlier runs tell of how long steps take; nil: nobody
	// has asked.
	expected func() map[journal.Task]time.Duration
	// again plans anew what has moved while the run waited for the lock; nil:
	// then the plan, which somebody has reviewed, is stale.
	again func() (*plan.Plan, error)
}

func (s *session) change(ctx context.Context, q changeRequest) error {
	if err := q.diff.check(); err != nil {
		return err
	}
	t, f, err := s.bound(ctx, q.request)
	if err != nil && q.mode == plan.ModeDestroy && s.allAbsent(ctx, q.request) {
		s.view.Warn(fmt.Sprintf("nothing to destroy: no selected release is installed; but %v", err))
		return nil
	}
	if err != nil {
		return err
	}
	if q, err = q.of(f); err != nil {
		return err
	}
	if q.mode != plan.ModeDestroy {
		if f.prune, err = s.pruning(f, q.prune); err != nil {
			return err
		}
	}
	look := f.look(q.diff, q.format)
	return t.around(ctx, f, func(f *fleet) error {
		anew := func() (*plan.Plan, error) {
			p, err := s.plan(ctx, t, f, plan.Policy{Mode: q.mode, Against: q.against, ForcePending: q.run.ForcePending, Diff: look.compare})
			if err != nil {
				return nil, err
			}
			s.view.Plan(p, look.show)
			return p, f.accepted(p)
		}
		p, lock, err := s.planned(ctx, f, q, anew)
		if lock != nil {
			defer s.release(ctx, lock)
		}
		if err != nil || !p.Changed() {
			return err
		}
		if yes, err := s.confirm(ctx, q.mode); err != nil || !yes {
			return err
		}
		if !s.globals.Interactive {
			q.again = anew
		}
		q.lock = lock
		return s.executeAlone(ctx, t.workers(), p, q)
	})
}

// of adds whose releases these are, and where they are declared.
func (q changeRequest) of(f *fleet) (changeRequest, error) {
	var err error
	if q.owner, err = f.spec.Owner(); err == nil && len(f.spec.Files) > 0 {
		q.dir = filepath.Dir(f.spec.Files[len(f.spec.Files)-1].Path) // what it nests comes before it
	}
	return q, err
}

// allAbsent reports that no selected release is in the cluster, where needs are
// not to be followed. helmfile's destroy looks at needs only when there is
// something to uninstall.
func (s *session) allAbsent(ctx context.Context, q request) bool {
	q.policy = spec.NeedsIgnore
	t, f, err := s.bound(ctx, q)
	if err != nil {
		return false
	}
	seen := map[spec.ReleaseID]bool{}
	for _, id := range f.ids() {
		if seen[id] {
			return false
		}
		seen[id] = true
	}
	have, err := t.observe(ctx, f)
	return err == nil && !slices.ContainsFunc(f.ids(), func(id spec.ReleaseID) bool { return have[id].Last() != nil })
}

// execute runs a plan and tells how it went; the report decides the exit code.
func (s *session) execute(ctx context.Context, w executor.Workers, p *plan.Plan, q changeRequest) error {
	record, err := s.record(ctx, p, q)
	if err != nil {
		return err
	}
	s.view.Begin(p)
	opts := s.executing(executor.Options{Scope: q.run.Rollback, KeepGoing: q.run.KeepGoing}, record, q)
	report := executor.Run(ctx, p, w, opts)
	record.finish(ctx, s, report)
	s.view.End()
	s.view.Report(report, p.Mode)
	s.advise(report, record)
	if code := reportCode(report); code != exitDone {
		return told{code}
	}
	if q.detailed && p.Changed() {
		return told{exitChanges}
	}
	return nil
}

// confirm asks when --interactive says so.
func (s *session) confirm(ctx context.Context, mode plan.Mode) (bool, error) {
	if !s.globals.Interactive {
		return true, nil
	}
	return s.question(ctx, fmt.Sprintf("Do you really want to %s?", mode))
}

// question waits for an answer. An interrupt is one, too: the goroutine that still
// reads then ends with the process.
func (s *session) question(ctx context.Context, text string) (bool, error) {
	s.view.Ask(text)
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
