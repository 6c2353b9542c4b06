package executor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// schedule is one pass over one plan. A single goroutine owns it; workers only
// send what they did.
type schedule struct {
	plan    *plan.Plan
	opts    Options
	undo    bool
	work    func(context.Context, plan.Step) (state.Trace, error)
	nodes   []node
	rank    []int // of nodes: the lowest starts first
	ready   []int // by rank
	slots   *slots
	stopped bool   // nothing new starts
	ended   bool   // and nothing goes on that an earlier process had begun
	because string // what stopped it
	results []Result
	done    chan finished
	retries chan Event
}

type node struct {
	step    int // index into plan.Steps; -1: a gate
	next    []int
	waiting int
	blocked block
}

// block is why a node cannot run: a step before it did not end well.
type block struct {
	because   string // empty: nothing is in the way
	tolerated bool   // that step has continueOnError: later files go on all the same
}

type finished struct {
	node    int
	left    state.Trace
	err     error
	elapsed time.Duration
	tries   int
}

func newSchedule(p *plan.Plan, opts Options, work func(context.Context, plan.Step) (state.Trace, error)) *schedule {
	s := &schedule{
		plan: p, opts: opts, work: work, undo: p.Mode == plan.ModeUndo, slots: newSlots(opts),
		done: make(chan finished), retries: make(chan Event),
	}
	index := map[plan.Node]int{}
	add := func(n plan.Node, step int) int {
		if i, ok := index[n]; ok {
			return i
		}
		index[n] = len(s.nodes)
		s.nodes = append(s.nodes, node{step: step})
		return index[n]
	}
	s.results = make([]Result, len(p.Steps))
	for i, step := range p.Steps {
		add(plan.Node{Release: step.Release.ID}, i)
		if s.results[i] = opts.before(step); s.undo {
			s.results[i] = Result{Step: step, Outcome: OutcomeSkipped}
		}
	}
	for _, e := range p.Edges {
		from, to := add(e.From, -1), add(e.To, -1)
		s.nodes[from].next = append(s.nodes[from].next, to)
		s.nodes[to].waiting++
	}
	s.rank = ranks(s.nodes, p, opts.Expected)
	return s
}

// run works until everything that may run has ended. It returns only when no
// worker is left.
func (s *schedule) run(ctx context.Context) []Result {
	var group errgroup.Group
	for i := range s.nodes {
		if s.nodes[i].waiting == 0 {
			s.offer(i)
		}
	}
	interrupt := ctx.Done()
	for {
		s.start(ctx, &group)
		if s.slots.running == 0 {
			break
		}
		select {
		case f := <-s.done:
			s.slots.give(s.plan.Steps[s.nodes[f.node].step].Release.ID)
			s.finish(ctx, f)
		case e := <-s.retries:
			s.opts.Observe(e)
		case <-interrupt:
			interrupt = nil // start sees why
		}
	}
	_ = group.Wait() // workers report through done; none returns an error
	s.tellSkipped()
	return s.results
}

// offer makes a node ready.
func (s *schedule) offer(i int) {
	at, _ := slices.BinarySearchFunc(s.ready, s.rank[i], func(other, rank int) int { return s.rank[other] - rank })
	s.ready = slices.Insert(s.ready, at, i)
}

// next takes the first ready node that may go on. Gates, steps that are not run
// and steps without an action need no slot, and so are never held back by one
// that waits for its own.
func (s *schedule) next() (i int, ok bool) {
	for at, i := range s.ready {
		if s.slotless(i) || s.slots.free(s.plan.Steps[s.nodes[i].step].Release.ID) {
			s.ready = slices.Delete(s.ready, at, at+1)
			return i, true
		}
	}
	return 0, false
}

// slotless reports whether a node is done with at once.
func (s *schedule) slotless(i int) bool {
	n := s.nodes[i]
	return s.stopped && !s.owed(n.step) || n.step < 0 || n.blocked.because != "" || !s.plan.Steps[n.step].Action.Writes() || s.settled(n.step)
}

// start begins every ready step for which there is a slot.
func (s *schedule) start(ctx context.Context, group *errgroup.Group) {
	_ = s.opts.gate.check(ctx) // what is not the end of ctx closes the gate
	switch closed := s.opts.gate.was(); {
	case closed != nil:
		s.ended = true
		s.stop("the run may not write any more: " + closed.Error())
	case ctx.Err() != nil:
		s.ended = true
		s.stop(whyEnded(ctx))
	}
	for {
		i, ok := s.next()
		if !ok {
			return
		}
		n := s.nodes[i]
		switch {
		case n.blocked.because != "":
			s.skip(i)
		case n.step < 0:
			s.release(i, block{})
		case !s.plan.Steps[n.step].Action.Writes():
			s.results[n.step].Outcome = OutcomeUnchanged
			s.release(i, block{})
		case s.settled(n.step):
			s.recall(i)
		case s.stopped && !s.owed(n.step):
			s.skip(i)
		default:
			s.begin(ctx, i, group)
		}
	}
}

func whyEnded(ctx context.Context) string {
	if cause := context.Cause(ctx); errors.Is(cause, ErrTimeout) {
		return cause.Error()
	}
	return "the run was interrupted"
}

func (s *schedule) begin(ctx context.Context, i int, group *errgroup.Group) {
	step := s.plan.Steps[s.nodes[i].step]
	s.slots.take(step.Release.ID)
	started := Event{Kind: EventStarted, Time: s.opts.Now(), Undo: s.undo, Step: step}
	s.opts.Observe(started)
	group.Go(func() error {
		f := finished{node: i}
		if f.err = s.recorded(ctx, started); f.err == nil {
			began := s.opts.Now()
			telling := s.telling(ctx, step)
			f.left, f.err = s.work(telling.ctx, step)
			f.elapsed, f.tries = s.opts.Now().Sub(began), telling.end()
		}
		s.done <- f
		return nil
	})
}

// telling passes on what a step tries again.
type telling struct {
	ctx   context.Context
	ended chan struct{}

	mu    sync.Mutex
	tries int
}

// telling gives a step's context. What is told after the step has ended, by
// whoever was left over, goes nowhere.
func (s *schedule) telling(ctx context.Context, step plan.Step) *telling {
	t := &telling{ended: make(chan struct{}), tries: 1}
	t.ctx = state.WithRetries(ctx, func(r state.Retry) {
		t.mu.Lock()
		t.tries = max(t.tries, r.Attempt)
		t.mu.Unlock()
		select {
		case s.retries <- Event{Kind: EventRetrying, Time: s.opts.Now(), Undo: s.undo, Step: step, Retry: r}:
		case <-t.ended:
		}
	})
	return t
}

// end gives how often the most stubborn part of the step was tried.
func (t *telling) end() int {
	close(t.ended)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tries
}

// recorded keeps that a step starts, before it does. Putting back goes on
// without a record: what is in the cluster matters more.
func (s *schedule) recorded(ctx context.Context, started Event) error {
	err := s.opts.Record.Begin(ctx, started)
	if s.undo {
		return nil
	}
	return before(err)
}

func (s *schedule) finish(ctx context.Context, f finished) {
	r := &s.results[s.nodes[f.node].step]
	r.Elapsed, r.Left, r.Err = f.elapsed, r.Left.Then(f.left), f.err
	name := r.Step.Release.ID.String()
	switch {
	case f.err == nil:
		r.Outcome = OutcomeDone
		s.release(f.node, block{})
	case cancelled(ctx, f.err):
		r.Outcome = OutcomeCancelled
		s.release(f.node, block{because: name + " was cancelled"})
	default:
		r.Outcome = OutcomeFailed
		tolerated := tolerates(r.Step.Release, f.err)
		if !s.opts.KeepGoing && !tolerated && !s.undo {
			s.stop(name + " failed")
		}
		s.release(f.node, block{because: name + " failed", tolerated: tolerated})
	}
	ended := Event{Kind: EventFinished, Time: s.opts.Now(), Undo: s.undo, Step: r.Step,
		Outcome: r.Outcome, Left: r.Left, Err: r.Err, Elapsed: r.Elapsed, Attempts: f.tries}
	s.opts.Record.End(ended)
	s.opts.Observe(ended)
}

// cancelled says whether an error is the interrupt's and not the step's own.
func cancelled(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

func (s *schedule) stop(because string) {
	if !s.stopped {
		s.stopped, s.because = true, because
	}
}

// release lets the nodes after i go on. An undo goes on past a failure: one
// release that cannot be put back must not keep the others from it.
func (s *schedule) release(i int, why block) {
	for _, next := range s.nodes[i].next {
		n := &s.nodes[next]
		n.waiting--
		passes := why.because == "" || s.undo || why.tolerated && n.step < 0
		switch {
		case passes:
		case n.blocked.because == "":
			n.blocked = why
		default:
			n.blocked.tolerated = n.blocked.tolerated && why.tolerated
		}
		if n.waiting == 0 {
			s.offer(next)
		}
	}
}

func (s *schedule) skip(i int) {
	n := s.nodes[i]
	why := n.blocked
	if why.because == "" {
		why.because = s.because
	}
	if n.step >= 0 {
		r := &s.results[n.step]
		if !r.Step.Action.Writes() {
			r.Outcome = OutcomeUnchanged
			why = n.blocked
		} else if r.Outcome == OutcomeSkipped {
			r.Because = why.because
		}
	}
	s.release(i, why)
}

func (s *schedule) tellSkipped() {
	for i := range s.results {
		r := s.results[i]
		if r.Outcome == OutcomeSkipped {
			s.opts.Observe(Event{Kind: EventFinished, Time: s.opts.Now(), Undo: s.undo, Step: r.Step,
				Outcome: r.Outcome, Because: r.Because})
		}
	}
}

// traces is what the steps left, by release.
func traces(results []Result) map[spec.ReleaseID]state.Trace {
	m := make(map[spec.ReleaseID]state.Trace, len(results))
	for _, r := range results {
		m[r.Step.Release.ID] = r.Left
	}
	return m
}

// ids collects the releases whose results match.
func ids(results []Result, match func(Result) bool) map[spec.ReleaseID]bool {
	m := map[spec.ReleaseID]bool{}
	for _, r := range results {
		if match(r) {
			m[r.Step.Release.ID] = true
		}
	}
	return m
}
