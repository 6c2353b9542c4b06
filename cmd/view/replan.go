package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
)

// Replan shows which releases of a saved plan were planned anew, and how what
// they would get differs from what was reviewed.
func (h *human) Replan(r plan.Renewals, opts PlanOptions) {
	if len(r.Releases) == 0 {
		h.print("No release has moved since the plan was made: it is as it was.\n")
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", h.paint(bold, fmt.Sprintf("Planned anew, because moved since the plan was made: %d %s.", len(r.Releases), plural(len(r.Releases), "release"))))
	contexts := &plan.Plan{}
	for _, one := range r.Releases {
		contexts.Steps = append(contexts.Steps, one.New)
	}
	h.names = namerOf(contexts)
	for _, one := range r.Releases {
		h.renewal(&b, one, opts)
	}
	if len(r.Files) > 0 {
		b.WriteString("Files that are not what the plan was made of:\n")
	}
	for _, f := range r.Files {
		fmt.Fprintf(&b, "    %s %s\n", f.Path, h.paint(dim, string(f.Move)))
	}
	b.WriteString("\n")
	fmt.Fprint(h.streams.Out, b.String())
}

func (h *human) renewal(b *strings.Builder, r plan.Renewal, opts PlanOptions) {
	fmt.Fprintf(b, "%s %s  %s\n", h.paint(yellow, "*"), h.paint(bold, h.names.name(r.Release())), h.paint(dim, r.Moved))
	switch {
	case r.AsReviewed() && !r.New.Action.Writes():
		b.WriteString("    what was reviewed is there already: nothing is left to do\n")
		return
	case r.AsReviewed():
		b.WriteString("    what would be applied is what was reviewed\n")
		return
	}
	brief := opts.Brief || r.New.Release.Options.SuppressDiff
	if words := notReviewed(r, brief); len(words) > 0 {
		fmt.Fprintf(b, "    %s %s\n", h.paint(yellow, "not as reviewed:"), strings.Join(words, ", "))
	}
	if brief {
		return
	}
	if len(r.Content) > 0 {
		fmt.Fprintf(b, "    %s\n", h.paint(yellow, "what would be applied now (+) is not what was reviewed (-):"))
		h.changes(b, r.Content, r.New, opts)
	}
	// Of an install, and of other content, the plan that follows says it.
	if len(r.Effect) > 0 && len(r.Content) == 0 && r.New.Action != plan.ActionInstall {
		fmt.Fprintf(b, "    %s\n", h.paint(yellow, "what applying changes now was not reviewed:"))
		h.changes(b, r.Effect, r.New, opts)
	}
}

// notReviewed says in words what is not as reviewed; in brief that goes for what
// a diff would show, too.
func notReviewed(r plan.Renewal, brief bool) []string {
	words := slices.Clone(r.Other)
	switch {
	case !brief:
	case len(r.Content) > 0:
		words = append(words, fmt.Sprintf("%d other %s", len(r.Content), plural(len(r.Content), "object")))
	case len(r.Effect) > 0 && len(r.Other) == 0:
		words = append(words, fmt.Sprintf("%d %s that nobody reviewed", len(r.Effect), plural(len(r.Effect), "change")))
	}
	return words
}

// jsonRenewal is one release that was planned anew.
type jsonRenewal struct {
	Release        jsonID       `json:"release"`
	Moved          string       `json:"moved"`
	AsReviewed     bool         `json:"asReviewed"`
	ReviewedAction plan.Action  `json:"reviewedAction"`
	Action         plan.Action  `json:"action"`
	Other          []string     `json:"other,omitempty"`   // what else is not as reviewed
	Content        []jsonChange `json:"content,omitempty"` // before: as reviewed, after: as it would be now
	Effect         []jsonChange `json:"effect,omitempty"`  // changes that were not reviewed
}

type jsonFileMove struct {
	Path string    `json:"path"`
	Move plan.Move `json:"move"`
}

// Replan writes one object of type replan.
func (v *jsonView) Replan(r plan.Renewals, opts PlanOptions) {
	v.write(struct {
		jsonHeader
		jsonReplan
	}{v.header("replan"), replanOf(r, opts)})
}

type jsonReplan struct {
	Releases []jsonRenewal  `json:"releases"`
	Files    []jsonFileMove `json:"files,omitempty"`
}

func replanOf(r plan.Renewals, opts PlanOptions) jsonReplan {
	all := make([]jsonRenewal, 0, len(r.Releases))
	for _, one := range r.Releases {
		j := jsonRenewal{
			Release: idOf(one.Release()), Moved: one.Moved, AsReviewed: one.AsReviewed(),
			ReviewedAction: one.Reviewed.Action, Action: one.New.Action, Other: one.Other,
		}
		if !opts.Brief && !one.New.Release.Options.SuppressDiff {
			j.Content = changesOf(diff.Show(one.Content, opts.selection(one.New)).Items, opts)
			j.Effect = changesOf(diff.Show(one.Effect, opts.selection(one.New)).Items, opts)
		}
		all = append(all, j)
	}
	files := make([]jsonFileMove, 0, len(r.Files))
	for _, f := range r.Files {
		files = append(files, jsonFileMove(f))
	}
	return jsonReplan{all, files}
}
