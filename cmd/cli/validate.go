package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/plan/check"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// validating is a flag of the commands that plan.
type validating struct {
	Validate bool `help:"Check every object against the schemas that the cluster publishes and the definitions that the plan brings; nothing is done when one does not fit."`
}

// validate holds all that is wanted, hooks too, against the schemas of its
// kinds. What is at fault is told all at once, in order of releases.
func (t *tools) validate(ctx context.Context, f *fleet, have state.Snapshot, want map[spec.ReleaseID]*state.Revision) error {
	releases := make([]*check.Release, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), runtime.GOMAXPROCS(0), func(i int) {
		r := f.releases[i]
		if want[r.ID] != nil {
			releases[i], errs[i] = check.Read(checkOf(r, have[r.ID], want[r.ID]))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	contexts := check.Contexts(releases)
	errs = make([]error, len(contexts))
	each(len(contexts), len(contexts), func(i int) { errs[i] = t.validateIn(ctx, contexts[i]) })
	return interrupted(ctx, errors.Join(errs...))
}

// validateIn checks what goes into one cluster.
func (t *tools) validateIn(ctx context.Context, in check.Context) error {
	published, err := t.clusters.OpenAPI(ctx, in.Name, in.GroupVersions())
	if err != nil {
		return err
	}
	from := openapi.Sources{Published: published}
	kinds := in.Catalog(from)
	if unknown := in.Unknown(kinds); len(unknown) > 0 {
		found, err := t.clusters.Definitions(ctx, in.Name, unknown)
		if err != nil {
			return err
		}
		var left []string
		from.Served, left = in.Served(found)
		for _, kind := range left {
			t.session.view.Warn(fmt.Sprintf("objects of %s are not validated: context %s serves them and shows no schema", kind, in.Name))
		}
		kinds = in.Catalog(from)
	}
	errs := make([]error, len(in.Releases))
	each(len(in.Releases), runtime.GOMAXPROCS(0), func(i int) { errs[i] = in.Releases[i].Check(kinds) })
	return errors.Join(errs...)
}

func checkOf(r spec.Release, have state.Release, want *state.Revision) check.Input {
	upgrades := engine.Upgrades(have)
	serverSide := r.Options.ServerSide
	return check.Input{
		ID: r.ID, Want: want,
		Installs: !upgrades && !r.Options.SkipCRDs,
		// "auto" goes on as the release was applied before.
		ClientSide: serverSide == "false" || upgrades && serverSide != "true" && have.Last().ApplyMethod != "ssa",
	}
}
