package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/engine/chart"
)

// customized adds to what is rendered what the state file says of the chart's
// output. The values must be there already: templates of patches see them.
func (f *fleet) customized(ctx context.Context, in engine.RenderInput) (engine.RenderInput, error) {
	r := in.Release
	patches, err := f.spec.PatchesOf(ctx, r, in.Values)
	if err != nil {
		return in, err
	}
	in.Patches = patches
	in.Namespace = f.spec.DeclaredNamespace(r)
	in.Template = func(ctx context.Context, dir, file string) ([]byte, error) {
		return f.spec.RenderManifest(ctx, r, dir, file)
	}
	return in, nil
}

// made gives charts with, in place of folders of manifests, the charts that
// releases make of them.
func (t *tools) made(ctx context.Context, f *fleet, charts []*chart.Chart) ([]*chart.Chart, error) {
	out := slices.Clone(charts)
	errs := make([]error, len(charts))
	for i, c := range charts {
		if c == nil || c.Folder == "" {
			continue
		}
		r := f.releases[i]
		values, err := f.spec.ValuesOf(ctx, r)
		if err != nil {
			errs[i] = err
			continue
		}
		in, err := f.customized(ctx, engine.RenderInput{Release: r, Values: values})
		if err != nil {
			errs[i] = err
			continue
		}
		out[i], errs[i] = t.engine.Chart(ctx, in)
	}
	return out, errors.Join(errs...)
}
