package diff

import (
	"slices"
	"strings"
)

// place gives the path of the map that the line of YAML at that index is in, as
// the lines before it tell, with the names of list elements that have one. Of
// two sides it reads the new one, so that it fits both when they agree.
func place(lines []Line, at int) string {
	var path []string
	first := levelOf(lines[at].Text)
	column, inList := first.key, false // of what the parent is sought for
	if first.dash >= 0 {
		column, inList = first.dash, true
	}
	// element goes from a line with a dash up to the list that it is in.
	element := func(n int, l level) {
		if name := elementName(lines, n, l); name != "" {
			path = append(path, name)
		}
		column, inList = l.dash, true
	}
	for n := at - 1; n >= 0 && (column > 0 || inList); n-- {
		if lines[n].Kind == LineRemove || strings.TrimSpace(lines[n].Text) == "" {
			continue
		}
		l := levelOf(lines[n].Text)
		switch {
		case !inList && l.dash >= 0 && l.key == column:
			element(n, l)
		case l.opens && (l.key < column || inList && l.key == column): // dashes may stand as far left as the key of their list
			path = append(path, l.name)
			column, inList = l.key, false
			if l.dash >= 0 {
				element(n, l)
			}
		}
	}
	slices.Reverse(path)
	return strings.Join(path, ".")
}

// level is where on a line of YAML things are.
type level struct {
	dash  int // column of the dash of an element that begins there; -1: none
	key   int // column of the first thing after it
	name  string
	opens bool // what the key has is on the lines below
}

func levelOf(text string) level {
	l := level{dash: -1, key: len(text) - len(strings.TrimLeft(text, " "))}
	rest := text[l.key:]
	if strings.HasPrefix(rest, "- ") {
		l.dash = l.key
		l.key += len("- ")
		rest = rest[len("- "):]
	}
	key, value, found := strings.Cut(rest, ":")
	if found && (value == "" || value[0] == ' ') && !strings.Contains(key, " ") {
		value = strings.TrimSpace(value)
		l.name = strings.Trim(key, `"'`)
		l.opens = value == "" || value[0] == '|' || value[0] == '>'
	}
	return l
}

// elementName finds the name of the element that begins at that line.
func elementName(lines []Line, at int, first level) string {
	for n := at; n < len(lines); n++ {
		if lines[n].Kind == LineRemove {
			continue
		}
		l := levelOf(lines[n].Text)
		if n > at && (l.key < first.key || l.dash >= 0 && l.dash <= first.dash) {
			return ""
		}
		if l.key == first.key && l.name == "name" && !l.opens {
			_, value, _ := strings.Cut(lines[n].Text, ": ")
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}
