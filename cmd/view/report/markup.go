package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escaped writes a text on one line so that Markdown takes it for nothing else:
// what would be markup becomes a reference, which also ends no cell of a table.
// A name after @ and a number after # get a space of no width, for they are
// found in what Markdown has become.
func escaped(s string) string {
	var b strings.Builder
	before := ' '
	for _, r := range line(s) {
		b.WriteString(reference(r, b.String()))
		if (r == '@' || r == '#') && !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			b.WriteString("&#8203;")
		}
		before = r
	}
	return b.String()
}

// code writes a name. What is in a code element is no mention of anybody.
func code(s string) string {
	var b strings.Builder
	for _, r := range line(s) {
		b.WriteString(reference(r, b.String()))
	}
	if b.Len() == 0 {
		return ""
	}
	return "<code>" + b.String() + "</code>"
}

// reference writes a character that means something after what is before it.
func reference(r rune, before string) string {
	begins := before == "" && strings.ContainsRune("-+=", r)                                      // a list, or the line below a title
	numbers := before != "" && strings.Trim(before, "0123456789") == "" && (r == '.' || r == ')') // a list with numbers
	if begins || numbers || strings.ContainsRune("\\`*_[]<>|~&@#$", r) {
		return fmt.Sprintf("&#%d;", r)
	}
	return string(r)
}

// fenced is a block that shows its text as it is, between fences that are longer
// than any run of backticks inside.
func fenced(language, of string) string {
	of = strings.TrimRight(text(of), "\n")
	if len(of) > mostOfError && language == "" {
		cut := strings.ToValidUTF8(of[:mostOfError], "")
		of = fmt.Sprintf("%s\n... (%d more bytes)", cut, len(of)-len(cut))
	}
	longest, run := 0, 0
	for _, r := range of {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", max(3, longest+1))
	return fence + language + "\n" + of + "\n" + fence + "\n"
}

// closed is a block that opens with a click, opened one that is open. The title
// is Markdown already.
func closed(title, body string) string { return details("<details>", title, body) }

func opened(title, body string) string { return details("<details open>", title, body) }

func details(tag, title, body string) string {
	return tag + "<summary>" + title + "</summary>\n\n" + strings.TrimRight(body, "\n") + "\n\n</details>\n\n"
}

// shortened cuts a text to so many runes.
func shortened(s string, most int) string {
	s = line(s)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
