package promote

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// around is how many lines a patch has around a change.
const around = 3

// mostCompared bounds the lines of which the shortest way is looked for.
const mostCompared = 4000

// Root gives the folder that patches of a file are relative to: of its git
// repository, or otherwise, where the file is below it, the given folder.
func Root(file, otherwise string) string {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if rel, err := filepath.Rel(otherwise, file); err == nil && filepath.IsLocal(rel) {
		return otherwise
	}
	return string(filepath.Separator)
}

// Patch gives the changes of files as git apply takes them. Paths are relative
// to Root.
func Patch(files []File, otherwise string) string {
	var b strings.Builder
	for _, f := range files {
		name, err := filepath.Rel(Root(f.Path, otherwise), f.Path)
		if err != nil {
			name = f.Path
		}
		name = filepath.ToSlash(name)
		end := ""
		if strings.Contains(name, " ") {
			end = "\t" // as git does, so that others see where the name ends
		}
		fmt.Fprintf(&b, "diff --git a/%s b/%s\n--- a/%s%s\n+++ b/%s%s\n", name, name, name, end, name, end)
		for _, h := range hunks(compared(split(string(f.Before)), split(string(f.After)))) {
			b.WriteString(h)
		}
	}
	return b.String()
}

// split gives lines with their ends.
func split(text string) []string { return slices.Collect(strings.Lines(text)) }

// patchLine is one line of both texts, or of one.
type patchLine struct {
	kind byte // as in a patch
	text string
}

// compared gives the shortest way from one text to the other.
func compared(a, b []string) []patchLine {
	var out []patchLine
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		out = append(out, patchLine{' ', a[head]})
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	out = append(out, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, line := range a[len(a)-tail:] {
		out = append(out, patchLine{' ', line})
	}
	return out
}

// middle compares what differs at both ends.
func middle(a, b []string) []patchLine {
	var out []patchLine
	if len(a)+len(b) > mostCompared {
		for _, line := range a {
			out = append(out, patchLine{'-', line})
		}
		for _, line := range b {
			out = append(out, patchLine{'+', line})
		}
		return out
	}
	same := make([][]int, len(a)+1) // length of the longest common part of what is left
	for i := range same {
		same[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				same[i][j] = same[i+1][j+1] + 1
				continue
			}
			same[i][j] = max(same[i+1][j], same[i][j+1])
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, patchLine{' ', a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || same[i+1][j] >= same[i][j+1]):
			out = append(out, patchLine{'-', a[i]})
			i++
		default:
			out = append(out, patchLine{'+', b[j]})
			j++
		}
	}
	return out
}

// hunks cuts the lines that are near a change out of all.
func hunks(lines []patchLine) []string {
	keep := make([]bool, len(lines))
	for i, l := range lines {
		if l.kind != ' ' {
			for j := max(0, i-around); j <= min(len(lines)-1, i+around); j++ {
				keep[j] = true
			}
		}
	}
	var out []string
	before, after := 1, 1
	for i := 0; i < len(lines); {
		if !keep[i] {
			before, after, i = before+1, after+1, i+1
			continue
		}
		var b strings.Builder
		olds, news := 0, 0
		for ; i < len(lines) && keep[i]; i++ {
			if lines[i].kind != '+' {
				olds++
			}
			if lines[i].kind != '-' {
				news++
			}
			b.WriteByte(lines[i].kind)
			b.WriteString(lines[i].text)
			if !strings.HasSuffix(lines[i].text, "\n") {
				b.WriteString("\n\\ No newline at end of file\n")
			}
		}
		out = append(out, fmt.Sprintf("@@ -%s +%s @@\n", span(before, olds), span(after, news))+b.String())
		before, after = before+olds, after+news
	}
	return out
}

// span words where a hunk is; one without lines stands behind the line before.
func span(from, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", from-1)
	case 1:
		return fmt.Sprint(from)
	default:
		return fmt.Sprintf("%d,%d", from, n)
	}
}
