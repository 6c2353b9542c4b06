package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

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

// objected ends a command whose plan somebody objects to. The view has shown
// why.
func objected(p *plan.Plan) error {
	if !p.Objected() {
		return nil
	}
	return told{exitFailed}
}

// sight is one release whose objects are to be looked at.
type sight struct {
	id             spec.ReleaseID
	stored, wanted *state.Revision
	settled        bool
	declared       live.Declared
	options        diff.Options
}

// sights are the releases of a plan to be.
func sights(in plan.Input) []*sight {
	all := make([]*sight, 0, len(in.Releases))
	for _, r := range in.Releases {
		one := newSight(r.ID, in.Have[r.ID], in.Policy.Diff, in.ClusterScoped)
		if r.Installed && in.Policy.Mode != plan.ModeDestroy {
			one.wanted = in.Want[r.ID]
		}
		all = append(all, one)
	}
	return all
}

func newSight(id spec.ReleaseID, have state.Release, options diff.Options, scoped map[string]map[schema.GroupKind]bool) *sight {
	options.Namespace, options.ClusterScoped = id.Namespace, scoped[id.Context]
	stored := plan.Stored(have)
	return &sight{
		id: id, stored: stored, options: options,
		settled: have.Phase == state.PhaseDeployed && stored != nil && stored.Number == have.Last().Number,
	}
}

// compareLive reads the objects of releases and compares them, on all cores.
func (s *session) compareLive(ctx context.Context, all []*sight) (map[spec.ReleaseID]live.Result, error) {
	errs := make([]error, len(all))
	each(len(all), runtime.GOMAXPROCS(0), func(i int) {
		one := all[i]
		if one.declared, errs[i] = live.Declare(one.stored, one.wanted, one.options); errs[i] == nil {
			return
		}
		if one.wanted == nil {
			errs[i] = nil // what cannot be read of a stored manifest keeps nobody from deleting it
			return
		}
		errs[i] = fmt.Errorf("comparing %s: %w", one.id, errs[i])
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	objects, err := s.readLive(ctx, all)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	results := make([]live.Result, len(all))
	each(len(all), runtime.GOMAXPROCS(0), func(i int) {
		results[i], errs[i] = live.Compare(live.Input{
			Declared: all[i].declared, Objects: objects[all[i].id.Context], Types: typesOf(),
			Settled: all[i].settled, Diff: all[i].options,
		})
	})
	found := make(map[spec.ReleaseID]live.Result, len(all))
	for i, one := range all {
		found[one.id] = results[i]
	}
	return found, errors.Join(errs...)
}

// readLive reads the objects of all releases of a context together.
func (s *session) readLive(ctx context.Context, all []*sight) (map[string]map[state.Ref]map[string]any, error) {
	refs := map[string][]state.Ref{}
	for _, one := range all {
		refs[one.id.Context] = append(refs[one.id.Context], one.declared.Refs()...)
	}
	contexts := slices.Sorted(maps.Keys(refs))
	found := make([]map[state.Ref]map[string]any, len(contexts))
	errs := make([]error, len(contexts))
	each(len(contexts), len(contexts), func(i int) {
		wanted := refs[contexts[i]]
		slices.SortFunc(wanted, state.Ref.Compare)
		found[i], errs[i] = s.clusters().Live(ctx, contexts[i], slices.Compact(wanted))
	})
	objects := map[string]map[state.Ref]map[string]any{}
	for i, name := range contexts {
		objects[name] = found[i]
	}
	return objects, errors.Join(errs...)
}

// typesOf gives the schemas of kinds. What is unknown is compared by its shape.
func typesOf() func(schema.GroupVersionKind) openapi.Type {
	return func(kind schema.GroupVersionKind) openapi.Type {
		typ, _ := openapi.Builtin().Type(kind)
		return typ
	}
}

// build makes a plan at the level that its policy asks for.
func (s *session) build(ctx context.Context, in plan.Input) (*plan.Plan, error) {
	switch in.Policy.Against {
	case "", plan.LevelRelease:
		return plan.Build(in)
	case plan.LevelLive, plan.LevelServer:
		var err error
		if in.Live, err = s.compareLive(ctx, sights(in)); err != nil {
			return nil, err
		}
		return plan.Build(in)
	default:
		return nil, fmt.Errorf("no level of looking is named %q", in.Policy.Against)
	}
}
