package diff

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// numberedLines are lines of text, one for each number.
func numberedLines(n int, line func(int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("    " + line(i) + "\n")
	}
	return b.String()
}

func TestLongTexts(t *testing.T) {
	const n = 6_000
	plain := numberedLines(n, func(i int) string { return fmt.Sprintf("line %d", i) })
	tests := []struct {
		name           string
		before, after  string
		removed, added int
	}{
		{"every line is another one", plain, numberedLines(n, func(i int) string { return fmt.Sprintf("row %d", i) }), n, n},
		{"every second line is another one", plain, numberedLines(n, func(i int) string { return fmt.Sprintf("%s %d", []string{"line", "row"}[i%2], i) }), n / 2, n / 2},
		{"one line differs", plain, strings.Replace(plain, "line 77\n", "row 77\n", 1), 1, 1},
		{"a line comes and one far away goes", plain, strings.Replace(strings.Replace(plain, "    line 77\n", "    x\n    line 77\n", 1), "    line 5000\n", "", 1), 1, 1},
		{"the lines stand the other way round", plain, numberedLines(n, func(i int) string { return fmt.Sprintf("line %d", n-1-i) }), n - 1, n - 1},
		{"lines that are all there many times", numberedLines(n, func(i int) string { return fmt.Sprintf("a %d", i%7) }), numberedLines(n, func(i int) string { return fmt.Sprintf("a %d", i%5) }), n - 5, n - 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := "data:\n  f: |\n"+tt.before, "data:\n  f: |\n"+tt.after
			lines := Change{Before: before, After: after}.Unified(-1)
			var was, is strings.Builder
			removed, added := 0, 0
			for _, l := range lines {
				switch l.Kind {
				case LineRemove:
					removed++
					was.WriteString(l.Text + "\n")
				case LineAdd:
					added++
					is.WriteString(l.Text + "\n")
				case LineSame, LineGap:
					was.WriteString(l.Text + "\n")
					is.WriteString(l.Text + "\n")
				}
			}
			if was.String() != before || is.String() != after {
				t.Error("the lines do not make up both texts")
			}
			if d := cmp.Diff([]int{tt.removed, tt.added}, []int{removed, added}); d != "" {
				t.Errorf("removed and added (-want +got):\n%s", d)
			}
		})
	}
}
