package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flotilla-sh/flotilla/spec"
)

// check refuses a saved plan that no Build can have made, before a run fails in
// the middle of it. It says what is wrong with which release.
func (s *Saved) check() error {
	if s.Plan.Mode != ModeApply {
		return fmt.Errorf("its mode is %q, and only plans of mode %s are saved", s.Plan.Mode, ModeApply)
	}
	steps := make(map[spec.ReleaseID]bool, len(s.Plan.Steps))
	var writes []spec.ReleaseID
	for _, step := range s.Plan.Steps {
		id := step.Release.ID
		if id.Name == "" || steps[id] {
			return fmt.Errorf("the release %q is in it twice, or has no name", id)
		}
		steps[id] = true
		if step.Action.Writes() {
			writes = append(writes, id)
		}
		if err := step.check(); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	if !slices.Equal(writes, s.Touched()) {
		return errors.New("it does not say of every release what it was decided on")
	}
	for _, b := range s.Bases {
		if len(b.Revisions) > 2 {
			return fmt.Errorf("%s: it was decided on %d revisions, and two are all that matter", b.Release, len(b.Revisions))
		}
	}
	return s.Plan.checkOrder(steps)
}

func (s Step) check() error {
	switch s.Action {
	case ActionNone:
		return nil
	case ActionInstall, ActionUpgrade:
		if s.After == nil {
			return fmt.Errorf("it does not say what to %s", s.Action)
		}
		return nil
	case ActionUninstall:
		if s.After != nil {
			return errors.New("there is something to apply in an uninstall")
		}
		return nil
	case ActionRollback, ActionRemove:
		return fmt.Errorf("the action %s is not one of a plan of mode %s", s.Action, ModeApply)
	default:
		return fmt.Errorf("the action %q is unknown", s.Action)
	}
}

// checkOrder makes sure that the steps are in an order that respects every
// edge, and so that edges form no cycle.
func (p *Plan) checkOrder(steps map[spec.ReleaseID]bool) error {
	for _, e := range p.Edges {
		for _, n := range []Node{e.From, e.To} {
			if n.Gate == "" && !steps[n.Release] {
				return fmt.Errorf("an edge names the release %q, which is not in it", n.Release)
			}
		}
		switch e.Kind {
		case EdgeNeeds, EdgeFileOrder, EdgeCRD, EdgeNamespace, EdgeGroup, EdgePrune:
		default:
			return fmt.Errorf("the reason %q of an edge is unknown", e.Kind)
		}
	}
	sorted, err := sortSteps(p)
	if err != nil {
		return err
	}
	same := slices.EqualFunc(sorted, p.Steps, func(a, b Step) bool { return a.Release.ID == b.Release.ID })
	if !same {
		return errors.New("its steps are not in the order that its edges ask for")
	}
	return nil
}
