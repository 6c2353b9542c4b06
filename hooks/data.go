package hooks

import (
	"maps"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

// Event is .Event of templates.
type Event struct {
	Name  string
	Error error // what failed before; nil if nothing did
}

// Release is .Release of templates, with the names that helmfile has.
type Release struct {
	Name        string
	Namespace   string
	KubeContext string
	Chart       string
	Version     string
	Labels      map[string]string
	Needs       []string
	Values      []any // paths of files, and inline maps
	Installed   bool
	Wait        bool
	WaitForJobs bool
	Timeout     int // seconds
	HistoryMax  int
}

// data is what the templates of a hook see (helmfile's pkg/event/bus.go).
func (r *Runner) data(event spec.HookEvent, rel *spec.Release, cause error) map[string]any {
	data := map[string]any{
		"Environment":     r.opts.File.Environment,
		"Namespace":       r.opts.Namespace,
		"Event":           Event{Name: string(event), Error: cause},
		"HelmfileCommand": r.opts.Command,
	}
	if rel != nil {
		data["Release"] = releaseData(rel)
		data["Values"] = r.opts.File.Values
	}
	return data
}

func releaseData(rel *spec.Release) Release {
	d := Release{
		Name:        rel.ID.Name,
		Namespace:   rel.ID.Namespace,
		KubeContext: rel.ID.Context,
		Chart:       rel.Chart.Ref,
		Version:     rel.Chart.Version,
		Labels:      maps.Clone(rel.Labels),
		Installed:   rel.Installed,
		Wait:        rel.Options.Wait,
		WaitForJobs: rel.Options.WaitForJobs,
		Timeout:     int(rel.Options.Timeout / time.Second),
		HistoryMax:  rel.Options.HistoryMax,
	}
	for _, need := range rel.Needs {
		d.Needs = append(d.Needs, need.ID.String())
	}
	for _, v := range rel.Values {
		if v.Path != "" {
			d.Values = append(d.Values, v.Path)
		} else {
			d.Values = append(d.Values, v.Inline)
		}
	}
	return d
}
