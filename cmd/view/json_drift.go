package view

import (
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// driftHeader has no time: an unchanged cluster gives the same output.
type driftHeader struct {
	Type   string `json:"type"`
	Schema string `json:"schema"`
}

type jsonFinding struct {
	Kind        drift.Kind  `json:"kind"`
	Release     jsonID      `json:"release"`
	Revision    int         `json:"revision,omitempty"`
	Object      *jsonObject `json:"object,omitempty"`
	Field       string      `json:"field,omitempty"`
	Declared    string      `json:"declared,omitempty"` // JSON
	Live        string      `json:"live,omitempty"`     // JSON
	Manager     string      `json:"manager,omitempty"`
	Operation   string      `json:"operation,omitempty"`
	Subresource string      `json:"subresource,omitempty"`
	Time        *time.Time  `json:"time,omitempty"`
	Message     string      `json:"message,omitempty"`
	Ignored     string      `json:"ignored,omitempty"` // why it does not count
	Rule        string      `json:"rule,omitempty"`    // where the state file says so
}

type headedFinding struct {
	driftHeader
	jsonFinding
}

func findingOf(f drift.Finding) jsonFinding {
	j := jsonFinding{
		Kind: f.Kind, Release: idOf(f.Release), Revision: f.Revision,
		Field: f.Field, Declared: f.Declared, Live: f.Live,
		Manager: f.Manager, Operation: f.Operation, Subresource: f.Subresource, Message: f.Text,
	}
	if f.OfObject() {
		o := objectOf(f.Object)
		j.Object = &o
	}
	if !f.Time.IsZero() {
		at := f.Time.UTC()
		j.Time = &at
	}
	return j
}

func ignoredOf(i drift.Ignored) jsonFinding {
	j := findingOf(i.Finding)
	if j.Ignored = i.Because; i.Rule != nil {
		j.Rule = i.Rule.Pos.String()
	}
	return j
}

type jsonUnseen struct {
	Context string       `json:"context,omitempty"`
	Release *jsonID      `json:"release,omitempty"`
	Objects []jsonObject `json:"objects,omitempty"`
	Message string       `json:"message"`
}

func unseenOf(u drift.Unseen) jsonUnseen {
	return jsonUnseen{u.Context, idOrNil(u.Release), seenObjects(u.Objects), u.Err.Error()}
}

type jsonNote struct {
	Release *jsonID `json:"release,omitempty"`
	Message string  `json:"message"`
}

func noteOf(n drift.Note) jsonNote { return jsonNote{idOrNil(n.Release), n.Text} }

// Drift prints a line for each finding, for each that does not count, and for
// what could not be seen; the verdict comes last.
func (v *jsonView) Drift(r drift.Report, opts DriftOptions) {
	for _, f := range r.Findings {
		v.write(headedFinding{driftHeader{"finding", schema}, findingOf(f)})
	}
	for _, i := range r.Ignored {
		v.write(headedFinding{driftHeader{"ignored", schema}, ignoredOf(i)})
	}
	for _, n := range r.Notes {
		v.write(struct {
			driftHeader
			jsonNote
		}{driftHeader{"note", schema}, noteOf(n)})
	}
	for _, u := range r.Unseen {
		v.write(struct {
			driftHeader
			jsonUnseen
		}{driftHeader{"unseen", schema}, unseenOf(u)})
	}
	v.write(struct {
		driftHeader
		Against  plan.Level `json:"against"`
		Drifted  bool       `json:"drifted"`
		Complete bool       `json:"complete"` // all could be seen
		Releases int        `json:"releases"`
		Objects  int        `json:"objects"`
		Findings int        `json:"findings"`
		Ignored  int        `json:"ignored"`
	}{driftHeader{"drift", schema}, opts.Against, r.Drifted(), len(r.Unseen) == 0, len(r.Releases), r.Objects, len(r.Findings), len(r.Ignored)})
}

func idOrNil(id spec.ReleaseID) *jsonID {
	if id == (spec.ReleaseID{}) {
		return nil
	}
	j := idOf(id)
	return &j
}

func seenObjects(ids []state.ObjectID) []jsonObject {
	if len(ids) == 0 {
		return nil
	}
	return objectsOf(ids)
}
