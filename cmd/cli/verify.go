package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/hooks/verify"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

// gateFlags say whether what was installed or upgraded is verified.
type gateFlags struct {
	SkipGates bool `help:"Do not run the gates of releases and groups (verify); the provenance of charts is checked all the same."`
}

// gates renders the gates of all releases that a plan installs or upgrades, so
// that a mistake in one is told before anything is written.
func (t *tools) gates(ctx context.Context, f *fleet, p *plan.Plan) error {
	var errs []error
	for i := range p.Steps {
		s := &p.Steps[i]
		r := &s.Release
		if !s.Action.Writes() || s.Action.Deletes() {
			continue
		}
		var err error
		if len(r.Verify) > 0 {
			r.Verify, err = t.hooks.runners[r.File].Gates(ctx, r, r.Verify)
			errs = append(errs, err)
		}
		var group []spec.Gate
		for _, g := range r.GroupVerify {
			one, err := t.hooks.runners[g.File].Gates(ctx, nil, []spec.Gate{g})
			group, errs = append(group, one...), append(errs, err)
		}
		r.GroupVerify = group
	}
	return interrupted(ctx, errors.Join(once(errs)...))
}

// once leaves out what is told already: every member of a group has its gates.
func once(errs []error) []error {
	told := map[string]bool{}
	var out []error
	for _, err := range errs {
		if err != nil && !told[err.Error()] {
			told[err.Error()] = true
			out = append(out, err)
		}
	}
	return out
}

// gated are the workers with or without gates. Where programs may not be started a
// gate that is one is refused, before anything is written.
func (s *session) gated(w executor.Workers, p *plan.Plan, q changeRequest) (executor.Workers, error) {
	gates, programs := 0, []string(nil)
	for _, step := range p.Steps {
		if !step.Action.Writes() || step.Action.Deletes() {
			continue
		}
		for _, list := range [][]spec.Gate{step.Release.Verify, step.Release.GroupVerify} {
			for _, g := range list {
				gates++
				if g.Kind == spec.GateCommand {
					programs = append(programs, fmt.Sprintf("%s of %s", g.Title(), step.Release.ID))
				}
			}
		}
	}
	switch {
	case q.skipGates:
		w.Verify = nil
		if gates > 0 {
			s.view.Warn("what is installed or upgraded is not verified, as --skip-gates says")
		}
	case len(programs) > 0 && s.globals.NoExec:
		return w, fmt.Errorf("nothing was written: %w, and so are gates that are programs, such as %s; --skip-gates leaves out all gates", hooks.ErrNoExec, programs[0])
	}
	return w, nil
}

// gatekeeper runs the gates of a run. It is an executor.Verifier.
type gatekeeper struct {
	session *session
	runner  *verify.Runner
}

func (s *session) gatekeeper(e *engine.Engine) gatekeeper {
	return gatekeeper{s, verify.New(verify.Options{
		Programs: hooks.New(hooks.Options{NoExec: s.globals.NoExec, Output: s.hookLine}),
		Test: func(ctx context.Context, r spec.Release, g spec.Gate) error {
			opts := engine.TestOptions{Timeout: g.Timeout, Only: g.Test.Only, Skip: g.Test.Skip}
			if g.Test.Logs {
				opts.Logs = &hookLog{session: s, name: r.ID.String()}
			}
			return e.Test(ctx, r, opts)
		},
		Redact: s.secrets.met.Redact,
		Now:    s.env.Now,
	})}
}

// Verify runs one gate.
func (k gatekeeper) Verify(ctx context.Context, r spec.Release, g spec.Gate) error {
	whose := ""
	if g.Group != "" {
		whose = "the group " + g.Group + ": "
	}
	return k.runner.Run(ctx, r, g, func(text string) { k.session.view.Gate(r.ID, whose+text) })
}

// Gate passes the name of a gate on, which may have been made of values.
func (v redactedView) Gate(release spec.ReleaseID, text string) {
	v.View.Gate(release, v.met.Redact(text))
}
