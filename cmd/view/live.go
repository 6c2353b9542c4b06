package view

import (
	"fmt"
	"io"
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
	drawn int
	undo  bool
	stop  chan struct{}
	ended chan struct{}
}

type row struct {
	id      spec.ReleaseID
	step    plan.Step
	needs   []spec.ReleaseID
	started time.Time
	ended   bool
}

func newLive(h *human, p *plan.Plan) *live {
	l := &live{painter: h.painter, out: h.streams.Err, width: h.streams.Width, now: h.now, names: h.names,
		index: map[spec.ReleaseID]int{}, stop: make(chan struct{}), ended: make(chan struct{})}
	needs := map[spec.ReleaseID][]spec.ReleaseID{}
	for _, e := range p.Edges {
		if e.From.Gate == "" && e.To.Gate == "" {
			needs[e.To.Release] = append(needs[e.To.Release], e.From.Release)
		}
	}
	for _, s := range p.Steps {
		if s.Action.Writes() {
			l.index[s.Release.ID] = len(l.rows)
			l.rows = append(l.rows, row{id: s.Release.ID, step: s, needs: needs[s.Release.ID]})
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
		r.started, r.ended = e.Time, false
	case executor.EventFinished:
		r.ended = true
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
	var running, waiting []string
	ended := 0
	for _, r := range l.rows {
		switch {
		case r.ended:
			ended++
		case !r.started.IsZero():
			doing, _ := verbs(r.step.Action)
			text := fmt.Sprintf("  ▸ %s %s", l.names.name(r.id), doing)
			running = append(running, l.paint(cyan, clip(text, columns-9))+l.paint(dim, fmt.Sprintf(" %7s", elapsed(l.now().Sub(r.started)))))
		default:
			waiting = append(waiting, l.paint(dim, clip("  · "+l.names.name(r.id)+l.waitsFor(r), columns-1)))
		}
	}
	lines := append(running, waiting...)
	if limit := max(3, height-4); len(lines) > limit {
		more := len(lines) - limit + 1
		lines = append(lines[:limit-1], l.paint(dim, fmt.Sprintf("  … and %d more", more)))
	}
	return append(lines, l.paint(dim, fmt.Sprintf("  %d of %d ended", ended, len(l.rows))))
}

func (l *live) waitsFor(r row) string {
	var names []string
	for _, n := range r.needs {
		if i, ok := l.index[n]; ok && !l.rows[i].ended {
			names = append(names, l.names.name(n))
		}
	}
	if len(names) == 0 {
		return " waits"
	}
	return " waits for " + strings.Join(names, ", ")
}

func clip(text string, columns int) string {
	if columns < 1 || utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-1]) + "…"
}
