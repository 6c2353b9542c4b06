package cli

import (
	"maps"
	"slices"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// stepsOf are the steps that write, and what comes before what. What does not
// write is passed through as a gate is.
func stepsOf(p *plan.Plan) ([]journal.Step, []journal.Edge, error) {
	number := map[plan.Node]int{}
	var steps []journal.Step
	for _, s := range p.Steps {
		if !s.Action.Writes() {
			continue
		}
		number[plan.Node{Release: s.Release.ID}] = len(steps)
		step, err := stepOf(s)
		if err != nil {
			return nil, nil, err
		}
		steps = append(steps, step)
	}
	for i := range steps {
		steps[i].Needs = needed(p, steps[i].Release, number)
	}
	numberOf := func(n plan.Node) int {
		i, known := number[n]
		if !known {
			i = len(number)
			number[n] = i
		}
		return i
	}
	var edges []journal.Edge
	for _, e := range p.Edges {
		edges = append(edges, journal.Edge{From: numberOf(e.From), To: numberOf(e.To)})
	}
	return steps, edges, nil
}

func stepOf(s plan.Step) (journal.Step, error) {
	o := s.Release.Options
	step := journal.Step{
		Release: s.Release.ID, Group: s.Release.AtomicGroup, Action: string(s.Action), Base: s.Base,
		Options: ofUndo(o), MakesNamespace: s.Action == plan.ActionInstall && o.CreateNamespace,
	}
	if last := s.Have.Last(); last != nil && last.Number == s.Base {
		step.BaseAt, step.BaseStatus = last.Deployed, last.Status
	}
	if s.Before != nil {
		step.Back, step.BackStatus = s.Before.Number, s.Before.Status
	}
	if s.After == nil {
		return step, nil
	}
	step.Intended = step.Base + 1
	if s.Action == plan.ActionInstall && !o.SkipCRDs {
		step.CRDs = engine.Definitions(s.After)
	}
	var err error
	step.Wanted, err = s.Wanted()
	return step, err
}

// ofUndo are the options that going on with a step, or taking it back, depends on:
// none with texts that somebody wrote.
func ofUndo(o spec.Options) spec.Options {
	return spec.Options{
		Wait: o.Wait, WaitForJobs: o.WaitForJobs, Timeout: o.Timeout, CleanupOnFail: o.CleanupOnFail,
		ForceReplace: o.ForceReplace, ForceConflicts: o.ForceConflicts, ServerSide: o.ServerSide, TakeOwnership: o.TakeOwnership,
		HistoryMax: o.HistoryMax, DisableHooks: o.DisableHooks, Cascade: o.Cascade,
		DeleteWait: o.DeleteWait, DeleteTimeout: o.DeleteTimeout, ContinueOnError: o.ContinueOnError, Track: o.Track,
	}
}

// needed are the numbers of the steps whose releases a release needs, be it
// through others that do not change.
func needed(p *plan.Plan, id spec.ReleaseID, number map[plan.Node]int) []int {
	needs := make(map[spec.ReleaseID][]spec.Need, len(p.Steps))
	for _, s := range p.Steps {
		needs[s.Release.ID] = s.Release.Needs
	}
	seen, found := map[spec.ReleaseID]bool{id: true}, map[int]bool{}
	for next := []spec.ReleaseID{id}; len(next) > 0; {
		now := next[0]
		next = next[1:]
		for _, n := range needs[now] {
			if seen[n.ID] {
				continue
			}
			seen[n.ID] = true
			if i, writes := number[plan.Node{Release: n.ID}]; writes {
				found[i] = true
			} else {
				next = append(next, n.ID)
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
