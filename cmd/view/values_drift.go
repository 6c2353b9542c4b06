package view

import (
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
)

// DriftSummary counts in one line what is not as it was deployed.
func DriftSummary(r drift.Report) string { return driftSummary(r) }

// jsonDriftReport is all of a look for drift in one value.
type jsonDriftReport struct {
	Against  plan.Level    `json:"against"`
	Drifted  bool          `json:"drifted"`
	Complete bool          `json:"complete"` // all could be seen
	Releases []jsonID      `json:"releases"`
	Objects  int           `json:"objects"`
	Findings []jsonFinding `json:"findings"`
	Ignored  []jsonFinding `json:"ignored,omitempty"`
	Unseen   []jsonUnseen  `json:"unseen,omitempty"`
	Notes    []jsonNote    `json:"notes,omitempty"`
}

// DriftValue is what FormatJSON tells of drift, as one value.
func DriftValue(r drift.Report, opts DriftOptions) any {
	j := jsonDriftReport{
		Against: opts.Against, Drifted: r.Drifted(), Complete: len(r.Unseen) == 0, Objects: r.Objects,
		Releases: []jsonID{}, Findings: []jsonFinding{},
	}
	for _, id := range r.Releases {
		j.Releases = append(j.Releases, idOf(id))
	}
	for _, f := range r.Findings {
		j.Findings = append(j.Findings, findingOf(f))
	}
	for _, i := range r.Ignored {
		j.Ignored = append(j.Ignored, ignoredOf(i))
	}
	for _, u := range r.Unseen {
		j.Unseen = append(j.Unseen, unseenOf(u))
	}
	for _, n := range r.Notes {
		j.Notes = append(j.Notes, noteOf(n))
	}
	return j
}
