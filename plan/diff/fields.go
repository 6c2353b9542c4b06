package diff

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// FieldChange is what happens to a field of an object.
type FieldChange string

// The changes of fields.
const (
	FieldValue   FieldChange = "value"   // another value of the same type
	FieldType    FieldChange = "type"    // a value of another type
	FieldText    FieldChange = "text"    // a text of several lines differs in some
	FieldOrder   FieldChange = "order"   // a list has the same elements in another order
	FieldAdded   FieldChange = "added"   // entries of a map or a list that come
	FieldRemoved FieldChange = "removed" // entries of a map or a list that go
)

// Field is one difference within an object. The path has the keys of maps and
// the names of list elements (their index, where they have none), with dots
// between them; it is empty for the object itself.
type Field struct {
	Path   string
	Change FieldChange
	Count  int    // of entries that come or go
	Lines  []Line // what was, as removed lines, and what will be, as added ones
}

// Fields lists what differs in an item by path, entries of a map in the order
// of their keys. Of a text with several lines it shows that many lines of
// context around each difference. An item that is no YAML, or differs in nothing
// that YAML tells, has no fields.
func (i Item) Fields(context int) []Field {
	var before, after any
	if decode(i.before, &before) != nil || decode(i.after, &after) != nil {
		return nil
	}
	f := fields{context: context}
	f.walk(nil, before, after)
	var shown []Field
	for _, field := range f.found {
		if len(i.hide) > 0 {
			field.Lines = withoutSuppressed(field.Lines, i.hide)
		}
		if len(field.Lines) > 0 {
			field.Lines = marked(field.Lines)
			shown = append(shown, field)
		}
	}
	return shown
}

// fields collects what differs.
type fields struct {
	context int
	found   []Field
}

func (f *fields) add(path []string, change FieldChange, count int, lines ...Line) {
	f.found = append(f.found, Field{Path: strings.Join(path, "."), Change: change, Count: count, Lines: lines})
}

func (f *fields) walk(path []string, before, after any) {
	if reflect.DeepEqual(before, after) {
		return
	}
	switch b := before.(type) {
	case object:
		if a, ok := after.(object); ok {
			f.maps(path, b, a)
			return
		}
	case []any:
		if a, ok := after.([]any); ok {
			f.lists(path, b, a)
			return
		}
	case string:
		if a, ok := after.(string); ok && isText(b) && isText(a) && strings.TrimRight(b, "\n") != strings.TrimRight(a, "\n") {
			lines := lineDiff(ended(b), ended(a))
			if f.context >= 0 {
				lines = cut(lines, f.context)
			}
			f.add(path, FieldText, 0, lines...)
			return
		}
	}
	change := FieldValue
	if reflect.TypeOf(before) != reflect.TypeOf(after) {
		change = FieldType
	}
	f.add(path, change, 0, slices.Concat(linesOf(LineRemove, written(before)), linesOf(LineAdd, written(after)))...)
}

// isText reports a text of several lines.
func isText(s string) bool {
	return strings.Contains(strings.TrimRight(s, "\n"), "\n") && printable(strings.NewReplacer("\n", "", "\t", "").Replace(s))
}

// printable reports that a text holds nothing that a terminal obeys. Whatever
// else is shown is YAML, which escapes that.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// quoted is a name of an entry as part of a path.
func quoted(name string) string {
	if !printable(name) {
		return strconv.Quote(name)
	}
	return name
}

// ended is a text with a line end at its end, so that the last line of one is
// equal to the same line in the middle of another.
func ended(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

func (f *fields) maps(path []string, before, after object) {
	removed, added := object{}, object{}
	var common []string
	for key, b := range before {
		if _, both := after[key]; both {
			common = append(common, key)
			continue
		}
		removed[key] = b
	}
	for key, a := range after {
		if _, both := before[key]; !both {
			added[key] = a
		}
	}
	if len(removed) > 0 {
		f.add(path, FieldRemoved, len(removed), linesOf(LineRemove, written(removed))...)
	}
	if len(added) > 0 {
		f.add(path, FieldAdded, len(added), linesOf(LineAdd, written(added))...)
	}
	slices.Sort(common)
	for _, key := range common {
		f.walk(slices.Concat(path, []string{quoted(key)}), before[key], after[key])
	}
}

// lists compares elements by their names; those of lists without names that
// tell them apart by their index where they are maps or lists, else by value.
func (f *fields) lists(path []string, before, after []any) {
	namesBefore, namesAfter := elementNames(before, after)
	if namesBefore == nil {
		f.byIndex(path, before, after)
		return
	}
	in := func(names []string, elements []any) map[string]any {
		index := make(map[string]any, len(names))
		for n, name := range names {
			index[name] = elements[n]
		}
		return index
	}
	old, wanted := in(namesBefore, before), in(namesAfter, after)
	var removed, added []any
	var left, right []string
	for n, name := range namesBefore {
		if _, both := wanted[name]; both {
			left = append(left, name)
			continue
		}
		removed = append(removed, before[n])
	}
	for n, name := range namesAfter {
		if _, both := old[name]; both {
			right = append(right, name)
			continue
		}
		added = append(added, after[n])
	}
	if len(removed) > 0 {
		f.add(path, FieldRemoved, len(removed), linesOf(LineRemove, written(removed))...)
	}
	if len(added) > 0 {
		f.add(path, FieldAdded, len(added), linesOf(LineAdd, written(added))...)
	}
	if !slices.Equal(left, right) {
		f.add(path, FieldOrder, 0, Line{Kind: LineRemove, Text: strings.Join(left, ", ")}, Line{Kind: LineAdd, Text: strings.Join(right, ", ")})
	}
	for _, name := range right {
		f.walk(slices.Concat(path, []string{name}), old[name], wanted[name])
	}
}

func (f *fields) byIndex(path []string, before, after []any) {
	n := min(len(before), len(after))
	for at := range n {
		f.walk(slices.Concat(path, []string{strconv.Itoa(at)}), before[at], after[at])
	}
	if len(before) > n {
		f.add(path, FieldRemoved, len(before)-n, linesOf(LineRemove, written(before[n:]))...)
	}
	if len(after) > n {
		f.add(path, FieldAdded, len(after)-n, linesOf(LineAdd, written(after[n:]))...)
	}
}

// elementNames names the elements of two lists: scalars by their value, maps by
// the first field of those that usually tell them apart. It gives nil where
// names are missing or not unique.
func elementNames(before, after []any) (namesBefore, namesAfter []string) {
	for _, field := range []string{"", "name", "key", "id", "mountPath", "containerPort", "port", "host", "ip", "path", "topologyKey", "type"} {
		b, a := namesBy(field, before), namesBy(field, after)
		if b != nil && a != nil {
			return b, a
		}
	}
	return nil, nil
}

// namesBy gives what a field says in each element; the elements themselves for
// no field. Nil: one has no such scalar, or two have the same.
func namesBy(field string, elements []any) []string {
	names := make([]string, 0, len(elements))
	seen := make(map[string]bool, len(elements))
	for _, e := range elements {
		if field != "" {
			o, _ := e.(object)
			e = o[field]
		}
		switch e.(type) {
		case nil, object, []any:
			return nil
		}
		name := quoted(fmt.Sprint(e))
		if seen[name] {
			return nil
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}

// written is a value as YAML, with a line end.
func written(v any) string {
	out, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) + "\n" // of what YAML was read into, nothing fails
	}
	return string(out)
}
