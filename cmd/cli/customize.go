package cli

import (
	"context"

	"github.com/flotilla-sh/flotilla/engine"
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
