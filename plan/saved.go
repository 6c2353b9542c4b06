package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Saved is a plan that outlives its run: all that is needed to show it, to see
// whether the cluster has moved on since, and to execute it, without the state
// files, repositories and secrets that it was made of. It holds secrets.
type Saved struct {
	Flotilla string    // version of the program that made it
	Created  time.Time // when
	Files    []SourceFile
	Policy   SavedPolicy
	// Plan has of what the cluster held only what is shown: Have without
	// history, Before without content. Onto fills them in. Steps that write
	// nothing keep of After only the chart.
	Plan *Plan
	// Bases are what the releases of the steps that write were decided on, in
	// the order of steps.
	Bases []Base
	Hooks []StepHooks // lifecycle hooks, of releases that have any
	// Secrets are texts that may not be printed, of values from secret stores.
	Secrets []string
	Made    Made
	// Clusters are those of the releases that the plan writes to, by context.
	Clusters []state.ClusterID
	Owner    spec.Owner // whom its releases belong to
}

// SourceFile is a file that a plan was made of.
type SourceFile struct {
	Path   string
	Digest string // sha256:...
}

// Made is how a plan was asked for, to ask for it once more. Flags may hold
// secrets: they are for no eyes.
type Made struct {
	Dir   string // absolute: where relative paths among the flags start
	File  string // the first state file; "-" for standard input
	Flags []Flag // those that say what is wanted and are not at their default, by name
}

// Flag is a flag of the command line with its values: more than one where it
// was repeated.
type Flag struct {
	Name   string
	Values []string
}

// SavedPolicy is what of a Policy a saved plan remembers.
type SavedPolicy struct {
	ForcePending bool
	NoHooks      bool  // hooks of charts were not compared
	Against      Level // how closely it looked; empty: LevelRelease
}

// Base is what the cluster held of a release when a step was decided on.
type Base struct {
	Release spec.ReleaseID
	Phase   state.Phase
	// Revisions are the newest one and, if that is another one, the deployed
	// one, newest first; none of a release that is absent.
	Revisions []BaseRevision
	Seen      []live.Seen // of its live objects; none at LevelRelease
}

// BaseRevision is one stored revision that a step was decided on.
type BaseRevision struct {
	Number   int
	Status   state.Status
	Digest   string // state.Revision.Digest
	Deployed time.Time
	Writer   string // state.Revision.Writer
}

// StepHooks are the lifecycle hooks of one release, rendered.
type StepHooks struct {
	Release spec.ReleaseID
	Hooks   []hooks.Frozen
}

// Origin is what a saved plan tells of the run that made it.
type Origin struct {
	Flotilla string
	Created  time.Time
	Files    []SourceFile
	Policy   SavedPolicy
	Hooks    []StepHooks
	Secrets  []string
	Made     Made
	Clusters []state.ClusterID
	Owner    spec.Owner
}

// Save makes a plan that can be encoded. It fails where the digest of a stored
// revision cannot be taken.
func (p *Plan) Save(from Origin) (*Saved, error) {
	s := &Saved{
		Flotilla: from.Flotilla, Created: from.Created.UTC().Round(0),
		Policy: from.Policy,
		Plan:   &Plan{Mode: p.Mode, Edges: slices.Clone(p.Edges)},
	}
	s.Files = append(s.Files, from.Files...)
	s.Hooks = append(s.Hooks, from.Hooks...)
	s.Secrets = append(s.Secrets, from.Secrets...)
	s.Made, s.Clusters, s.Owner = from.Made, append(s.Clusters, from.Clusters...), from.Owner
	for _, step := range p.Steps {
		s.Plan.Steps = append(s.Plan.Steps, trimmed(step))
		if !step.Action.Writes() {
			continue
		}
		b, err := baseOf(step.Have)
		if err != nil {
			return nil, fmt.Errorf("saving the plan of %s: %w", step.Release.ID, err)
		}
		b.Seen = step.Seen
		s.Bases = append(s.Bases, b)
	}
	return s, nil
}

func baseOf(have state.Release) (Base, error) {
	b := Base{Release: have.ID, Phase: have.Phase}
	for _, rev := range decidedOn(have) {
		digest, err := rev.Digest()
		if err != nil {
			return Base{}, err
		}
		b.Revisions = append(b.Revisions, BaseRevision{Number: rev.Number, Status: rev.Status, Digest: digest, Deployed: rev.Deployed.UTC(), Writer: rev.Writer})
	}
	return b, nil
}

// decidedOn are the revisions that a step depends on: what the newest is decides
// on the action, and the deployed one is what an undo returns to.
func decidedOn(have state.Release) []state.Revision {
	last, deployed := have.Last(), have.Deployed()
	switch {
	case last == nil:
		return nil
	case deployed == nil || deployed.Number == last.Number:
		return []state.Revision{*last}
	default:
		return []state.Revision{*last, *deployed}
	}
}

// trimmed is a step with what showing and executing it needs. What made the
// revision, such as values files, charts' addresses with credentials and
// post-renderers, has done its work.
func trimmed(s Step) Step {
	r := s.Release
	s.Release = spec.Release{
		ID: r.ID, Pos: r.Pos, Index: r.Index, Labels: maps.Clone(r.Labels), Installed: r.Installed, Enabled: r.Enabled,
		Needs: slices.Clone(r.Needs), AtomicGroup: r.AtomicGroup, Options: r.Options,
	}
	if s.Action.Writes() {
		s.Release.Verify, s.Release.GroupVerify = r.Verify, r.GroupVerify
	}
	s.Release.Options.PostRenderer, s.Release.Options.PostRendererArgs = "", nil
	s.Have, s.Base, s.Seen = state.Release{ID: s.Have.ID, Phase: s.Have.Phase}, 0, nil
	if s.Before != nil {
		b := s.Before
		s.Before = &state.Revision{Number: b.Number, Status: b.Status, Chart: b.Chart, Deployed: b.Deployed.UTC()}
	}
	if s.After != nil {
		after := *s.After
		if !s.Action.Writes() {
			after = state.Revision{Chart: after.Chart}
		}
		after.Notes = validText(after.Notes)
		s.After = &after
	}
	return s
}

// validText is a text as Helm stores it: in JSON, which has no other bytes.
func validText(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// Touched are the releases that executing the plan writes to.
func (s *Saved) Touched() []spec.ReleaseID {
	ids := make([]spec.ReleaseID, 0, len(s.Bases))
	for _, b := range s.Bases {
		ids = append(ids, b.Release)
	}
	return ids
}

// Charts are the digests of the charts that the plan needs, each once.
func (s *Saved) Charts() []string {
	var digests []string
	for _, step := range s.Plan.Steps {
		if step.Action.Writes() && step.After != nil {
			digests = append(digests, step.After.Chart.Digest)
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}
