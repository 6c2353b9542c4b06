package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/lease"
)

type unlockCmd struct {
	Reason string `placeholder:"TEXT" help:"Why; it is kept with the lock, and the run that held it tells it."`
	Yes    bool   `short:"y" help:"Break the lock without asking."`
}

// Run shows who holds the lock in the clusters of the state files' releases, and
// breaks it. Who lets go of nothing that is held is no failure.
func (c *unlockCmd) Run(ctx context.Context, s *session) error {
	owner, contexts, err := s.everywhere(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range contexts {
		if err := c.unlock(ctx, s, name, owner); err != nil {
			errs = append(errs, interrupted(ctx, err))
		}
	}
	return errors.Join(errs...)
}

func (c *unlockCmd) unlock(ctx context.Context, s *session, name string, owner spec.Owner) error {
	cluster, err := s.clusters().Get(name)
	if err != nil {
		return err
	}
	held, broken, err := lease.Look(ctx, cluster, owner)
	if err != nil {
		return err
	}
	if held == nil {
		text := fmt.Sprintf("%s: nobody holds the lock of %s\n", name, owner.ID)
		if broken != nil {
			text += "  it was " + broken.String() + "\n"
		}
		return view.Text(s.env.Streams.Out, text)
	}
	lasts := fmt.Sprintf("its lease lasts %s more unless it is renewed", held.Expires.Round(time.Second))
	if held.Expires <= 0 {
		lasts = "its lease has expired: the next run takes it over"
	}
	if err := view.Text(s.env.Streams.Out, fmt.Sprintf("%s: %s holds the lock of %s; %s\n", name, held.Holder, owner.ID, lasts)); err != nil {
		return err
	}
	if !c.Yes {
		yes, err := s.question(ctx, "Do you really want to break the lock? A run that still goes on stops before its next write, and undoes nothing.")
		if err != nil {
			return fmt.Errorf("%w; give --yes to break the lock without being asked", err)
		}
		if !yes {
			return nil
		}
	}
	by := s.holder()
	by.Command = ""
	if err := (&lease.Break{By: by.String(), At: s.env.Now(), Reason: c.Reason}).Take(ctx, cluster, owner, *held); err != nil && !errors.Is(err, lease.ErrFree) {
		return err
	}
	return s.tell(name + ": the lock is broken")
}

func sortedOnce(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
