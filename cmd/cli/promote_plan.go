package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/promote"
)

// foresee plans the target as it is with the changed files, before any of them is
// written.
func (p *promotion) foresee(ctx context.Context) error {
	p.tellPins()
	p.notes = append(p.notes, p.others...)
	if len(p.files) == 0 || p.Output == formatPatch {
		return nil
	}
	before, err := p.planOf(ctx, p.to)
	if err != nil {
		return err
	}
	var own []string
	for _, step := range before.Steps {
		if step.Action.Writes() {
			own = append(own, step.Release.ID.String())
		}
	}
	if len(own) > 0 {
		p.notes = append(p.notes, fmt.Sprintf("the plan also holds what %s has not applied yet of its own files: %s", p.To, strings.Join(own, ", ")))
	}
	in := p.session.in(p.To, p.edited())
	t, f, err := in.bound(ctx, p.request(p.To))
	if err != nil {
		return err
	}
	p.plan, err = p.planOf(ctx, &side{session: in, tools: t, fleet: f})
	return err
}

// planOf plans the releases that may move.
func (p *promotion) planOf(ctx context.Context, of *side) (*plan.Plan, error) {
	chosen := *of.fleet
	chosen.releases = slices.DeleteFunc(slices.Clone(chosen.releases), func(r spec.Release) bool {
		return !slices.ContainsFunc(p.pairs, func(one *pair) bool { return one.to.Index == r.Index })
	})
	return of.session.plan(ctx, of.tools, &chosen, plan.Policy{})
}

// tellPins notes the pins that could not come along.
func (p *promotion) tellPins() {
	if len(p.unpinned) == 0 || len(p.files) == 0 {
		return
	}
	var names []string
	for _, id := range p.unpinned {
		names = append(names, id.String())
	}
	path, _ := p.to.fleet.spec.Pinned()
	p.notes = append(p.notes, fmt.Sprintf("%s pins %s, and %s does not pin the new charts of %s: bring it up to date with flotilla -e %s lock",
		p.session.shown(path), p.To, p.From, strings.Join(names, ", "), p.To))
}

// shown is what views print.
func (p *promotion) shown() view.Promotion {
	s := p.session
	out := view.Promotion{From: p.From, To: p.To, Plan: p.plan, Written: p.Write && len(p.files) > 0 && p.goes(), Refusals: p.refused}
	forced := len(p.refused) > 0
	for _, n := range p.notes {
		out.Notes = append(out.Notes, s.secrets.met.Redact(n))
	}
	for _, f := range p.files {
		out.Files = append(out.Files, s.shown(f.Path))
	}
	for _, one := range p.pairs {
		shown := view.Promoted{
			Release: one.to.ID, Source: one.from.ID, Chart: one.chart, Revision: one.health.Number, Deployed: one.health.Deployed,
			Refused: one.refused,
		}
		forced = forced || len(one.refused) > 0
		for _, m := range one.moves {
			move := view.PromotedMove{
				Field: m.Field(), Now: m.Was, Absent: !m.Had, To: m.Move.To,
				File: s.shown(m.File), Line: m.Line, Hand: s.secrets.met.Redact(m.Hand),
			}
			if m.Kind == promote.KindVersion {
				move.Digest = p.digest(one)
			}
			shown.Moves = append(shown.Moves, move)
		}
		for _, n := range one.notes {
			shown.Notes = append(shown.Notes, view.PromotedNote{Field: n.Field, Why: n.Text})
		}
		out.Releases = append(out.Releases, shown)
	}
	if p.Force && forced {
		out.Reason = s.secrets.met.Redact(strings.TrimSpace(p.Reason))
	}
	return out
}

// digest gives the digest of the chart that moves: what was rendered for the
// plan, or else what the lock file says.
func (p *promotion) digest(one *pair) string {
	if p.plan != nil {
		for _, step := range p.plan.Steps {
			if step.Release.Index == one.to.Index && step.After != nil && step.After.Chart.Version == one.running.Version {
				return step.After.Chart.Digest
			}
		}
	}
	return promote.DigestOf(p.to.fleet.spec, p.From, one.to.Chart, one.running.Version)
}

// heading stands before a patch: programs that apply it skip it, and whoever
// reads it sees what it is.
func (p *promotion) heading() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Promote %s to %s\n\n", p.From, p.To)
	for _, one := range p.pairs {
		for _, m := range one.moves {
			line := fmt.Sprintf("%s: %s becomes %s\n", one.to.ID, m.Field(), view.Value(m.Move.To))
			if m.Hand != "" {
				line = fmt.Sprintf("By hand, in %s:%d: %s", p.session.shown(m.File), m.Line, line)
			}
			b.WriteString(line)
		}
	}
	if shown := p.shown(); shown.Reason != "" {
		fmt.Fprintf(&b, "\nForced: %s\n", strings.Join(strings.Fields(shown.Reason), " "))
		for _, why := range shown.Against() {
			fmt.Fprintf(&b, "Against it: %s\n", why)
		}
	}
	return b.String() + "\n"
}

// here is the working folder.
func here() string {
	dir, err := filepath.Abs(".")
	if err != nil {
		return string(filepath.Separator)
	}
	return dir
}
