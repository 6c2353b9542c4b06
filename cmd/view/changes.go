package view

import (
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

// Form is how the differences of an object are laid out for people.
type Form string

// The forms.
const (
	FormUnified    Form = ""             // lines, removed ones above those that are added
	FormSideBySide Form = "side by side" // two columns, what was and what will be
	FormPaths      Form = "paths"        // one entry for each field, after its path
)

// pad is before the lines of an object.
const pad = "      "

// changes prints what of a list of changes of a step is to be shown.
func (h *human) changes(b *strings.Builder, changes []diff.Change, s plan.Step, opts PlanOptions) {
	shown := diff.Show(changes, opts.selection(s))
	for _, i := range shown.Items {
		h.item(b, i, s, opts)
	}
	for _, f := range shown.Folds {
		fmt.Fprintf(b, "    %s %s\n", h.paint(yellow, "~"), foldLine(f))
	}
	if shown.Hidden() > 0 {
		fmt.Fprintf(b, "    %s\n", h.paint(dim, hiddenLine(shown)))
	}
}

// selection is what the options and the release say of what is shown.
func (o PlanOptions) selection(s plan.Step) diff.Selection {
	return diff.Selection{Kinds: o.Suppress, Lines: s.Release.Options.SuppressLines, FoldLabels: o.FoldLabels}
}

func (h *human) item(b *strings.Builder, i diff.Item, s plan.Step, opts PlanOptions) {
	sign, st := opSymbol(i.Op)
	fmt.Fprintf(b, "    %s %s\n", h.paint(st, sign), h.title(i))
	if opts.nameOnly(i, s) {
		return
	}
	for _, note := range notes(i) {
		fmt.Fprintf(b, "%s%s\n", pad, h.paint(dim, note))
	}
	switch {
	case opts.Form == FormSideBySide && i.Op != diff.OpAdd && i.Op != diff.OpRemove:
		h.columns(b, diff.SideBySide(i.Unified(opts.Context)))
	case opts.Form == FormPaths && i.Op != diff.OpAdd && i.Op != diff.OpRemove:
		h.paths(b, i, opts.Context)
	default: // of what has one side only, all forms show that
		for _, l := range i.Unified(opts.Context) {
			h.line(b, l)
		}
	}
}

func (p painter) title(i diff.Item) string {
	title := i.Object.String()
	if i.Op == diff.OpMove {
		to := i.Object.Name
		if i.From.Namespace != i.Object.Namespace {
			to = i.Object.String()
		}
		title = "moved: " + i.From.String() + " -> " + to
	}
	if i.Hook {
		title += " (hook)"
	}
	if i.Op == diff.OpMove && !i.Hook {
		title += p.paint(dim, " (created anew, the old one is deleted)")
	}
	return title
}

// notes tell what the lines of an item do not.
func notes(i diff.Item) []string {
	var list []string
	if i.Op == diff.OpMove && i.Same() && !i.Masked {
		list = append(list, "(nothing else differs)")
	}
	if i.Masked {
		list = append(list, "(masked values of the two are not compared)")
	}
	if len(i.Labels) > 0 {
		list = append(list, "(left out: labels "+strings.Join(i.Labels, ", ")+")")
	}
	return list
}

// foldLine tells a change of version labels once for all objects.
func foldLine(f diff.Fold) string {
	var text string
	switch n := len(f.Objects); {
	case n == 0 && f.Others == 1:
		text = "1 object above also differs in labels: "
	case n == 0:
		text = fmt.Sprintf("%d objects above also differ in labels: ", f.Others)
	case n == 1:
		text = f.Objects[0].String() + " differs only in labels: "
	default:
		text = fmt.Sprintf("%d objects differ only in labels: ", n)
	}
	parts := make([]string, 0, len(f.Labels))
	for _, l := range f.Labels {
		parts = append(parts, fmt.Sprintf("%s %s -> %s", l.Key, l.Before, l.After))
	}
	text += strings.Join(parts, ", ")
	if len(f.Pods) > 0 {
		text += "; new pods for " + names(f.Pods)
	}
	return text
}

func names(ids []state.ObjectID) string {
	const most = 4
	var list []string
	for _, id := range ids[:min(len(ids), most)] {
		list = append(list, id.Kind+"/"+id.Name)
	}
	if len(ids) > most {
		list = append(list, fmt.Sprintf("%d more", len(ids)-most))
	}
	return strings.Join(list, ", ")
}

// hiddenLine says that there is more, for what is suppressed is still applied.
func hiddenLine(s diff.Shown) string {
	var why []string
	if s.ByKind > 0 {
		why = append(why, fmt.Sprintf("%d of the suppressed %s %s", s.ByKind, plural(len(s.HiddenKinds), "kind"), strings.Join(s.HiddenKinds, ", ")))
	}
	if s.ByLine > 0 {
		why = append(why, fmt.Sprintf("%d in suppressed lines only", s.ByLine))
	}
	return fmt.Sprintf("%d %s not shown: %s", s.Hidden(), plural(s.Hidden(), "change"), strings.Join(why, ", "))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func (h *human) line(b *strings.Builder, l diff.Line) {
	switch l.Kind {
	case diff.LineAdd:
		fmt.Fprintf(b, "%s%s\n", pad, h.paintLine(green, "+ ", l))
	case diff.LineRemove:
		fmt.Fprintf(b, "%s%s\n", pad, h.paintLine(red, "- ", l))
	case diff.LineGap:
		fmt.Fprintf(b, "%s%s\n", pad, h.paint(dim, gap(l)))
	case diff.LineSame:
		fmt.Fprintf(b, "%s  %s\n", pad, l.Text)
	}
}

// gap stands for lines that are left out; it says where those after it are.
func gap(l diff.Line) string { return strings.TrimSpace("... " + l.Text) }

// paintLine paints a line and stresses its marks. Without colour nothing does:
// signs between the words would be taken for part of them.
func (p painter) paintLine(st style, sign string, l diff.Line) string {
	var b strings.Builder
	plain := sign
	at := 0
	for _, m := range l.Marks {
		b.WriteString(p.paint(st, plain+l.Text[at:m.From]))
		b.WriteString(p.paint(st+";"+reverse, l.Text[m.From:m.To]))
		plain, at = "", m.To
	}
	b.WriteString(p.paint(st, plain+l.Text[at:]))
	return b.String()
}
