package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
)

// DriftOptions are the ways to show drift.
type DriftOptions struct {
	Against plan.Level // how closely the cluster was looked at
}

// Drift shows what is not as it was deployed, release by release, and who
// changed it.
func (h *human) Drift(r drift.Report, _ DriftOptions) {
	contexts := map[string]bool{}
	for _, id := range r.Releases {
		contexts[id.Context] = true
	}
	for _, f := range r.Findings {
		contexts[f.Release.Context] = true
	}
	h.names = namer{contexts: len(contexts) > 1}
	var b strings.Builder
	for i, f := range r.Findings {
		if i == 0 || f.Release != r.Findings[i-1].Release {
			h.driftOf(&b, r.Of(f.Release))
		}
	}
	h.notCounted(&b, r.Ignored)
	b.WriteString(h.paint(bold, driftSummary(r)) + "\n")
	fmt.Fprint(h.streams.Out, b.String())
	for _, n := range r.Notes {
		h.print(h.err.paint(dim, "Note: "+h.noted(n)) + "\n")
	}
}

func (h *human) noted(n drift.Note) string {
	if n.Release == (spec.ReleaseID{}) {
		return n.Text
	}
	return h.names.name(n.Release) + ": " + n.Text
}

// driftOf prints the findings of one release.
func (h *human) driftOf(b *strings.Builder, found []drift.Finding) {
	id := found[0].Release
	title := h.paint(bold, h.names.name(id))
	if n := found[0].Revision; n > 0 {
		title += "  " + h.paint(dim, fmt.Sprintf("revision %d", n))
	}
	b.WriteString(title + "\n")
	width := 0
	for _, f := range found {
		width = max(width, min(utf8.RuneCountInString(changeOf(f)), driftColumn))
	}
	for i, f := range found {
		switch {
		case !f.OfObject():
			fmt.Fprintf(b, "    %s %s%s\n", h.paint(red, "!"), f.Text, h.paint(dim, by(f)))
			continue
		case f.Kind == drift.KindMissing:
			fmt.Fprintf(b, "    %s %s is gone\n", h.paint(red, "-"), within(f, id))
			continue
		case i == 0 || f.Object != found[i-1].Object:
			fmt.Fprintf(b, "    %s %s\n", h.paint(yellow, "~"), within(f, id))
		}
		change := changeOf(f)
		blame := by(f)
		if blame != "" {
			blame = strings.Repeat(" ", max(0, width-utf8.RuneCountInString(change))) + " " + blame
		}
		fmt.Fprintf(b, "%s%s%s\n", pad, change, h.paint(dim, blame))
	}
	b.WriteString("\n")
}

// driftColumn is how wide a change may be for what follows to be aligned.
const driftColumn = 72

// within names an object; the release's own namespace goes without saying.
func within(f drift.Finding, id spec.ReleaseID) string {
	if f.Object.Namespace == id.Namespace {
		f.Object.Namespace = ""
	}
	return f.Object.String()
}

func changeOf(f drift.Finding) string {
	field := printable(strings.TrimPrefix(f.Field, "."))
	switch f.Kind {
	case drift.KindRemoved:
		return fmt.Sprintf("%s: %s -> removed", field, brief(f.Declared))
	case drift.KindAdded:
		return fmt.Sprintf("%s: %s added", field, brief(f.Live))
	case drift.KindChanged:
		if f.Declared == "" {
			return fmt.Sprintf("%s: %s added", field, brief(f.Live))
		}
		was, is := briefly(f.Declared, f.Live)
		return fmt.Sprintf("%s: %s -> %s", field, was, is)
	case drift.KindMissing, drift.KindAbsent, drift.KindFailed, drift.KindPending, drift.KindOutside, drift.KindUndeclared:
		return ""
	default:
		return ""
	}
}

// mostOfAValue is as much of a value as a line shows, in runes.
const mostOfAValue = 100

func brief(value string) string {
	short, _ := briefly(value, value)
	return short
}

// briefly cuts two long values; both begin a little before they differ.
func briefly(a, b string) (string, string) {
	x, y := []rune(a), []rune(b)
	same := 0
	for same < len(x) && same < len(y) && x[same] == y[same] {
		same++
	}
	from := 0
	if same < len(x) || same < len(y) {
		from = max(0, same-mostOfAValue/4)
	}
	cut := func(r []rune) string {
		start := 0
		if len(r) > mostOfAValue {
			start = min(from, len(r)-mostOfAValue/2)
		}
		text := string(r[start:min(len(r), start+mostOfAValue)])
		if start > 0 {
			text = "…" + text
		}
		if start+mostOfAValue < len(r) {
			text += "…"
		}
		return text
	}
	return printable(cut(x)), printable(cut(y))
}

// printable writes what a terminal would not show, or obey, as JSON does.
func printable(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.String()
}

// by says who did it and when, as far as the cluster tells.
func by(f drift.Finding) string {
	if f.Manager == "" {
		return ""
	}
	text := " by " + f.Manager
	if !f.OfObject() {
		text = ""
	}
	switch {
	case f.Subresource != "":
		text += " (" + f.Subresource + ")"
	case f.Operation == "Apply":
		text += " (apply)"
	}
	if !f.Time.IsZero() {
		text += ", " + f.Time.UTC().Format(time.RFC3339)
	}
	return text
}

// notCounted tells what was left out, reason by reason.
func (h *human) notCounted(b *strings.Builder, ignored []drift.Ignored) {
	if len(ignored) == 0 {
		return
	}
	reasons := map[string]int{}
	for _, i := range ignored {
		reasons[i.Because]++
	}
	fmt.Fprintf(b, "%s\n", h.paint(dim, "Not counted:"))
	keys := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return cmp.Or(reasons[b]-reasons[a], cmp.Compare(a, b)) })
	for _, because := range keys {
		first := slices.IndexFunc(ignored, func(i drift.Ignored) bool { return i.Because == because })
		f := ignored[first].Finding
		what := strings.TrimSpace(f.Object.String() + " " + strings.TrimPrefix(f.Field, "."))
		if more := reasons[because] - 1; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(b, "%s\n", h.paint(dim, "    "+what+": "+because))
	}
	b.WriteString("\n")
}

func driftSummary(r drift.Report) string {
	counts := map[drift.Kind]int{}
	objects := map[string]bool{}
	for _, f := range r.Findings {
		counts[f.Kind]++
		if f.OfObject() {
			objects[f.Release.String()+" "+f.Object.String()+" "+f.Object.Group] = true
		}
	}
	looked := many(len(r.Releases), "release")
	if r.Objects > 0 {
		looked += " with " + many(r.Objects, "object")
	}
	var parts []string
	if n := counts[drift.KindChanged] + counts[drift.KindRemoved]; n > 0 {
		parts = append(parts, many(n, "field")+" changed")
	}
	if n := counts[drift.KindAdded]; n > 0 {
		parts = append(parts, many(n, "field")+" added")
	}
	if n := counts[drift.KindMissing]; n > 0 {
		parts = append(parts, many(n, "object")+" gone")
	}
	for _, k := range []drift.Kind{drift.KindOutside, drift.KindAbsent, drift.KindFailed, drift.KindPending, drift.KindUndeclared} {
		if n := counts[k]; n > 0 {
			parts = append(parts, many(n, "release")+" "+string(k))
		}
	}
	unseen := ""
	if len(r.Unseen) > 0 {
		unseen = " Not all of it could be seen."
	}
	switch {
	case len(parts) > 0:
		return fmt.Sprintf("Drift: %s; %s looked at.%s", strings.Join(parts, ", "), looked, unseen)
	case unseen != "":
		return fmt.Sprintf("Not all of %s could be seen: there may be drift. What could be seen is as deployed.", looked)
	default:
		return fmt.Sprintf("No drift: %s as deployed.", isAre(looked, len(r.Releases)))
	}
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func isAre(looked string, n int) string {
	if n == 1 {
		return looked + " is"
	}
	return looked + " are"
}
