package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
)

// complete fills in what the state file gives to the rendering of a release:
// values, sets with their references resolved, and what changes the output of
// its chart. Patches come last, for their templates see the values.
func (f *fleet) complete(ctx context.Context, in engine.RenderInput) (engine.RenderInput, error) {
	values, err := f.spec.ValuesOf(ctx, in.Release)
	if err != nil {
		return in, err
	}
	in.Values = values
	if in.Release.Set, err = f.spec.SetOf(ctx, in.Release); err != nil {
		return in, err
	}
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
		out[i], errs[i] = t.chartOf(ctx, f, f.releases[i])
	}
	return out, errors.Join(errs...)
}

// chartOf gives the chart that a release is rendered from.
func (t *tools) chartOf(ctx context.Context, f *fleet, r spec.Release) (*chart.Chart, error) {
	in, err := f.complete(ctx, engine.RenderInput{Release: r})
	if err != nil {
		return nil, err
	}
	return t.engine.Chart(ctx, in)
}
