package view

import (
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/diff"
)

// paths prints the differences of an object field by field, as dyff does. What
// differs in nothing that YAML tells is shown by its lines.
func (h *human) paths(b *strings.Builder, i diff.Item, context int) {
	fields := i.Fields(context)
	if len(fields) == 0 {
		for _, l := range i.Unified(context) {
			h.line(b, l)
		}
		return
	}
	last := ""
	for n, f := range fields {
		if n == 0 || f.Path != last {
			fmt.Fprintf(b, "%s%s\n", pad, h.paint(bold, pathOf(f)))
		}
		last = f.Path
		sign, st, text := fieldTitle(f)
		fmt.Fprintf(b, "%s  %s %s\n", pad, h.paint(st, sign), text)
		for _, l := range f.Lines {
			b.WriteString("    ")
			h.line(b, l)
		}
	}
}

func pathOf(f diff.Field) string {
	if f.Path == "" {
		return "(object)"
	}
	return f.Path
}

func fieldTitle(f diff.Field) (sign string, st style, text string) {
	entries := func(what string) string {
		if f.Count == 1 {
			return "1 entry " + what
		}
		return fmt.Sprintf("%d entries %s", f.Count, what)
	}
	switch f.Change {
	case diff.FieldValue:
		return "±", yellow, "value change"
	case diff.FieldType:
		return "±", yellow, "type change"
	case diff.FieldText:
		return "±", yellow, "value change in a text of several lines"
	case diff.FieldOrder:
		return "⇆", yellow, "order changed"
	case diff.FieldAdded:
		return "+", green, entries("added")
	case diff.FieldRemoved:
		return "-", red, entries("removed")
	default:
		return "?", bold, string(f.Change)
	}
}
