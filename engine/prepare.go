package engine

import (
	"context"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	ci "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/state"
)

// preparation is what turns a chart as loaded into the chart as released.
type preparation struct {
	in     RenderInput
	values map[string]any
	to     *target // nil: offline
}

// prepare does to a loaded chart what Helm does before it renders, and so gives
// the chart that belongs into the release record: dependencies that values
// switch off are gone, imported values are in. It gives the user's values,
// which ReuseValues merges with the stored ones.
func (e *Engine) prepare(ctx context.Context, loaded *chartv2.Chart, p preparation) (map[string]any, error) {
	if kind := loaded.Metadata.Type; kind != "" && kind != "application" {
		return nil, fmt.Errorf("%w: %s charts are not installable", ErrChart, kind)
	}
	if err := checkDependencies(loaded); err != nil {
		return nil, err
	}
	values := p.values
	switch {
	case !Upgrades(p.in.Have):
	case p.in.Release.Options.ReuseValues:
		var err error
		if values, err = e.reuseValues(ctx, loaded, p); err != nil {
			return nil, err
		}
	case p.in.Release.Options.ResetThenReuseValues:
		values = util.CoalesceTables(values, copyMap(base(p.in.Have).Values))
	}
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, err
	}
	return values, nil
}

func checkDependencies(loaded *chartv2.Chart) error {
	declared := make([]ci.Dependency, 0, len(loaded.Metadata.Dependencies))
	for _, d := range loaded.Metadata.Dependencies {
		declared = append(declared, d)
	}
	if len(declared) == 0 {
		return nil
	}
	if err := action.CheckDependencies(loaded, declared); err != nil {
		return fmt.Errorf("%w: %w", ErrChart, err)
	}
	return nil
}

// reuseValues is Helm's --reuse-values: the stored release's values, defaults
// of its chart included, become the new chart's defaults. Offline the stored
// chart cannot be read, so only the values of the user are reused.
func (e *Engine) reuseValues(ctx context.Context, loaded *chartv2.Chart, p preparation) (map[string]any, error) {
	current := base(p.in.Have)
	if p.to == nil {
		return util.CoalesceTables(p.values, copyMap(current.Values)), nil
	}
	records, err := e.recordsOf(ctx, ctx, p.to, p.in.Release.ID)
	if err != nil {
		return nil, err
	}
	stored, err := records.get(p.in.Release.ID.Name, current.Number)
	if err != nil {
		return nil, fmt.Errorf("reading revision %d for its values: %w", current.Number, err)
	}
	return reuse(loaded, stored, p.values)
}

// base is the revision that an upgrade starts from, as Helm finds it.
func base(have state.Release) *state.Revision {
	if current := have.Deployed(); current != nil {
		return current
	}
	return have.Last()
}

func reuse(loaded *chartv2.Chart, stored *release.Release, values map[string]any) (map[string]any, error) {
	old, err := util.CoalesceValues(stored.Chart, stored.Config)
	if err != nil {
		return nil, fmt.Errorf("rebuilding the values of revision %d: %w", stored.Version, err)
	}
	loaded.Values = old
	return util.CoalesceTables(values, stored.Config), nil
}

// crdVersions lists what the given CRDs add to a cluster's capabilities:
// group/version and group/version/Kind of each version that they serve. Files
// that cannot be parsed add nothing: installing them tells what is wrong.
func crdVersions(crds []chartv2.CRD) []string {
	var found []string
	for _, crd := range crds {
		for _, doc := range releaseutil.SplitManifests(string(crd.File.Data)) {
			found = append(found, servedBy(doc)...)
		}
	}
	return found
}

func servedBy(doc string) []string {
	var crd struct {
		Kind string
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Served bool
			}
		}
	}
	if err := yaml.Unmarshal([]byte(doc), &crd); err != nil || crd.Kind != "CustomResourceDefinition" {
		return nil
	}
	var found []string
	for _, v := range crd.Spec.Versions {
		if v.Served {
			gv := crd.Spec.Group + "/" + v.Name
			found = append(found, gv, gv+"/"+crd.Spec.Names.Kind)
		}
	}
	return found
}
