package cli

import (
	"context"
	"errors"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
)

// driftFormat is format for a command that shows no plan.
type driftFormat struct {
	Output string `short:"o" enum:"text,json,yaml" default:"text" help:"Output format: text, json (one object a line), yaml."`
}

type driftCmd struct {
	driftFormat
	reportFlags
	concurrency
	needsFlags
	fixFlags
	Against          plan.Level `enum:"release,live,server" default:"live" help:"How closely to look: at Helm's records only (release), at the objects as they are (live; needs only get and list), or also at what the API server would make of what was deployed (server; a dry run, which writes nothing)."`
	Strict           bool       `help:"Also find fields that somebody set and nobody declared."`
	DetailedExitcode bool       `help:"Exit with 2 when there is drift."`
}

// Run shows what is not as it was deployed. It renders nothing, so that charts
// and values need not be there, and starts no hooks.
func (c *driftCmd) Run(ctx context.Context, s *session) error {
	if err := c.check(c.Against); err != nil {
		return err
	}
	t, f, err := s.bound(ctx, request{needs: c.needsFlags, limit: c.Concurrency})
	if err != nil {
		return err
	}
	look, err := s.lookout(t, f, c)
	if err != nil {
		return err
	}
	report, err := look.report(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	s.view.Drift(report, view.DriftOptions{Against: c.Against})
	err = unseen(report)
	if c.Fix {
		err = errors.Join(err, look.fix(ctx, report))
		if ctx.Err() == nil && look.left(report) && err == nil {
			return told{exitChanges}
		}
	}
	if err == nil && c.DetailedExitcode && report.Drifted() {
		return told{exitChanges}
	}
	return err
}

// unseen joins why things could not be seen, each reason once.
func unseen(r drift.Report) error {
	var errs []error
	known := map[string]bool{}
	for _, u := range r.Unseen {
		if text := u.Err.Error(); !known[text] {
			known[text] = true
			errs = append(errs, u.Err)
		}
	}
	return errors.Join(errs...)
}

// lookout looks for drift.
type lookout struct {
	*driftCmd
	session *session
	tools   *tools
	fleet   *fleet
	owner   spec.Owner
	all     *spec.Spec // with every context and namespace filled in

	selector spec.Selector
	sights   []*driftSight // what report saw
	ready    bool          // also judge whether objects are ready
}

func (s *session) lookout(t *tools, f *fleet, c *driftCmd) (*lookout, error) {
	owner, err := f.spec.Owner()
	if err != nil {
		return nil, err
	}
	selector, err := spec.ParseSelector(s.globals.Selector)
	return &lookout{driftCmd: c, session: s, tools: t, fleet: f, owner: owner, all: f.spec, selector: selector}, err
}
