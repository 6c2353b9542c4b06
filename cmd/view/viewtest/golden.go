// Package viewtest holds what views and reports print against files that say what
// is wanted.
package viewtest

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// Golden fails where a file does not say what was printed. Where the test has a
// flag -update, and it is given, the file is written anew.
func Golden(t testing.TB, file, got string) {
	t.Helper()
	if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if line, want, is := firstDifference(string(text), got); line > 0 {
		t.Errorf("%s:%d: go test -update writes anew what is wanted\n-want: %q\n+got:  %q\nall of it:\n%s", file, line, want, is, got)
	}
}

// firstDifference gives the first line that two texts do not share; line 0: they
// are equal.
func firstDifference(want, got string) (line int, wanted, is string) {
	if want == got {
		return 0, "", ""
	}
	a, b := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	for line < len(a) && line < len(b) && a[line] == b[line] {
		line++
	}
	if line < len(a) {
		wanted = a[line]
	}
	if line < len(b) {
		is = b[line]
	}
	return line + 1, wanted, is
}
