package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

const redrawEvery = 100 * time.Millisecond

// live draws the releases of a run that have not ended yet, below the lines
// that were printed. One goroutine redraws it; close waits for that goroutine.
type live struct {
	painter
	mu    sync.Mutex
	out   io.Writer
	width func() (int, int)
	now   func() time.Time
	names namer
	rows  []row
	index map[spec.ReleaseID]int
	after map[plan.Node][]plan.Node // what each node comes after
	drawn int
	undo  bool
	stop  chan struct{}
	ended chan struct{}
}

type row struct {
	id      spec.ReleaseID
	step    plan.Step
	started time.Time
	ended   bool
	gate    string // what it is verified by; empty: it is not yet
}

func newLive(h *human, p *plan.Plan) *live {
	l := &live{painter: h.err, out: h.streams.Err, width: h.streams.Width, now: h.now, names: h.names,
		index: map[spec.ReleaseID]int{}, after: map[plan.Node][]plan.Node{}, stop: make(chan struct{}), ended: make(chan struct{})}
	for _, e := range p.Edges {
		l.after[e.To] = append(l.after[e.To], e.From)
	}
	for _, s := range p.Steps {
		if s.Action.Writes() {
			l.index[s.Release.ID] = len(l.rows)
			l.rows = append(l.rows, row{id: s.Release.ID, step: s})
		}
	}
	go l.loop()
	return l
}

func (l *live) loop() {
	defer close(l.ended)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.mu.Lock()
			l.redraw("")
			l.mu.Unlock()
		}
	}
}

func (l *live) close() {
	close(l.stop)
	<-l.ended
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
}

// above prints text where the table is and draws the table anew below it.
func (l *live) above(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.redraw(text)
}

func (l *live) event(e executor.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.index[e.Step.Release.ID]
	if !ok {
		return
	}
	if e.Undo && !l.undo {
		l.undo = true
		for j := range l.rows {
			l.rows[j].ended = true
		}
	}
	r := &l.rows[i]
	r.step = e.Step
	switch e.Kind {
	case executor.EventStarted:
		r.started, r.ended, r.gate = e.Time, false, ""
	case executor.EventFinished:
		r.ended = true
	case executor.EventRetrying: // is a line above the table
	}
}

func (l *live) erase() {
	if l.drawn > 0 {
		fmt.Fprintf(l.out, "\x1b[%dA\x1b[J", l.drawn)
		l.drawn = 0
	}
}

func (l *live) redraw(above string) {
	lines := l.table()
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", l.drawn)
	}
	b.WriteString(above)
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	l.drawn = len(lines)
	fmt.Fprint(l.out, b.String())
}

// table has the running releases first, then those that wait, cut to what the
// terminal can show.
func (l *live) table() []string {
	columns, height := l.width()
	var lines []string
	var waiting []row
	ended := 0
	for _, r := range l.rows {
		switch {
		case r.ended:
			ended++
		case !r.started.IsZero():
			text := fmt.Sprintf("  ▸ %s %s", l.names.name(r.id), r.doing())
			lines = append(lines, l.paint(cyan, clip(text, columns-9))+l.paint(dim, fmt.Sprintf(" %7s", elapsed(l.now().Sub(r.started)))))
		default:
			waiting = append(waiting, r)
		}
	}
	limit, all := max(3, height-4), len(lines)+len(waiting)
	for _, r := range waiting[:max(0, min(len(waiting), limit-len(lines)))] {
		lines = append(lines, l.paint(dim, clip("  · "+l.names.name(r.id)+l.waitsFor(r), columns-1)))
	}
	if all > limit {
		lines = append(lines[:limit-1], l.paint(dim, fmt.Sprintf("  … and %d more", all-limit+1)))
	}
	return append(lines, l.paint(dim, fmt.Sprintf("  %d of %d ended", ended, len(l.rows))))
}

// waitsFor names the nearest releases that r comes after and that have not
// ended. Gates, which keep the order of files, and releases that nothing is done
// to are looked through.
func (l *live) waitsFor(r row) string {
	const told = 3
	var names []string
	seen := map[plan.Node]bool{}
	queue := slices.Clone(l.after[plan.Node{Release: r.id}])
	for len(queue) > 0 && len(names) <= told {
		n := queue[0]
		queue = queue[1:]
		i, writes := l.index[n.Release]
		switch {
		case seen[n]:
		case n.Gate != "" || !writes:
			queue = append(queue, l.after[n]...)
		case !l.rows[i].ended:
			names = append(names, l.names.name(n.Release))
		}
		seen[n] = true
	}
	switch {
	case len(names) == 0:
		return " waits"
	case len(names) > told:
		return " waits for " + strings.Join(names[:told], ", ") + " and others"
	default:
		return " waits for " + strings.Join(names, ", ")
	}
}

func clip(text string, columns int) string {
	if columns < 1 || utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-1]) + "…"
}
