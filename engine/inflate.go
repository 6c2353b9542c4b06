package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/flotilla-sh/flotilla/engine/kustomize"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// inflation renders the charts of a kustomization. It is a kustomize.Charts.
type inflation struct{ engine *Engine }

func (i inflation) ref(c kustomize.Chart) spec.Chart {
	ref := spec.Chart{Ref: c.Dir, Dir: c.Dir, Version: c.Version, Devel: c.Devel}
	switch {
	case c.Dir != "":
		ref.Version = "" // kustomize takes a chart that is there as it is
	case strings.HasPrefix(c.Repo, "oci://"):
		ref.Ref = strings.TrimSuffix(c.Repo, "/") + "/" + c.Name
	default:
		ref.Ref, ref.Repository = "repo/"+c.Name, &spec.Repository{Name: "repo", URL: c.Repo}
	}
	return ref
}

// load refuses what is itself made of a kustomization: that would have to be
// built while this one is.
func (i inflation) load(ctx context.Context, c kustomize.Chart) (*chartv2.Chart, error) {
	found, err := i.engine.opts.Charts.Get(ctx, i.ref(c))
	if err != nil {
		return nil, err
	}
	if found.Folder != "" {
		return nil, fmt.Errorf("%w: %s has no Chart.yaml", ErrChart, found.Folder)
	}
	return found.Load()
}

// Defaults gives the chart's own values.
func (i inflation) Defaults(ctx context.Context, c kustomize.Chart) (map[string]any, error) {
	loaded, err := i.load(ctx, c)
	if err != nil {
		return nil, err
	}
	return copyMap(loaded.Values), nil
}

// Template gives what helm template prints: objects, then hooks.
func (i inflation) Template(ctx context.Context, c kustomize.Chart) ([]byte, error) {
	if _, err := i.load(ctx, c); err != nil {
		return nil, err
	}
	rev, err := i.engine.render(ctx, RenderInput{
		Release: spec.Release{
			ID:      spec.ReleaseID{Namespace: cmp.Or(c.Namespace, "default"), Name: c.ReleaseName},
			Chart:   i.ref(c),
			Options: spec.Options{APIVersions: c.APIVersions, KubeVersion: c.KubeVersion},
		},
		Values: c.Values, Offline: true, IncludeCRDs: c.IncludeCRDs,
	})
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(slices.Clone(rev.Stream))
	if c.SkipHooks {
		return out.Bytes(), nil
	}
	for _, h := range rev.Hooks {
		if !c.SkipTests || !slices.Contains(h.Events, state.HookTest) {
			fmt.Fprintf(out, "---\n# Source: %s\n%s\n", h.Path, h.Manifest)
		}
	}
	return out.Bytes(), nil
}
