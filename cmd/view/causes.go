package view

import (
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

// fewCauses is how many values, and how many images, the line of a release names.
const fewCauses = 3

// why prints in one line what makes a release change.
func (h *human) why(b *strings.Builder, s plan.Step) {
	if text := because(s.Causes); text != "" {
		fmt.Fprintf(b, "    %s %s\n", h.paint(dim, "because"), text)
	}
}

// because is the line. An image is left out where a value that is named says it.
func because(causes []plan.Cause) string {
	var parts []string
	values, images := 0, 0
	shown := causes[:0:0]
	for _, c := range causes {
		switch {
		case c.Kind == plan.CauseValues:
			values += c.Count
			continue
		case c.Kind == plan.CauseValue && values >= fewCauses:
			values++
			continue
		case c.Kind == plan.CauseValue:
			values++
			shown = append(shown, c)
		case c.Kind == plan.CauseImage && said(shown, c):
			continue
		case c.Kind == plan.CauseImage:
			if images++; images > fewCauses {
				continue
			}
		}
		parts = append(parts, causeText(c))
	}
	if values > fewCauses {
		parts = append(parts, more(values-fewCauses, "value"))
	}
	if images > fewCauses {
		parts = append(parts, more(images-fewCauses, "image"))
	}
	return printable(strings.Join(parts, "; "))
}

func more(n int, what string) string {
	if n == 1 {
		return "1 more " + what
	}
	return fmt.Sprintf("%d more %ss", n, what)
}

func said(values []plan.Cause, image plan.Cause) bool {
	for _, v := range values {
		if len(v.After) > 1 && strings.Contains(image.After, v.After) {
			return true
		}
	}
	return false
}

func causeText(c plan.Cause) string {
	switch c.Kind {
	case plan.CauseChart:
		return "chart " + c.Subject + " " + c.Before + " -> " + c.After
	case plan.CauseContent:
		return "chart " + c.Subject + " has other files under the same version"
	case plan.CauseValue:
		return valueText(c)
	case plan.CauseImage:
		return c.Subject + " image " + c.Before + " -> " + c.After
	case plan.CauseTemplates:
		return "same chart version and values: templates, patches, post-renderer or what they look up changed"
	case plan.CauseRandom:
		return "same chart version and values: the chart renders something random each time"
	case plan.CauseValues:
		return more(c.Count, "value")
	default:
		return string(c.Kind)
	}
}

// valueText leaves masked values out: that they changed is all there is to say.
func valueText(c plan.Cause) string {
	text := c.Subject
	switch c.Op {
	case diff.OpAdd:
		text += " added" + detail(": ", c.After)
	case diff.OpRemove:
		text += " removed" + detail(", was ", c.Before)
	case diff.OpChange, diff.OpMove:
		fallthrough
	default:
		if c.Before == spec.Masked && c.After == spec.Masked {
			text += " changed"
			break
		}
		text += " " + c.Before + " -> " + c.After
	}
	if at := place(c.From); at != "" {
		text += " (" + at + ")"
	}
	return text
}

func detail(before, text string) string {
	if text == "" || text == spec.Masked {
		return ""
	}
	return before + text
}

func place(o plan.ValueOrigin) string {
	if o.Pos.File == "" {
		return o.Layer
	}
	at := o.Pos
	at.Col = 0
	return at.String()
}

// jsonCause is a cause in JSON.
type jsonCause struct {
	Kind    plan.CauseKind `json:"kind"`
	Subject string         `json:"subject,omitempty"`
	Op      diff.Op        `json:"op"`
	Before  string         `json:"before,omitempty"`
	After   string         `json:"after,omitempty"`
	Count   int            `json:"count,omitempty"`
	File    string         `json:"file,omitempty"`
	Line    int            `json:"line,omitempty"`
	Layer   string         `json:"layer,omitempty"`
}

func causesOf(causes []plan.Cause) []jsonCause {
	var out []jsonCause
	for _, c := range causes {
		out = append(out, jsonCause{c.Kind, c.Subject, c.Op, c.Before, c.After, c.Count, c.From.Pos.File, c.From.Pos.Line, c.From.Layer})
	}
	return out
}
