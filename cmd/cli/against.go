package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// against is a flag of the commands that plan.
type against struct {
	Against plan.Level `enum:"release,live,server" default:"release" help:"What to compare with: what is stored of each release (release), the objects as they are in the cluster (live; needs only get and list), or what the API server would make of the new ones (server; a dry run, which writes nothing)."`
}

// errObjected: something speaks against a plan. The view has shown what.
var errObjected = errors.New("the cluster objects to this plan, as shown: nothing was written, and applying it would fail")

// objected ends a command whose plan something in the cluster speaks against.
func objected(p *plan.Plan) error {
	if !p.Objected() {
		return nil
	}
	return errObjected
}

// accepted ends a command whose plan something in the cluster speaks against, or
// that prunes more than it may.
func (f *fleet) accepted(p *plan.Plan) error {
	return errors.Join(objected(p), f.prune.judge(p))
}

// sight is one release whose objects are to be looked at.
type sight struct {
	id             spec.ReleaseID
	stored, wanted *state.Revision
	input          live.Input
}

// sights are the releases of a plan to be.
func sights(in plan.Input) []*sight {
	all := make([]*sight, 0, len(in.Releases))
	for _, r := range in.Releases {
		one := newSight(r.ID, in)
		if r.Installed && in.Policy.Mode != plan.ModeDestroy {
			one.wanted = in.Want[r.ID]
		}
		all = append(all, one)
	}
	return all
}

func newSight(id spec.ReleaseID, in plan.Input) *sight {
	have, options := in.Have[id], in.Policy.Diff
	options.Namespace, options.ClusterScoped = id.Namespace, in.ClusterScoped[id.Context]
	stored := plan.Stored(have)
	settled := have.Phase == state.PhaseDeployed && stored != nil && stored.Number == have.Last().Number
	return &sight{id: id, stored: stored, input: live.Input{Settled: settled, Diff: options}}
}

// compareLive reads the objects of releases and compares them, on all cores.
func (s *session) compareLive(ctx context.Context, all []*sight) (map[spec.ReleaseID]live.Result, error) {
	if err := s.readLive(ctx, all); err != nil {
		return nil, err
	}
	if err := s.learnTypes(ctx, all); err != nil {
		return nil, err
	}
	results := make([]live.Result, len(all))
	errs := make([]error, len(all))
	each(len(all), runtime.GOMAXPROCS(0), func(i int) { results[i], errs[i] = live.Compare(all[i].input) })
	found := make(map[spec.ReleaseID]live.Result, len(all))
	for i, one := range all {
		found[one.id] = results[i]
	}
	return found, errors.Join(errs...)
}

// declare reads what releases declare.
func declare(all []*sight) error {
	errs := make([]error, len(all))
	each(len(all), runtime.GOMAXPROCS(0), func(i int) {
		one := all[i]
		declared, err := live.Declare(one.stored, one.wanted, one.input.Diff)
		switch {
		case err == nil:
			one.input.Declared = declared
		case one.wanted != nil: // what cannot be read of a stored manifest keeps nobody from deleting it
			errs[i] = fmt.Errorf("comparing %s: %w", one.id, err)
		}
	})
	return errors.Join(errs...)
}

// readLive reads the objects of all releases of a context together.
func (s *session) readLive(ctx context.Context, all []*sight) error {
	if err := declare(all); err != nil {
		return err
	}
	refs := map[string][]state.Ref{}
	for _, one := range all {
		refs[one.id.Context] = append(refs[one.id.Context], one.input.Refs()...)
	}
	contexts := slices.Sorted(maps.Keys(refs))
	found := make([]map[state.Ref]map[string]any, len(contexts))
	errs := make([]error, len(contexts))
	each(len(contexts), len(contexts), func(i int) {
		wanted := refs[contexts[i]]
		slices.SortFunc(wanted, state.Ref.Compare)
		found[i], errs[i] = s.clusters().Live(ctx, contexts[i], slices.Compact(wanted))
	})
	for _, one := range all {
		at, _ := slices.BinarySearch(contexts, one.id.Context)
		one.input.Objects = found[at]
	}
	return interrupted(ctx, errors.Join(errs...))
}

// learnTypes gives every release the schemas of its kinds: those of Kubernetes
// are built in, and what the server publishes of others is asked for.
func (s *session) learnTypes(ctx context.Context, all []*sight) error {
	inputs := map[string][]live.Input{}
	for _, one := range all {
		inputs[one.id.Context] = append(inputs[one.id.Context], one.input)
	}
	catalogs := map[string]*openapi.Catalog{}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		published, err := s.clusters().OpenAPI(ctx, name, live.Custom(inputs[name]))
		if err != nil {
			return interrupted(ctx, err)
		}
		catalogs[name] = openapi.NewCatalog(openapi.Sources{Published: published})
	}
	for _, one := range all {
		one.input.Types = live.TypesOf(catalogs[one.id.Context])
	}
	return nil
}

// build makes a plan at the level that its policy asks for.
func (s *session) build(ctx context.Context, in plan.Input) (*plan.Plan, error) {
	switch in.Policy.Against {
	case "", plan.LevelRelease:
		return plan.Build(in)
	case plan.LevelLive, plan.LevelServer:
	default:
		return nil, fmt.Errorf("no level of looking is named %q", in.Policy.Against)
	}
	all := sights(in)
	var err error
	if in.Live, err = s.compareLive(ctx, all); err != nil {
		return nil, err
	}
	p, err := plan.Build(in)
	if err != nil || in.Policy.Against == plan.LevelLive {
		return p, err
	}
	return s.ask(ctx, p, all)
}

// ask has the API servers say what they would make of the objects of a plan.
func (s *session) ask(ctx context.Context, p *plan.Plan, all []*sight) (*plan.Plan, error) {
	inputs := map[spec.ReleaseID]live.Input{}
	for _, one := range all {
		inputs[one.id] = one.input
	}
	type asked struct {
		release  spec.ReleaseID
		proposal state.Proposal
	}
	byContext := map[string][]asked{}
	answers := map[spec.ReleaseID]plan.Answers{}
	questions := p.Questions()
	for _, step := range p.Steps {
		id := step.Release.ID
		for _, proposal := range questions.Proposals(step, inputs[id]) {
			byContext[id.Context] = append(byContext[id.Context], asked{id, proposal})
			answers[id] = plan.Answers{Live: inputs[id], Of: map[state.ObjectID]state.Answer{}}
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(byContext)) {
		var proposals []state.Proposal
		for _, one := range byContext[name] {
			proposals = append(proposals, one.proposal)
		}
		found, err := s.clusters().DryRun(ctx, name, proposals)
		errs = append(errs, err)
		for i, a := range found {
			one := byContext[name][i]
			answers[one.release].Of[one.proposal.ObjectID] = a
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, interrupted(ctx, err)
	}
	return p.Answered(answers)
}

// movedLive compares the live objects with what a saved plan was decided on. It
// leaves out releases that are stale anyway.
func (s *session) movedLive(ctx context.Context, saved *plan.Saved, have state.Snapshot, stale map[spec.ReleaseID]string) error {
	if !saved.LooksAtObjects() {
		return nil
	}
	scoped, err := s.clusters().ClusterScoped(ctx, saved.Touched())
	if err != nil {
		return interrupted(ctx, err)
	}
	in := plan.Input{Have: have, ClusterScoped: scoped, Policy: plan.Policy{Diff: diff.Options{Redact: s.secrets.met.Redact}}}
	var all []*sight
	for _, step := range saved.Plan.Steps {
		id := step.Release.ID
		if _, known := stale[id]; known || !step.Action.Writes() {
			continue
		}
		one := newSight(id, in)
		one.wanted = step.After
		all = append(all, one)
	}
	now, err := s.compareLive(ctx, all)
	if err != nil {
		return err
	}
	return saved.MovedLive(now)
}
