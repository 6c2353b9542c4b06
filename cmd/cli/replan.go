package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/file"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// savedPlan is what a file holds.
type savedPlan struct {
	*plan.Saved
	charts map[string][]byte // archives by digest
}

// renewed is a saved plan whose stale releases were planned anew, ready to be
// saved and to be executed.
type renewed struct {
	savedPlan
	plan *plan.Plan
	what plan.Renewals
}

// unreviewedError says that a plan was made anew and somebody has to look at it.
// It is state.ErrStale.
type unreviewedError struct{ plan string }

// Error says what to do.
func (e *unreviewedError) Error() string {
	return fmt.Sprintf("what would be applied now is not what was reviewed: nothing was written; "+
		"save it with flotilla plan --replan %s -o FILE and apply that file once it is reviewed, or give --interactive to be asked", e.plan)
}

// Is makes it state.ErrStale.
func (e *unreviewedError) Is(target error) bool { return target == state.ErrStale }

// staleReleases tells what moved of which release; nil for any other error.
func staleReleases(err error) map[spec.ReleaseID]string {
	moved := map[spec.ReleaseID]string{}
	for _, one := range view.Flatten(err) {
		var stale *plan.StaleError
		if errors.As(one, &stale) {
			moved[stale.Release] = stale.Moved
		}
	}
	return moved
}

// renew plans the releases of a saved plan that are stale anew. When none is
// it gives the saved plan as it is.
func (s *session) renew(ctx context.Context, from savedPlan) (*renewed, error) {
	if err := s.sameClusters(ctx, from.Saved); err != nil {
		return nil, err
	}
	p, err := s.onto(ctx, from.Saved)
	if err == nil {
		return &renewed{savedPlan: from, plan: p}, nil
	}
	moved := staleReleases(err)
	if len(moved) == 0 {
		return nil, err
	}
	ids := map[spec.ReleaseID]bool{}
	for id := range moved {
		ids[id] = true
	}
	rest, err := s.onto(ctx, from.Without(ids))
	if err != nil {
		return nil, err
	}
	next, c, err := s.again(from.Made)
	if err != nil {
		return nil, err
	}
	t, f, err := next.bound(ctx, c.request())
	if err != nil {
		return nil, err
	}
	if f.releases, err = onlyStale(f.releases, moved); err != nil {
		return nil, err
	}
	var out *renewed
	err = t.around(ctx, f, func(f *fleet) error {
		defer t.tidy(ctx, f.releases)
		out, err = c.renew(ctx, t, renewing{from: from, rest: rest, moved: moved, fleet: f})
		return err
	})
	return out, err
}

// onlyStale keeps the releases that moved; all of them have to be there.
func onlyStale(releases []spec.Release, moved map[spec.ReleaseID]string) ([]spec.Release, error) {
	kept := slices.DeleteFunc(slices.Clone(releases), func(r spec.Release) bool {
		_, stale := moved[r.ID]
		return !stale
	})
	var errs []error
	for id, why := range moved {
		if !slices.ContainsFunc(kept, func(r spec.Release) bool { return r.ID == id }) {
			errs = append(errs, fmt.Errorf("planning anew: %s moved (%s), and is not among the selected releases of the state files any more: plan everything anew", id, why))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return kept, errors.Join(errs...)
}

// renewing is a saved plan that is being planned anew in part.
type renewing struct {
	from  savedPlan
	rest  *plan.Plan                // of the releases that did not move
	moved map[spec.ReleaseID]string // the others
	fleet *fleet
}

func (c *planCmd) renew(ctx context.Context, t *tools, w renewing) (*renewed, error) {
	s := t.session
	look := w.fleet.look(c.diffFlags, c.format())
	look.compare.ShowSecrets = false
	fresh, err := c.make(ctx, t, w.fleet, look)
	if err != nil {
		return nil, err
	}
	out := &renewed{}
	if out.plan, err = w.from.Renew(w.rest, fresh); err != nil {
		return nil, err
	}
	s.reread(w.from.Saved)
	origin, err := c.origin(ctx, t, w.fleet, planned{fresh, look.compare.NoHooks})
	if err != nil {
		return nil, err
	}
	frozen := origin.Hooks
	out.what.Files = w.from.FileMoves(origin.Files, origin.Made)
	if out.Saved, err = w.from.Renewed(out.plan, fresh, origin); err != nil {
		return nil, err
	}
	if out.charts, err = t.archives(out.Saved, w.from.charts); err != nil {
		return nil, err
	}
	look.compare.Redact = s.secrets.met.Redact
	for _, step := range w.from.Plan.Steps {
		id := step.Release.ID
		moved, stale := w.moved[id]
		if !stale {
			continue
		}
		at := slices.IndexFunc(fresh.Steps, func(f plan.Step) bool { return f.Release.ID == id })
		one, err := plan.Renewal{Moved: moved, Reviewed: step, New: fresh.Steps[at]}.Compared(look.compare)
		if err != nil {
			return nil, err
		}
		if one.New.Action.Writes() && !plan.SameHooks(w.from.Hooks, frozen, id) {
			one.Other = append(one.Other, "other lifecycle hooks")
		}
		if one.New.Action.Writes() && !plan.SameGates(step.Release, one.New.Release) {
			one.Other = append(one.Other, "other gates")
		}
		out.what.Releases = append(out.what.Releases, one)
	}
	return out, nil
}

// archives are the charts of a plan: known ones, and others from the store.
func (t *tools) archives(saved *plan.Saved, known map[string][]byte) (map[string][]byte, error) {
	charts := map[string][]byte{}
	for _, digest := range saved.Charts() {
		if charts[digest] = known[digest]; charts[digest] != nil {
			continue
		}
		found, err := t.charts.Open(digest)
		if err != nil {
			return nil, err
		}
		if charts[digest], err = found.Archive(); err != nil {
			return nil, err
		}
	}
	return charts, nil
}

// replan makes a new plan of a saved one: what is not stale stays byte for byte.
func (c *planCmd) replan(ctx context.Context, s *session) error {
	if c.Out == "" {
		return fmt.Errorf("%w: --replan needs -o FILE for the new plan; apply --replan applies it at once", errUsage)
	}
	if err := s.onlyOfTheRun("file"); err != nil {
		return err
	}
	saved, charts, err := s.readPlan(c.Replan, c.identities)
	if err != nil {
		return err
	}
	next, err := s.renew(ctx, savedPlan{saved, charts})
	if err != nil {
		return err
	}
	look := c.show(c.format())
	s.view.Replan(next.what, look)
	s.view.Plan(next.plan, look)
	if err := objected(next.plan); err != nil {
		return err
	}
	if err := c.write(s, next.savedPlan); err != nil {
		return fmt.Errorf("saving the plan in %s: %w", c.Out, err)
	}
	if c.DetailedExitcode && next.plan.Changed() {
		return told{exitChanges}
	}
	return nil
}

// write puts a plan into the file of -o.
func (c *planCmd) write(s *session, p savedPlan) error {
	data, err := file.Pack(p.Saved, p.charts)
	if err != nil {
		return err
	}
	if len(c.EncryptTo) > 0 {
		if data, err = file.Encrypt(data, c.EncryptTo); err != nil {
			return err
		}
	}
	if err := writePrivate(c.Out, data); err != nil {
		return err
	}
	return s.tell(fmt.Sprintf("Saved in %s; to apply exactly this: flotilla apply %s", filepath.ToSlash(c.Out), filepath.ToSlash(c.Out)))
}

// applyRenewed applies a saved plan of which stale releases are planned anew.
// What was not reviewed is not applied without somebody's word.
func (s *session) applyRenewed(ctx context.Context, c *applyCmd, from savedPlan) error {
	next, err := s.renew(ctx, from)
	if err != nil {
		return err
	}
	look := c.show(c.format)
	s.view.Replan(next.what, look)
	look.Saved = from.Saved
	s.view.Plan(next.plan, look)
	if err := objected(next.plan); err != nil {
		return err
	}
	if !next.what.AsReviewed() && !s.globals.Interactive {
		return &unreviewedError{c.Plan}
	}
	if next.Saved != from.Saved {
		s.planFile, s.planPath = "", "" // what is executed is in no file
	}
	return s.executeSaved(ctx, c, next)
}

// executeSaved asks if wanted, and executes a plan with nothing but what its
// file holds.
func (s *session) executeSaved(ctx context.Context, c *applyCmd, p *renewed) error {
	if !p.plan.Changed() {
		return nil
	}
	if err := s.mayStart(c.Plan, p.Saved); err != nil {
		return err
	}
	charts, err := imported(p.charts)
	if err != nil {
		return fmt.Errorf("reading the plan %s: %w", c.Plan, err)
	}
	if yes, err := s.confirm(ctx, p.plan.Mode); err != nil || !yes {
		return err
	}
	e := s.engine(charts)
	w := executor.Workers{Releases: e, Undo: e, Hooks: s.frozen(p.Saved), Verify: s.gatekeeper(e), Resume: e, Look: e}
	q := c.request(p.plan.Mode)
	q.owner, q.made = p.Owner, &p.Made
	return s.executeAlone(ctx, w, p.plan, q)
}

// mayStart refuses a plan with hooks where programs may not be started, before
// anything is written.
func (s *session) mayStart(path string, p *plan.Saved) error {
	if len(p.Hooks) > 0 && s.noHooks() {
		return fmt.Errorf("applying %s: %w: its releases have hooks, such as those of %s", path, hooks.ErrNoExec, p.Hooks[0].Release)
	}
	return nil
}
