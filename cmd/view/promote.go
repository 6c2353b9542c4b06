package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

// Promotion is what one environment gets from another one. Masked values are
// spec.Masked.
type Promotion struct {
	From, To string
	Refusals []string // what speaks against all of it
	Reason   string   // why it goes on although something speaks against it; empty: nothing does, or it does not go on
	Releases []Promoted
	Files    []string // that change
	Written  bool
	Notes    []string   // of none of the releases
	Plan     *plan.Plan // of the target with the changed files; nil: none was made
}

// Promoted is what one release gets.
type Promoted struct {
	Release  spec.ReleaseID // in the target
	Source   spec.ReleaseID // the same release where it runs
	Chart    string         // that runs, with its version
	Revision int
	Deployed time.Time
	Refused  []string // what speaks against it
	Moves    []PromotedMove
	Notes    []PromotedNote
}

// PromotedMove is one value that moves.
type PromotedMove struct {
	Field  string
	Now    any // nil with Absent: nothing
	Absent bool
	To     any
	Digest string // of a chart; empty: not known
	File   string
	Line   int
	Hand   string // why it has to be changed by hand; empty: it need not be
}

// PromotedNote is a value that differs and does not move, and why.
type PromotedNote struct{ Field, Why string }

// Refused reports whether something speaks against the promotion, and nobody
// insists on it.
func (p Promotion) Refused() bool {
	return p.Reason == "" && len(p.Against()) > 0
}

// Against tells all that speaks against it, one line each.
func (p Promotion) Against() []string {
	all := slices.Clone(p.Refusals)
	names := p.names()
	for _, r := range p.Releases {
		for _, why := range r.Refused {
			all = append(all, names.name(r.Release)+": "+why)
		}
	}
	return all
}

// Count tells how many values move by themselves, and how many have to be
// changed by hand.
func (p Promotion) Count() (moves, byHand int) {
	for _, r := range p.Releases {
		for _, m := range r.Moves {
			if m.Hand != "" {
				byHand++
				continue
			}
			moves++
		}
	}
	return moves, byHand
}

// names prints release ids; the kube context only where there are several.
func (p Promotion) names() namer {
	seen := map[string]bool{}
	for _, r := range p.Releases {
		seen[r.Release.Context] = true
	}
	return namer{contexts: len(seen) > 1}
}

func (m PromotedMove) place() string {
	if m.Line == 0 {
		return m.File
	}
	return fmt.Sprintf("%s:%d", m.File, m.Line)
}

func (m PromotedMove) now() string {
	if m.Absent {
		return "-"
	}
	return short(m.Now)
}

// PromotionText prints a promotion for people, without its plan.
func PromotionText(p Promotion) string {
	var b strings.Builder
	names := p.names()
	var rows, byHand, notes [][]string
	for _, r := range p.Releases {
		name := names.name(r.Release)
		for _, m := range r.Moves {
			if m.Hand != "" {
				byHand = append(byHand, []string{name, m.Field, m.now(), short(m.To), m.place(), m.Hand})
				continue
			}
			rows = append(rows, []string{name, m.Field, m.now(), short(m.To), m.place()})
		}
		for _, n := range r.Notes {
			notes = append(notes, []string{name, n.Field, n.Why})
		}
	}
	if len(rows) > 0 {
		Table(&b, []string{"RELEASE", "FIELD", "NOW", "BECOMES", "IN"}, rows)
		b.WriteString("\n")
	}
	if len(byHand) > 0 {
		b.WriteString("To be changed by hand:\n")
		for _, r := range byHand {
			fmt.Fprintf(&b, "  %s: %s, %s -> %s, for %s: %s\n", r[4], r[1], r[2], r[3], r[0], r[5])
		}
		b.WriteString("\n")
	}
	if len(notes) > 0 {
		b.WriteString("Does not move:\n")
		for _, n := range notes {
			fmt.Fprintf(&b, "  %s %s: %s\n", n[0], n[1], n[2])
		}
		b.WriteString("\n")
	}
	b.WriteString(p.objections())
	for _, n := range p.Notes {
		b.WriteString("Note: " + n + "\n")
	}
	b.WriteString(p.summary() + "\n")
	return b.String()
}

// objections tells what speaks against it.
func (p Promotion) objections() string {
	against := p.Against()
	switch {
	case len(against) == 0:
		return ""
	case p.Reason != "":
		return "Forced, because: " + p.Reason + "\nAgainst it speaks:\n" + indent(strings.Join(against, "\n"), "  ") + "\n\n"
	default:
		return "Refused:\n" + indent(strings.Join(against, "\n"), "  ") + "\n\n"
	}
}

// summary says in one line what there is to do.
func (p Promotion) summary() string {
	moves, byHand := p.Count()
	left := slices.ContainsFunc(p.Releases, func(r Promoted) bool { return len(r.Notes) > 0 })
	switch {
	case p.Refused():
		return fmt.Sprintf("Nothing was promoted from %s to %s; --force --reason TEXT does it all the same.", p.From, p.To)
	case moves+byHand == 0 && left:
		return fmt.Sprintf("Nothing to promote: nothing else in the files of %s differs from what runs in %s.", p.To, p.From)
	case moves+byHand == 0:
		return fmt.Sprintf("Nothing to promote: the files of %s say what runs in %s.", p.To, p.From)
	}
	text := fmt.Sprintf("Promotion from %s to %s: %s in %s", p.From, p.To, count(moves, "value"), count(len(p.Files), "file"))
	if byHand > 0 {
		text += fmt.Sprintf(", %d by hand", byHand)
	}
	return text + "."
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// PromotionMarkdown is the body of a pull request. It is empty where nothing
// moves.
func PromotionMarkdown(p Promotion) string {
	moves, byHand := p.Count()
	if moves+byHand == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## Promote %s to %s\n\n", code(p.From), code(p.To))
	names := p.names()
	b.WriteString("| Release | What | Now | Becomes | Where |\n|---|---|---|---|---|\n")
	for _, r := range p.Releases {
		for _, m := range r.Moves {
			becomes := code(short(m.To))
			if m.Digest != "" {
				becomes += "<br>" + code(m.Digest)
			}
			where := code(m.place())
			if m.Hand != "" {
				where += "<br>by hand: " + plain(m.Hand)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(names.name(r.Release)), code(m.Field), code(m.now()), becomes, where)
		}
	}
	b.WriteString("\n" + p.evidence(names))
	if p.Reason != "" {
		fmt.Fprintf(&b, "\n**Forced**: %s\n\nAgainst it speaks:\n\n", plain(p.Reason))
		for _, why := range p.Against() {
			fmt.Fprintf(&b, "- %s\n", plain(why))
		}
	}
	for _, n := range p.Notes {
		b.WriteString("\n> " + plain(n) + "\n")
	}
	b.WriteString(planned(p, names))
	return b.String()
}

// evidence tells what runs where it comes from.
func (p Promotion) evidence(names namer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "What runs in %s:\n\n", code(p.From))
	for _, r := range p.Releases {
		if len(r.Moves) == 0 {
			continue
		}
		health := "deployed and healthy"
		if len(r.Refused) > 0 {
			health = "deployed"
		}
		fmt.Fprintf(&b, "- %s: chart %s, revision %d, %s since %s\n", code(names.name(r.Source)), code(r.Chart), r.Revision, health, r.Deployed.UTC().Format(time.RFC3339))
	}
	return b.String()
}

// planned names the objects that the plan changes.
func planned(p Promotion, names namer) string {
	if p.Plan == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nPlan of %s: %s\n", code(p.To), plain(strings.TrimPrefix(planSummary(p.Plan, PlanOptions{}), "Plan: ")))
	for _, s := range p.Plan.Steps {
		if !s.Action.Writes() {
			continue
		}
		fmt.Fprintf(&b, "\n<details><summary>%s %s: %s</summary>\n\n", plain(string(s.Action)), plain(names.name(s.Release.ID)), count(len(s.Changes), "object"))
		for _, c := range s.Changes {
			sign, _ := opSymbol(c.Op)
			fmt.Fprintf(&b, "- %s %s\n", code(sign), code(c.Object.String()))
		}
		b.WriteString("\n</details>\n")
	}
	return b.String()
}

// code is a text between backticks, in a cell of a table.
func code(text string) string {
	text = strings.Join(strings.Fields(strings.Map(visible, text)), " ")
	if text == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + strings.ReplaceAll(text, "|", `\|`) + fence
}

// plain is a text that Markdown takes for nothing else.
func plain(text string) string {
	text = strings.Join(strings.Fields(strings.Map(visible, text)), " ")
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "@", "@\u200b").Replace(text)
}

// visible leaves control characters out.
func visible(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == '\uFFFD' {
		return -1
	}
	return r
}

type jsonPromotion struct {
	jsonHeader
	From     string              `json:"from"`
	To       string              `json:"to"`
	Refused  bool                `json:"refused"`
	Refusals []string            `json:"refusals,omitempty"`
	Reason   string              `json:"reason,omitempty"`
	Written  bool                `json:"written"`
	Releases []jsonPromoted      `json:"releases"`
	Files    []string            `json:"files"`
	Notes    []string            `json:"notes,omitempty"`
	Changes  []jsonPlannedChange `json:"plan,omitempty"`
}

type jsonPromoted struct {
	Release  jsonID             `json:"release"`
	Source   jsonID             `json:"source"`
	Chart    string             `json:"chart"`
	Revision int                `json:"revision"`
	Deployed time.Time          `json:"deployed"`
	Refused  []string           `json:"refused,omitempty"`
	Moves    []jsonPromotedMove `json:"moves,omitempty"`
	Notes    []jsonPromotedNote `json:"notes,omitempty"`
}

type jsonPromotedMove struct {
	Field  string `json:"field"`
	Now    any    `json:"now,omitempty"`
	To     any    `json:"to"`
	Digest string `json:"digest,omitempty"`
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Hand   string `json:"byHand,omitempty"`
}

type jsonPromotedNote struct {
	Field string `json:"field"`
	Why   string `json:"why"`
}

// jsonPlannedChange is a release that the plan of the target writes.
type jsonPlannedChange struct {
	Release jsonID      `json:"release"`
	Action  plan.Action `json:"action"`
	Objects []string    `json:"objects,omitempty"`
}

// PromotionJSON is the form that --output json prints.
func PromotionJSON(p Promotion, now time.Time) any {
	out := jsonPromotion{
		jsonHeader: jsonHeader{Type: "promotion", Schema: Schema, Time: now.UTC()},
		From:       p.From, To: p.To, Refused: p.Refused(), Refusals: p.Refusals, Reason: p.Reason, Written: p.Written,
		Releases: []jsonPromoted{}, Files: append([]string{}, p.Files...), Notes: p.Notes,
	}
	for _, r := range p.Releases {
		one := jsonPromoted{Release: idOf(r.Release), Source: idOf(r.Source), Chart: r.Chart, Revision: r.Revision, Deployed: r.Deployed.UTC(), Refused: r.Refused}
		for _, m := range r.Moves {
			one.Moves = append(one.Moves, jsonPromotedMove{Field: m.Field, Now: m.Now, To: m.To, Digest: m.Digest, File: m.File, Line: m.Line, Hand: m.Hand})
		}
		for _, n := range r.Notes {
			one.Notes = append(one.Notes, jsonPromotedNote(n))
		}
		out.Releases = append(out.Releases, one)
	}
	if p.Plan != nil {
		for _, s := range p.Plan.Steps {
			if !s.Action.Writes() {
				continue
			}
			change := jsonPlannedChange{Release: idOf(s.Release.ID), Action: s.Action}
			for _, c := range s.Changes {
				change.Objects = append(change.Objects, objectText(c))
			}
			out.Changes = append(out.Changes, change)
		}
	}
	return out
}

func objectText(c diff.Change) string { return string(c.Op) + " " + c.Object.String() }
