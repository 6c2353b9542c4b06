package executor

import (
	"cmp"
	"slices"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
)

// ranks order the nodes of a graph: where several may start, the one with the
// longest chain of work after it goes first, since nothing else decides sooner
// when all is done. How long a step takes is what Expected knows of it, else the
// median of what it knows, else the same for all, so that the number of steps
// counts. Equal ones keep the plan's order, and so do nodes of a cycle, which no
// plan has.
func ranks(nodes []node, p *plan.Plan, expected func(plan.Step) time.Duration) []int {
	chain := chains(nodes, weights(nodes, p, expected))
	order := make([]int, len(nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(chain[b], chain[a]), cmp.Compare(nodes[a].step, nodes[b].step))
	})
	rank := make([]int, len(nodes))
	for at, i := range order {
		rank[i] = at
	}
	return rank
}

// weights are how long each node is expected to take. Gates and steps without an
// action take no time.
func weights(nodes []node, p *plan.Plan, expected func(plan.Step) time.Duration) []time.Duration {
	weight := make([]time.Duration, len(nodes))
	var known []time.Duration
	for i, n := range nodes {
		if n.step < 0 || !p.Steps[n.step].Action.Writes() || expected == nil {
			continue
		}
		if weight[i] = expected(p.Steps[n.step]); weight[i] > 0 {
			known = append(known, weight[i])
		}
	}
	otherwise := time.Second
	if len(known) > 0 {
		slices.Sort(known)
		otherwise = known[(len(known)-1)/2]
	}
	for i, n := range nodes {
		if n.step >= 0 && p.Steps[n.step].Action.Writes() && weight[i] <= 0 {
			weight[i] = otherwise
		}
	}
	return weight
}

// chains are the weights of each node and the longest way after it.
func chains(nodes []node, weight []time.Duration) []time.Duration {
	waiting := make([]int, len(nodes))
	var order []int
	for i, n := range nodes {
		if waiting[i] = n.waiting; n.waiting == 0 {
			order = append(order, i)
		}
	}
	for at := 0; at < len(order); at++ {
		for _, next := range nodes[order[at]].next {
			if waiting[next]--; waiting[next] == 0 {
				order = append(order, next)
			}
		}
	}
	chain := slices.Clone(weight)
	for _, i := range slices.Backward(order) {
		var longest time.Duration
		for _, next := range nodes[i].next {
			longest = max(longest, chain[next])
		}
		chain[i] += longest
	}
	return chain
}
