package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// savedJSON is a Saved as it is written. Structs of this and other packages
// below it are written with the names of their fields; a test lists them all,
// because a name that changes needs a new version of the format.
type savedJSON[S any] struct {
	Flotilla string
	Created  time.Time
	Files    []SourceFile
	Policy   SavedPolicy
	Mode     Mode
	Steps    []S
	Edges    []Edge
	Bases    []Base
	Hooks    []StepHooks
	Secrets  []string
	Made     Made
	Clusters []state.ClusterID
	Owner    spec.Owner
}

type stepJSON struct {
	Release releaseJSON
	Action  Action
	Reason  Reason
	Phase   state.Phase
	Before  *revisionJSON
	After   *revisionJSON
	Changes []diff.Change

	Drift      []live.Drift
	Objections []Objection
	Causes     []Cause
}

// releaseJSON has the fields that trimmed keeps.
type releaseJSON struct {
	ID          spec.ReleaseID
	Pos         spec.Pos
	Index       int
	Labels      map[string]string
	Installed   bool
	Enabled     bool
	Needs       []spec.Need
	AtomicGroup string
	Options     spec.Options
	Verify      []spec.Gate
	GroupVerify []spec.Gate
}

type revisionJSON struct {
	Number   int
	Status   state.Status
	Chart    state.Chart
	Values   valuesJSON
	Stream   text
	Hooks    []state.Hook
	Notes    string
	Labels   map[string]string
	Deployed time.Time
	CRDs     []crdJSON
}

type crdJSON struct {
	Path string
	Data text
}

// text is bytes that are text, which JSON must not change. No bytes are nil.
type text []byte

// MarshalJSON refuses what JSON cannot hold as it is.
func (t text) MarshalJSON() ([]byte, error) {
	if !utf8.Valid(t) {
		return nil, fmt.Errorf("the text %.40q is not UTF-8", []byte(t))
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*t = nil
	if s != "" {
		*t = text(s)
	}
	return nil
}

// Encode writes a saved plan as JSON. Equal plans give equal bytes. It fails,
// naming the release, where a text or value cannot be written as it is.
func Encode(s *Saved) ([]byte, error) {
	j := savedJSON[json.RawMessage]{
		Flotilla: s.Flotilla, Created: s.Created, Files: s.Files, Policy: s.Policy,
		Mode: s.Plan.Mode, Edges: s.Plan.Edges, Bases: s.Bases, Hooks: s.Hooks, Secrets: s.Secrets,
		Made: s.Made, Clusters: s.Clusters, Owner: s.Owner,
	}
	for _, step := range s.Plan.Steps {
		one, err := encodeStep(step)
		if err != nil {
			return nil, fmt.Errorf("encoding the plan of %s: %w", step.Release.ID, err)
		}
		j.Steps = append(j.Steps, one)
	}
	data, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encoding the plan: %w", err)
	}
	if err := bounded(data); err != nil {
		return nil, fmt.Errorf("encoding the plan: %w", err)
	}
	return data, nil
}

func encodeStep(s Step) (json.RawMessage, error) {
	if s.After != nil {
		for _, h := range s.After.Hooks {
			if !utf8.ValidString(h.Manifest) {
				return nil, fmt.Errorf("the hook %s is not UTF-8", h.Path)
			}
		}
	}
	return json.Marshal(writtenStep(s))
}

// Decode reads what Encode wrote. Whole numbers among the values become int64,
// or uint64 where they are too large for that. A text that no plan gives, such
// as one without end or with edges that form a cycle, is refused before it costs
// much memory.
func Decode(data []byte) (*Saved, error) {
	if err := bounded(data); err != nil {
		return nil, fmt.Errorf("decoding the plan: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var j savedJSON[stepJSON]
	if err := dec.Decode(&j); err != nil {
		return nil, fmt.Errorf("decoding the plan: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("decoding the plan: something follows its end")
	}
	s := &Saved{
		Flotilla: j.Flotilla, Created: j.Created, Files: j.Files, Policy: j.Policy,
		Plan: &Plan{Mode: j.Mode, Edges: j.Edges}, Bases: j.Bases, Hooks: j.Hooks, Secrets: j.Secrets,
		Made: j.Made, Clusters: j.Clusters, Owner: j.Owner,
	}
	for _, step := range j.Steps {
		s.Plan.Steps = append(s.Plan.Steps, step.read())
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("decoding the plan: %w", err)
	}
	return s, nil
}

func writtenStep(s Step) stepJSON {
	r := s.Release
	return stepJSON{
		Release: releaseJSON{r.ID, r.Pos, r.Index, r.Labels, r.Installed, r.Enabled, r.Needs, r.AtomicGroup, r.Options, r.Verify, r.GroupVerify},
		Action:  s.Action, Reason: s.Reason, Phase: s.Have.Phase,
		Before: writtenRevision(s.Before), After: writtenRevision(s.After), Changes: s.Changes,
		Drift: s.Drift, Objections: s.Objections, Causes: s.Causes,
	}
}

func (s stepJSON) read() Step {
	r := s.Release
	return Step{
		Release: spec.Release{
			ID: r.ID, Pos: r.Pos, Index: r.Index, Labels: r.Labels, Installed: r.Installed, Enabled: r.Enabled,
			Needs: r.Needs, AtomicGroup: r.AtomicGroup, Options: r.Options, Verify: r.Verify, GroupVerify: r.GroupVerify,
		},
		Action: s.Action, Reason: s.Reason, Have: state.Release{ID: r.ID, Phase: s.Phase},
		Before: s.Before.read(), After: s.After.read(), Changes: s.Changes,
		Drift: s.Drift, Objections: s.Objections, Causes: s.Causes,
	}
}

func writtenRevision(r *state.Revision) *revisionJSON {
	if r == nil {
		return nil
	}
	j := &revisionJSON{
		Number: r.Number, Status: r.Status, Chart: r.Chart, Values: r.Values, Stream: r.Stream,
		Hooks: r.Hooks, Notes: r.Notes, Labels: r.Labels, Deployed: r.Deployed,
	}
	for _, crd := range r.CRDs {
		j.CRDs = append(j.CRDs, crdJSON{crd.Path, crd.Data})
	}
	return j
}

func (j *revisionJSON) read() *state.Revision {
	if j == nil {
		return nil
	}
	r := &state.Revision{
		Number: j.Number, Status: j.Status, Chart: j.Chart, Values: j.Values, Stream: j.Stream,
		Hooks: j.Hooks, Notes: j.Notes, Labels: j.Labels, Deployed: j.Deployed,
	}
	for _, crd := range j.CRDs {
		r.CRDs = append(r.CRDs, state.CRDFile{Path: crd.Path, Data: crd.Data})
	}
	return r
}
