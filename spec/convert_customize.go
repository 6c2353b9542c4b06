package spec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// customization makes the exported form of what a release changes in the
// output of its chart.
func (c *converter) customization(r *schema.Release) Customization {
	out := Customization{
		ForceNamespace:        r.ForceNamespace,
		JSONPatches:           c.entries(r.JSONPatches, "jsonPatches"),
		StrategicMergePatches: c.entries(r.StrategicMergePatches, "strategicMergePatches"),
		Transformers:          c.entries(r.Transformers, "transformers"),
	}
	for _, d := range r.Dependencies {
		if d.Chart == "" {
			c.fail(d.Pos, "releases."+r.Name+".dependencies", errors.New("a dependency without a chart"))
		}
		out.Dependencies = append(out.Dependencies, Dependency{
			Chart: d.Chart, Version: d.Version, Alias: d.Alias, Repository: c.repositoryOf(d.Chart), Pos: posOf(d.Pos),
		})
	}
	return out
}

// entries makes sources of a list of paths and inline maps.
func (c *converter) entries(list []schema.Entry, field string) []ValuesSource {
	var out []ValuesSource
	for _, e := range list {
		switch v := e.Value.(type) {
		case string:
			out = append(out, ValuesSource{Path: c.path(v), Pos: posOf(e.Pos)})
		case map[string]any:
			out = append(out, ValuesSource{Inline: v, Pos: posOf(e.Pos)})
		default:
			c.fail(e.Pos, field, fmt.Errorf("expected a path or a map, found a %T", v))
		}
	}
	return out
}

// track makes the exported form of what helmfile tells kubedog.
func track(r *schema.Release, d *schema.HelmDefaults, cli Track) (Track, error) {
	out := Track{
		Mode: orText(r.TrackMode, d.TrackMode), Timeout: cli.Timeout,
		Logs: orDefault(r.TrackLogs, cli.Logs), FailedLogs: orDefault(r.TrackFailedLogs, cli.FailedLogs),
		FailOnError: orDefault(r.TrackFailOnError, cli.FailOnError), Kinds: r.TrackKinds, SkipKinds: r.SkipKinds,
	}
	if own := orDefault(r.TrackTimeout, 0); own > 0 {
		out.Timeout = seconds(own)
	}
	for _, t := range r.TrackResources {
		out.Resources = append(out.Resources, TrackResource{Kind: t.Kind, Name: t.Name, Namespace: t.Namespace})
	}
	if !slices.Contains([]string{"", "helm", "helm-legacy", "kubedog"}, out.Mode) {
		return out, fmt.Errorf("trackMode: %q is unknown, expected helm, helm-legacy or kubedog", out.Mode)
	}
	return out, nil
}
