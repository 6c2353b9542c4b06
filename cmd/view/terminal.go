package view

import (
	"os"

	"golang.org/x/term"
)

// Terminal makes streams of the process's own: colour on each stream that is a
// terminal, and a live table where progress goes to one. A CI system that claims to
// have a terminal but sets CI gets plain lines.
func Terminal(out, err *os.File) Streams {
	able := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" }
	return Streams{
		Out:      out,
		Err:      err,
		Color:    able(out),
		ErrColor: able(err),
		Live:     able(err) && os.Getenv("CI") == "",
		Width: func() (int, int) {
			columns, rows, e := term.GetSize(int(err.Fd()))
			if e != nil {
				return 80, 24
			}
			return columns, rows
		},
		Columns: func() int {
			columns, _, e := term.GetSize(int(out.Fd()))
			if e != nil {
				return 0
			}
			return columns
		},
	}
}
