package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/promote"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/state"
)

// side is one of the environments.
type side struct {
	session *session
	tools   *tools
	fleet   *fleet
}

// in gives the session for another environment, that reads some files as if they
// had been changed already.
func (s *session) in(environment string, edited map[string][]byte) *session {
	next, globals := *s, *s.globals
	globals.Environment = environment
	next.globals, next.edited, next.reads = &globals, edited, &spec.ReadFiles{}
	return &next
}

// side loads the state files for an environment.
func (s *session) side(ctx context.Context, c *promoteCmd, environment string) (*side, error) {
	in := s.in(environment, nil)
	t, f, err := in.bound(ctx, request{limit: c.Concurrency, policy: spec.NeedsIgnore})
	if errors.Is(err, spec.ErrNothingMatched) {
		err = s.unknown(ctx, environment, err)
	}
	if err != nil {
		return nil, err
	}
	return &side{session: in, tools: t, fleet: f}, nil
}

// unknown tells when nothing matched because there is no such environment.
func (s *session) unknown(ctx context.Context, environment string, matched error) error {
	in := s.in(environment, nil)
	outline, err := spec.OutlineOf(ctx, in.globals.File, in.loadOptions(request{}))
	names := outline.Environments
	if err != nil || len(names) == 0 || slices.Contains(names, environment) {
		return matched
	}
	err = fmt.Errorf("%w: no state file defines the environment %q", errUsage, environment)
	if near := schema.Nearest(environment, names); near != "" {
		return fmt.Errorf("%w, did you mean %q?", err, near)
	}
	return fmt.Errorf("%w; there are: %s", err, few(names))
}

// match finds the releases that both environments have.
func (p *promotion) match() error {
	wanted, err := p.wanted()
	if err != nil {
		return err
	}
	for _, f := range wanted {
		if !f.Installed {
			continue
		}
		name := f.ID.String()
		t, ok := p.twin(f)
		switch {
		case !ok:
			p.notes = append(p.notes, fmt.Sprintf("%s does not declare %s, or the selector leaves it out there", p.To, name))
		case !t.Installed:
			p.notes = append(p.notes, fmt.Sprintf("%s has %s with installed: false", p.To, t.ID))
		default:
			p.pairs = append(p.pairs, &pair{from: f, to: t})
		}
	}
	return nil
}

// wanted are the releases that the words of the command name.
func (p *promotion) wanted() ([]spec.Release, error) {
	if len(p.Releases) == 0 {
		return p.from.fleet.releases, nil
	}
	var out []spec.Release
	for _, name := range p.Releases {
		found, err := named(p.from.fleet.releases, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(r spec.Release) bool { return r.Index == found[0].Index }) {
			out = append(out, found[0])
		}
	}
	return out, nil
}

// twin finds a release in the target: the one of that name that the same entry of
// the state files declares, or else the only one of that name in its namespace,
// or at all.
func (p *promotion) twin(f spec.Release) (spec.Release, bool) {
	likeness := []func(t spec.Release) bool{
		func(t spec.Release) bool { return t.Pos == f.Pos && t.ID.Name == f.ID.Name },
		func(t spec.Release) bool { return t.ID.Name == f.ID.Name && t.ID.Namespace == f.ID.Namespace },
		func(t spec.Release) bool { return t.ID.Name == f.ID.Name },
		func(t spec.Release) bool { return t.Pos == f.Pos }, // a name with the environment in it
	}
	for _, like := range likeness {
		var found []spec.Release
		for _, t := range p.to.fleet.releases {
			if like(t) {
				found = append(found, t)
			}
		}
		alone := len(found) == 1
		for _, other := range p.from.fleet.releases {
			alone = alone && (other.Index == f.Index || len(found) == 1 && !like(other))
		}
		if alone {
			return found[0], true
		}
	}
	return spec.Release{}, false
}

// look finds out what runs in the source, and how it is.
func (p *promotion) look(ctx context.Context) error {
	chosen := *p.from.fleet
	chosen.releases = nil
	for _, one := range p.pairs {
		chosen.releases = append(chosen.releases, one.from)
	}
	looks, err := p.from.session.healths(ctx, p.from.tools, &chosen)
	if err != nil {
		return err
	}
	for _, one := range p.pairs {
		seen := looks[one.from.ID]
		one.health = seen.Health
		one.running = promote.Running{Environment: p.From}
		if seen.deployed == nil {
			continue
		}
		one.chart = seen.deployed.Chart.Name + "-" + seen.deployed.Chart.Version
		one.running.Version, one.running.Values = seen.deployed.Chart.Version, seen.deployed.Values
		if one.running.Images, err = imagesOf(seen.deployed); err != nil {
			return fmt.Errorf("looking at %s in %s: %w", one.from.ID, p.From, err)
		}
	}
	return nil
}

func imagesOf(r *state.Revision) ([]promote.Image, error) {
	manifests := [][]byte{r.Stream}
	for _, h := range r.Hooks {
		manifests = append(manifests, []byte(h.Manifest))
	}
	return promote.Images(manifests...)
}

// looked is what was seen of a release.
type looked struct {
	promote.Health
	deployed *state.Revision // nil: none is
}

// healths looks at releases as drift does, and at whether their objects are ready.
func (s *session) healths(ctx context.Context, t *tools, f *fleet) (map[spec.ReleaseID]looked, error) {
	look, err := s.lookout(t, f, &driftCmd{Against: plan.LevelLive})
	if err != nil {
		return nil, err
	}
	look.ready = true
	report, err := look.report(ctx)
	if err != nil {
		return nil, err
	}
	out := map[spec.ReleaseID]looked{}
	for _, one := range look.sights {
		t.explainTrouble(ctx, one)
		out[one.subject.Release.ID] = s.healthOf(one, report)
	}
	for _, r := range f.releases {
		if _, known := out[r.ID]; !known {
			out[r.ID] = looked{Health: promote.Health{Environment: s.globals.Environment, Installed: true, Failed: true, Status: "not to be seen", Why: s.unseenOf(report, r.ID)}}
		}
	}
	return out, nil
}

// notReady is an object that is not ready, and why.
type notReady struct {
	object state.ObjectID
	why    string
}

// unready judges the objects of a release that are there. Those that are not are
// drift.
func (l *lookout) unready(in live.Input) []notReady {
	if !l.ready {
		return nil
	}
	var all []notReady
	for _, ref := range in.Refs() {
		object := in.Objects[ref]
		if object == nil {
			continue
		}
		if why := engine.NotReady(object); why != "" {
			all = append(all, notReady{ref.ObjectID, why})
		}
	}
	return all
}

// mostExplained is how many objects of a release are asked what ails them.
const mostExplained = 3

// explainTrouble finds words for why objects are not ready: those of their pods
// say more than their own.
func (t *tools) explainTrouble(ctx context.Context, one *driftSight) {
	c, err := t.clusters.Get(one.subject.Release.ID.Context)
	if err != nil {
		return
	}
	for i := range one.unready[:min(len(one.unready), mostExplained)] {
		if trouble := c.Trouble(ctx, one.unready[i].object); trouble.Message != "" {
			one.unready[i].why = trouble.Message
		}
	}
}

// unseenOf says why nothing is known of a release.
func (s *session) unseenOf(report drift.Report, id spec.ReleaseID) string {
	var why []string
	for _, u := range report.Unseen {
		if u.Release == id || u.Release == (spec.ReleaseID{}) && u.Context == id.Context {
			why = append(why, s.secrets.met.Redact(u.Err.Error()))
		}
	}
	return strings.Join(why, "; ")
}

func (s *session) healthOf(one *driftSight, report drift.Report) looked {
	id, have := one.subject.Release.ID, one.subject.Have
	h := promote.Health{Environment: s.globals.Environment}
	last := have.Last()
	if last == nil || have.Phase == state.PhaseUninstalled {
		return looked{Health: h}
	}
	h.Installed, h.Number, h.Status, h.Deployed = true, last.Number, string(last.Status), last.Deployed
	h.Failed = have.Phase != state.PhaseDeployed
	if h.Failed {
		h.Why = strings.Join(strings.Fields(s.secrets.met.Redact(last.Description)), " ")
		return looked{Health: h, deployed: have.Deployed()}
	}
	for _, f := range report.Of(id) {
		h.Drift = append(h.Drift, driftLine(f))
	}
	if why := s.unseenOf(report, id); why != "" {
		h.Unready = append(h.Unready, "not all of its objects could be looked at: "+why)
	}
	for _, o := range one.unready {
		h.Unready = append(h.Unready, o.object.String()+": "+s.secrets.met.Redact(o.why))
	}
	return looked{Health: h, deployed: have.Deployed()}
}

// driftLine tells a finding in one line.
func driftLine(f drift.Finding) string {
	if !f.OfObject() {
		return f.Text
	}
	text := f.Object.String()
	if f.Field != "" {
		text += " " + f.Field
	}
	text += " " + string(f.Kind)
	if f.Manager != "" {
		text += " by " + f.Manager
	}
	return text
}

// judge finds what speaks against moving each release that has something to move.
func (p *promotion) judge() {
	now := p.session.env.Now()
	for _, one := range p.pairs {
		if !one.health.Installed && len(p.Releases) == 0 {
			continue // it has nothing to move, and nobody asked for it by its name
		}
		rules := p.to.fleet.spec.PromotionOf(one.to.File)
		rules.Pos.File = p.session.shown(rules.Pos.File)
		if len(one.moves) == 0 && one.health.Installed && !one.health.Failed {
			continue
		}
		if why := promote.OutOfOrder(rules, p.From, p.To); why != "" && !slices.Contains(p.refused, why) {
			p.refused = append(p.refused, why)
		}
		one.refused = append(one.refused, one.health.Refusals(rules, now)...)
	}
}

// shared tells which files both environments read.
func (p *promotion) shared(ctx context.Context) (func(string) bool, error) {
	for _, r := range p.from.fleet.spec.Releases {
		if _, err := p.from.fleet.spec.ValuesOf(ctx, r); err != nil {
			return nil, fmt.Errorf("reading what %s reads: %w", p.From, err)
		}
	}
	read := map[string]bool{}
	for _, one := range p.from.session.reads.All() {
		read[realPath(one.Path)] = true
	}
	return func(file string) bool { return read[realPath(file)] }, nil
}
