package executor

import (
	"context"
	"errors"
	"sync"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

// Verifier runs the gates that come after an install or upgrade.
type Verifier interface {
	// Verify runs one gate on behalf of r, and returns when it is passed. The error
	// says why it is not; it wraps the cause of ctx when that has ended.
	Verify(ctx context.Context, r spec.Release, gate spec.Gate) error
}

// GroupError says that a gate of a group was not passed. The group is one thing
// then: all of its members that the run changed have failed.
type GroupError struct {
	Group string
	// Tolerated: all members of the group that the run changes have continueOnError.
	Tolerated bool
	Err       error
}

// Error says what happened: a gate knows its group.
func (e *GroupError) Error() string { return e.Err.Error() }

// Unwrap gives what happened.
func (e *GroupError) Unwrap() error { return e.Err }

// verification runs the gates of one run. Safe for concurrent use.
type verification struct {
	by Verifier // nil: gates are left out

	mu     sync.Mutex
	groups map[string]*group
}

// group is what a run changes of an atomicGroup with gates.
type group struct {
	left      int         // members that have not ended well yet
	gates     []spec.Gate // nil: nothing is installed or upgraded
	tolerated bool        // all members have continueOnError
}

// newVerification takes members that an earlier process of the run is done with for
// what they are.
func newVerification(p *plan.Plan, by Verifier, prior map[spec.ReleaseID]Prior) *verification {
	v := &verification{by: by, groups: map[string]*group{}}
	for _, s := range p.Steps {
		r := s.Release
		if len(r.GroupVerify) == 0 || !s.Action.Writes() {
			continue
		}
		g := v.groups[r.AtomicGroup]
		if g == nil {
			g = &group{tolerated: true}
			v.groups[r.AtomicGroup] = g
		}
		if prior[r.ID].Outcome != OutcomeDone {
			g.left++
		}
		g.tolerated = g.tolerated && r.Options.ContinueOnError
		if !s.Action.Deletes() {
			g.gates = r.GroupVerify
		}
	}
	return v
}

// release runs the gates of a release that has just been installed or upgraded.
func (v *verification) release(ctx context.Context, s plan.Step) error {
	if s.Action.Deletes() {
		return nil
	}
	return v.run(ctx, s.Release, s.Release.Verify)
}

// group runs the gates of the group of a step that has ended well, if it was the
// last one of its group.
func (v *verification) group(ctx context.Context, s plan.Step) error {
	v.mu.Lock()
	g := v.groups[s.Release.AtomicGroup]
	if g == nil || len(s.Release.GroupVerify) == 0 {
		v.mu.Unlock()
		return nil
	}
	g.left--
	last := g.left == 0
	v.mu.Unlock()
	if !last {
		return nil
	}
	if err := v.run(ctx, s.Release, g.gates); err != nil {
		return &GroupError{Group: s.Release.AtomicGroup, Tolerated: g.tolerated, Err: err}
	}
	return nil
}

func (v *verification) run(ctx context.Context, r spec.Release, gates []spec.Gate) error {
	if v.by == nil {
		return nil
	}
	for _, gate := range gates {
		if err := v.by.Verify(ctx, r, gate); err != nil {
			return err
		}
	}
	return nil
}

// spread lets the failure of a group's gate count for all of its members that the
// run changed: it met the one that happened to end last.
func spread(results []Result) []Result {
	for _, x := range results {
		var failed *GroupError
		if x.Outcome != OutcomeFailed || !errors.As(x.Err, &failed) {
			continue
		}
		for i := range results {
			r := &results[i]
			if r.Step.Release.AtomicGroup == failed.Group && r.Outcome == OutcomeDone && r.Step.Action.Writes() {
				r.Outcome, r.Err = OutcomeFailed, failed
			}
		}
	}
	return results
}

// tolerates reports whether a failure of a release stops only what needs it.
func tolerates(r spec.Release, err error) bool {
	var failed *GroupError
	if errors.As(err, &failed) {
		return failed.Tolerated
	}
	return r.Options.ContinueOnError
}
