package report

import (
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
)

// driftFindings are what a look for drift found, or what a plan that looked at
// the objects has of it.
func (r *facts) driftFindings() []drift.Finding {
	var all []drift.Finding
	if r.Drift != nil {
		for _, id := range r.looked {
			all = append(all, r.found[id]...)
		}
		return all
	}
	for _, one := range r.releases {
		if one.result != nil {
			continue // it was put back, or not: that is told
		}
		for _, d := range one.step.Drift {
			all = append(all, plannedDrift(one, d)...)
		}
	}
	return all
}

func plannedDrift(of release, d live.Drift) []drift.Finding {
	f := drift.Finding{Kind: drift.KindMissing, Release: of.id, Object: d.Object}
	if of.step.Before != nil {
		f.Revision = of.step.Before.Number
	}
	if len(d.Fields) == 0 {
		return []drift.Finding{f}
	}
	var all []drift.Finding
	for _, field := range d.Fields {
		f.Kind, f.Field, f.Declared, f.Live, f.Manager, f.Time = drift.KindChanged, field.Path, field.Was, field.Is, field.By, field.At
		if field.Is == "" {
			f.Kind = drift.KindRemoved
		}
		all = append(all, f)
	}
	return all
}

// findingText tells a finding in one line, without the release.
func findingText(f drift.Finding) string {
	if !f.OfObject() {
		return f.Text
	}
	text := f.Object.String()
	if f.Field != "" {
		text += " " + strings.TrimPrefix(f.Field, ".")
	}
	switch f.Kind {
	case drift.KindMissing:
		return text + " is gone"
	case drift.KindRemoved:
		text += ": " + f.Declared + " was removed"
	case drift.KindAdded:
		text += ": " + f.Live + " was added"
	case drift.KindChanged:
		if f.Declared == "" {
			text += ": " + f.Live + " was added"
		} else {
			text += ": " + f.Declared + " became " + f.Live
		}
	case drift.KindAbsent, drift.KindFailed, drift.KindPending, drift.KindOutside, drift.KindUndeclared:
	}
	if by := blame(f); by != "" {
		text += ", by " + by
	}
	return text
}

// blame says who wrote what a finding is of, and when.
func blame(f drift.Finding) string {
	text := f.Manager
	if f.Subresource != "" {
		text += " (" + f.Subresource + ")"
	}
	if at := clock(f); at != "" && text != "" {
		text += " at " + at
	}
	return text
}

func clock(f drift.Finding) string {
	if f.Time.IsZero() {
		return ""
	}
	return f.Time.UTC().Format(time.RFC3339)
}

// lookedAt are the releases of a look for drift.
func lookedAt(d *drift.Report) []spec.ReleaseID {
	if d == nil {
		return nil
	}
	all := slices.Clone(d.Releases)
	for _, f := range d.Findings {
		all = append(all, f.Release)
	}
	for _, u := range d.Unseen {
		if u.Release.Name != "" {
			all = append(all, u.Release)
		}
	}
	slices.SortFunc(all, spec.ReleaseID.Compare)
	return slices.Compact(all)
}

// unseenOf are the reasons why not all of a release could be seen.
func (r *facts) unseenOf(id spec.ReleaseID) []string {
	var all []string
	for _, u := range r.Drift.Unseen {
		if u.Release == id || u.Release.Name == "" && u.Context == id.Context {
			text := u.Err.Error()
			for _, o := range u.Objects {
				text += "\n  " + o.String()
			}
			all = append(all, text)
		}
	}
	return all
}

// driftOf are the findings of a release, a line each.
func (r *facts) driftOf(id spec.ReleaseID) []string {
	var all []string
	for _, f := range r.found[id] {
		all = append(all, findingText(f))
	}
	return all
}
