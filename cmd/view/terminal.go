package view

import (
	"os"

	"golang.org/x/term"
)

// Terminal makes streams of the process's own: colour where results go to a
// terminal, and a live table where progress does. A CI system that claims to
// have a terminal but sets CI gets plain lines.
func Terminal(out, err *os.File) Streams {
	live := term.IsTerminal(int(err.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == ""
	return Streams{
		Out:   out,
		Err:   err,
		Color: term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb",
		Live:  live,
		Width: func() (int, int) {
			columns, rows, e := term.GetSize(int(err.Fd()))
			if e != nil {
				return 80, 24
			}
			return columns, rows
		},
	}
}
