package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

// writeMarkdown writes a comment for a change. Its first line is an HTML comment
// by which a pipeline finds the comment that it wrote before. What does not fit
// into the limit is left out in whole pieces, least important ones first, and
// counted.
func writeMarkdown(b *bytes.Buffer, r *facts, limit int) {
	m := &markdown{limit: limit - reserved}
	m.must(r.marker() + "\n### " + r.title() + "\n\n")
	m.must(r.summary())
	m.blocks(r.troubleBlocks(), "error", "errors")
	m.table(driftHeader, r.driftRows())
	m.table(r.header(), r.rows())
	m.blocks(r.changeBlocks(), "release", "releases")
	m.blocks(r.warningBlocks(), "warning", "warnings")
	b.WriteString(strings.TrimRight(m.text.String(), "\n") + "\n")
}

// reserved is what the lines that count what is left out take at most.
const reserved = 400

// markdown is a text that does not grow beyond a limit.
type markdown struct {
	text  strings.Builder
	limit int
}

func (m *markdown) must(piece string) { m.text.WriteString(piece) }

// fits writes a piece if there is room for it.
func (m *markdown) fits(piece string) bool {
	if m.text.Len()+len(piece) > m.limit {
		return false
	}
	m.text.WriteString(piece)
	return true
}

// blocks writes those that fit and counts the others.
func (m *markdown) blocks(pieces []string, one, many string) {
	out := 0
	for _, p := range pieces {
		if !m.fits(p) {
			out++
		}
	}
	m.leftOut(out, "details of ", one, many)
}

// table writes the rows that fit and counts the others.
func (m *markdown) table(header string, rows []string) {
	if len(rows) == 0 {
		return
	}
	out := 0
	if !m.fits(header) {
		out = len(rows)
		rows = nil
	}
	for _, row := range rows {
		if out > 0 || !m.fits(row) {
			out++ // the order of rows has no gaps
		}
	}
	m.must("\n")
	m.leftOut(out, "", "row", "rows")
}

func (m *markdown) leftOut(n int, what, one, many string) {
	switch n {
	case 0:
	case 1:
		m.must("_Left out for its size: " + what + "1 " + one + "._\n\n")
	default:
		m.must(fmt.Sprintf("_Left out for their size: %s%d %s._\n\n", what, n, many))
	}
}

// marker tells reports of other commands, environments and owners apart.
func (r *facts) marker() string {
	plain := func(s string) string {
		s = strings.Map(func(c rune) rune {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune(" ._/:,@-", c):
				return c
			default:
				return '_'
			}
		}, s)
		for strings.Contains(s, "--") { // which would end the comment
			s = strings.ReplaceAll(s, "--", "-")
		}
		return s
	}
	parts := []string{"flotilla report"}
	for _, p := range [][2]string{{"command", r.Command}, {"environment", r.Environment}, {"owner", r.Owner}} {
		if p[1] != "" {
			parts = append(parts, p[0]+`="`+plain(p[1])+`"`)
		}
	}
	return "<!-- " + strings.Join(parts, " ") + " -->"
}

func (r *facts) title() string {
	title := "flotilla " + escaped(r.Command)
	if r.Environment != "" {
		title += " in " + code(r.Environment)
	}
	return title
}

// summary is one line on each thing that came out.
func (r *facts) summary() string {
	var lines []string
	if r.Drift != nil {
		lines = append(lines, escaped(view.DriftSummary(*r.Drift)))
	}
	if r.Plan != nil {
		lines = append(lines, escaped(view.Summary(r.Plan, r.Show)))
	}
	if r.Executed != nil {
		lines = append(lines, "**"+escaped(view.Ending(*r.Executed))+"**")
	}
	switch n := len(r.faults()); {
	case r.interrupted():
		lines = append(lines, "**Interrupted.**")
	case n > 0 && r.Drift != nil:
		lines = append(lines, "**Failed: there may be drift that could not be seen.**")
	case n > 0 && r.Plan == nil:
		lines = append(lines, "**Failed: nothing is known of what would change.**")
	case n > 0 && r.Executed == nil:
		lines = append(lines, "**Failed: this may not be all.**")
	}
	if len(lines) == 0 {
		return fmt.Sprintf("Exit code %d.\n\n", r.ExitCode)
	}
	return strings.Join(lines, "\n\n") + "\n\n"
}

const driftHeader = "| release | object | field | deployed | live | by | at |\n|---|---|---|---|---|---|---|\n"

// mostOfValue bounds a value in a cell, in runes.
const mostOfValue = 120

// driftRows have a line for each finding of a look for drift; those of a plan
// stand in its details.
func (r *facts) driftRows() []string {
	if r.Drift == nil {
		return nil
	}
	var rows []string
	for _, f := range r.Drift.Findings {
		name, at := code(r.name(f.Release)), clock(f)
		if !f.OfObject() {
			rows = append(rows, fmt.Sprintf("| %s | %s | | | | %s | %s |\n", name, escaped(f.Text), code(f.Manager), at))
			continue
		}
		is := code(shortened(f.Live, mostOfValue))
		if f.Live == "" {
			is = "gone"
		}
		by := f.Manager
		if f.Subresource != "" {
			by += " (" + f.Subresource + ")"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", name, code(f.Object.String()),
			code(strings.TrimPrefix(f.Field, ".")), code(shortened(f.Declared, mostOfValue)), is, code(by), at))
	}
	return rows
}

func (r *facts) header() string {
	last := "objects"
	if r.Executed != nil {
		last = "result"
	}
	return "| | release | action | chart | " + last + " |\n|---|---|---|---|---|\n"
}

// rows are the releases that something is done to or said of.
func (r *facts) rows() []string {
	var rows []string
	for _, one := range r.releases {
		s, told := one.step, view.Describe(*one.step, r.Show)
		if !s.Action.Writes() && len(s.Objections) == 0 && !one.failed() {
			continue
		}
		last := counted(s.Changes)
		if one.result != nil {
			last = string(one.result.Outcome)
		}
		if n := len(s.Objections); n > 0 && one.result == nil {
			last = strings.TrimPrefix(last+", "+plural(n, "objection"), ", ")
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s |\n",
			escaped(told.Sign), code(r.name(one.id)), escaped(string(s.Action)), chartCell(s), escaped(last)))
	}
	return rows
}

func chartCell(s *plan.Step) string {
	from, to := chartOf(s.Before), chartOf(s.After)
	switch {
	case from == "" || to == "" || from == to:
		return code(to + strings.TrimPrefix(from, to))
	default:
		return code(from) + " → " + code(to)
	}
}

func chartOf(r *state.Revision) string {
	if r == nil {
		return ""
	}
	return r.Chart.Name + "-" + r.Chart.Version
}

// counted tells how many objects come, change and go.
func counted(changes []diff.Change) string {
	n := map[diff.Op]int{}
	for _, c := range changes {
		n[c.Op]++
	}
	var parts []string
	for _, one := range []struct {
		op   diff.Op
		word string
	}{{diff.OpAdd, "added"}, {diff.OpChange, "changed"}, {diff.OpRemove, "removed"}} {
		if n[one.op] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[one.op], one.word))
		}
	}
	return strings.Join(parts, ", ")
}

// mostOfError bounds what is told of one error: the screen and the other formats
// have all of it.
const mostOfError = 8 << 10

// troubleBlocks are what went wrong, open, for that is to be read first.
func (r *facts) troubleBlocks() []string {
	var all []string
	for _, one := range r.releases {
		if one.failed() {
			all = append(all, opened(code(r.name(one.id))+": "+escaped(string(one.result.Outcome)), fenced("", one.trouble())))
		}
	}
	for _, err := range r.faults() {
		all = append(all, fenced("", strings.TrimRight("Error: "+err.Error()+"\n"+view.Troubles(err), "\n"))+"\n")
	}
	if r.Executed != nil && len(r.Executed.Lost) > 0 {
		var lost []string
		for _, l := range r.Executed.Lost {
			lost = append(lost, fmt.Sprintf("%s of %s: %s", l.Object, r.name(l.Release), l.Why))
		}
		all = append(all, opened("Not put back", fenced("", strings.Join(lost, "\n"))))
	}
	return all
}

// changeBlocks are the differences, closed.
func (r *facts) changeBlocks() []string {
	var all []string
	for _, one := range r.releases {
		told := view.Describe(*one.step, r.Show)
		var b strings.Builder
		if told.Because != "" {
			b.WriteString("because " + escaped(told.Because) + "\n\n")
		}
		for _, l := range slices.Concat(told.Drift, told.Folds) {
			b.WriteString(escaped(l) + "\n\n")
		}
		for _, o := range told.Objects {
			b.WriteString(objectBlock(o))
		}
		if told.Hidden != "" {
			b.WriteString(escaped(told.Hidden) + "\n\n")
		}
		if len(told.Objections) > 0 {
			b.WriteString("Objections of the cluster:\n\n" + fenced("", strings.Join(told.Objections, "\n")) + "\n")
		}
		if b.Len() == 0 || !one.step.Action.Writes() && len(told.Objections) == 0 {
			continue
		}
		all = append(all, closed(escaped(told.Sign)+" "+code(r.name(one.id))+" "+escaped(told.Headline), b.String()))
	}
	return all
}

func objectBlock(o view.ObjectText) string {
	b := escaped(o.Sign) + " " + code(o.Title) + "\n"
	for _, n := range o.Notes {
		b += escaped(n) + "\n"
	}
	if len(o.Lines) > 0 {
		b += "\n" + fenced("diff", strings.Join(diffLines(o.Lines), "\n"))
	}
	return b + "\n"
}

func (r *facts) warningBlocks() []string {
	var all []string
	for _, w := range r.Warnings {
		all = append(all, "> Warning: "+escaped(w)+"\n\n")
	}
	if r.Drift == nil {
		return all
	}
	for _, n := range r.Drift.Notes {
		text := n.Text
		if n.Release.Name != "" {
			text = r.name(n.Release) + ": " + text
		}
		all = append(all, "> Note: "+escaped(text)+"\n\n")
	}
	if n := len(r.Drift.Ignored); n > 0 {
		all = append(all, "> Not counted: "+plural(n, "finding")+"\n\n")
	}
	return all
}
