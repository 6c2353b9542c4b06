package plan

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
)

// ErrCycle says that needs form a cycle; the error text shows it as a path.
var ErrCycle = errors.New("needs form a cycle")

// order adds every edge to a plan and sorts its steps by them.
func order(p *Plan, files []spec.File) (*Plan, error) {
	byFiles := fileEdges(p.Steps, files)
	p.Edges = slices.Concat(needsEdges(p.Steps), byFiles, groupEdges(p.Steps), pruneEdges(p.Steps))
	sorted, err := sortSteps(p)
	if errors.Is(err, ErrCycle) && p.Mode == ModeDestroy {
		p.Edges = append(needsEdges(inUse(p.Steps)), byFiles...)
		sorted, err = sortSteps(p)
	}
	if err != nil {
		return nil, untangled(p, err)
	}
	p.Steps = sorted
	p.Edges = append(p.Edges, inferredEdges(p)...)
	p.Steps, err = sortSteps(p)
	return p, err
}

// needsEdges turns needs around for deletions as helmfile does: what is applied
// comes after what it needs, what is deleted goes before what it needs, and a
// deletion goes before anything applied that it has to do with. The last rule
// keeps a mix of both free of cycles.
func needsEdges(steps []Step) []Edge {
	selected := make(map[spec.ReleaseID]bool, len(steps))
	for _, s := range steps {
		selected[s.Release.ID] = true
	}
	var edges []Edge
	for _, s := range steps {
		for _, n := range s.Release.Needs {
			if !selected[n.ID] || n.ID == s.Release.ID {
				continue
			}
			from, to := n.ID, s.Release.ID
			if s.Action.Deletes() {
				from, to = to, from
			}
			edges = append(edges, Edge{From: Node{Release: from}, To: Node{Release: to}, Kind: EdgeNeeds})
		}
	}
	return edges
}

// inUse are the steps of those files in which something is to be deleted. As in
// helmfile, a destroy minds the needs of no other file: there is nothing to do.
func inUse(steps []Step) []Step {
	deletes := map[int]bool{}
	for _, s := range steps {
		deletes[s.Release.File] = deletes[s.Release.File] || s.Action.Deletes()
	}
	return slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return !deletes[s.Release.File] })
}

// fileEdges keeps helmfile's order of files: what a file applies waits for what
// the files before it apply, and deletions run the other way round.
func fileEdges(steps []Step, files []spec.File) []Edge {
	if !slices.ContainsFunc(files, func(f spec.File) bool { return f.FileOrder && len(f.Depends) > 0 }) {
		return nil
	}
	var edges []Edge
	add := func(from, to Node) { edges = append(edges, Edge{From: from, To: to, Kind: EdgeFileOrder}) }
	sorted := byPath(files)
	for _, s := range steps {
		if s.Reason == ReasonUndeclared {
			continue // it is in none
		}
		node := Node{Release: s.Release.ID}
		file := files[s.Release.File]
		if s.Action.Deletes() {
			add(node, gate("deleted", file))
			for _, i := range sorted {
				if files[i].FileOrder && slices.Contains(files[i].Depends, s.Release.File) {
					add(gate("deleted", files[i]), node)
				}
			}
			continue
		}
		add(node, gate("applied", file))
		for _, d := range sorted {
			if file.FileOrder && slices.Contains(file.Depends, d) {
				add(gate("applied", files[d]), node)
			}
		}
	}
	for _, i := range sorted {
		f := files[i]
		for _, d := range sorted {
			if !f.FileOrder || !slices.Contains(f.Depends, d) {
				continue
			}
			add(gate("applied", files[d]), gate("applied", files[i]))
			add(gate("deleted", files[i]), gate("deleted", files[d]))
		}
	}
	return edges
}

// byPath gives the indexes of files in an order that does not depend on how they
// were numbered.
func byPath(files []spec.File) []int {
	sorted := make([]int, len(files))
	for i := range files {
		sorted[i] = i
	}
	slices.SortStableFunc(sorted, func(a, b int) int { return strings.Compare(files[a].Path, files[b].Path) })
	return sorted
}

func gate(verb string, f spec.File) Node { return Node{Gate: verb + " " + f.Path} }

// sortSteps is Kahn's algorithm over steps and gates; of what could come next
// the release declared first does, so equal inputs give equal plans. Gates are
// passed at once.
func sortSteps(p *Plan) ([]Step, error) {
	g := newGraph(p)
	ready := &intHeap{}
	passed := 0
	var pass func(int)
	pass = func(i int) {
		if i < len(p.Steps) {
			heap.Push(ready, i)
			return
		}
		passed++
		g.each(i, pass)
	}
	for i, n := range slices.Clone(g.waiting) {
		if n == 0 {
			pass(i)
		}
	}
	sorted := make([]Step, 0, len(p.Steps))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		sorted = append(sorted, p.Steps[i])
		g.each(i, pass)
	}
	if passed+len(sorted) < len(g.nodes) {
		return nil, fmt.Errorf("%w: %s", ErrCycle, strings.Join(g.cycle(), " -> "))
	}
	return sorted, nil
}

// each tells the nodes that wait for nothing more once i is done.
func (g *graph) each(i int, ready func(int)) {
	for _, next := range g.next[i] {
		if g.waiting[next]--; g.waiting[next] == 0 {
			ready(next)
		}
	}
}

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

type graph struct {
	nodes   []Node
	index   map[Node]int
	next    [][]int
	waiting []int // edges into a node that are not satisfied yet
}

// newGraph numbers the steps in order, then the gates.
func newGraph(p *Plan) *graph {
	g := &graph{index: make(map[Node]int, len(p.Steps))}
	for _, s := range p.Steps {
		g.add(Node{Release: s.Release.ID})
	}
	for _, e := range p.Edges {
		from, to := g.add(e.From), g.add(e.To)
		g.next[from] = append(g.next[from], to)
		g.waiting[to]++
	}
	return g
}

func (g *graph) add(n Node) int {
	if i, ok := g.index[n]; ok {
		return i
	}
	i := len(g.nodes)
	g.index[n] = i
	g.nodes = append(g.nodes, n)
	g.next = append(g.next, nil)
	g.waiting = append(g.waiting, 0)
	return i
}

// cycle walks back from a node that never became ready, so the path reads as
// "needs". It starts at the release declared first, so that it is always the
// same.
func (g *graph) cycle() []string {
	before := make([]int, len(g.nodes))
	for i, nexts := range g.next {
		for _, n := range nexts {
			if g.waiting[i] > 0 && g.waiting[n] > 0 {
				before[n] = i + 1
			}
		}
	}
	at := slices.IndexFunc(g.waiting, func(n int) bool { return n > 0 })
	visited := map[int]int{}
	var path []int
	for at >= 0 {
		if start, ok := visited[at]; ok {
			path = path[start:]
			break
		}
		visited[at] = len(path)
		path = append(path, at)
		at = before[at] - 1
	}
	smallest := 0
	for i, n := range path {
		if n < path[smallest] {
			smallest = i
		}
	}
	path = append(slices.Clone(path[smallest:]), path[:smallest]...)
	var names []string
	for _, n := range append(path, path[0]) {
		names = append(names, g.nodes[n].String())
	}
	return names
}

// String prints a release's id, or what a gate stands for.
func (n Node) String() string {
	if n.Gate != "" {
		return n.Gate
	}
	return n.Release.String()
}
