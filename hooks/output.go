package hooks

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
)

const (
	// keptLines is how much of a hook's output an error shows.
	keptLines = 20
	// maxLine bounds one line; a longer one is broken.
	maxLine = 8 << 10
)

// lines splits what a process writes. It is written to by one goroutine, which
// os/exec guarantees when stdout and stderr are the same writer.
type lines struct {
	emit func(text string)        // nil: nobody listens
	hide func(text string) string // takes secrets out of a line; nil: there are none
	rest []byte                   // of a line that is not complete
	kept []string                 // the last lines
}

// Write never fails.
func (l *lines) Write(data []byte) (int, error) {
	l.rest = append(l.rest, data...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		switch {
		case end >= 0 && end <= maxLine:
			l.line(l.rest[:end])
			l.rest = l.rest[end+1:]
		case len(l.rest) > maxLine:
			l.line(l.rest[:maxLine])
			l.rest = l.rest[maxLine:]
		default:
			return len(data), nil
		}
	}
}

// flush ends a last line that has no line break.
func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.line(l.rest)
		l.rest = nil
	}
}

func (l *lines) line(raw []byte) {
	text := strings.ToValidUTF8(strings.TrimSuffix(string(raw), "\r"), "\uFFFD")
	if l.hide != nil {
		text = l.hide(text)
	}
	if l.emit != nil {
		l.emit(text)
	}
	l.kept = append(l.kept, plain(text))
	if len(l.kept) > keptLines {
		l.kept = l.kept[1:]
	}
}

// last gives the last lines without empty ones at the end.
func (l *lines) last() []string {
	kept := l.kept
	for len(kept) > 0 && strings.TrimSpace(kept[len(kept)-1]) == "" {
		kept = kept[:len(kept)-1]
	}
	return kept
}

// sequences are those that a terminal obeys.
var sequences = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\^_])?`)

// plain is a line without what only a terminal understands.
func plain(line string) string {
	if strings.IndexFunc(line, unicode.IsControl) < 0 {
		return line
	}
	line = sequences.ReplaceAllString(line, "")
	return strings.TrimRight(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		default:
			return r
		}
	}, line), " ")
}

// Told is what an error says of a program: the cause on a line, and below it,
// further in, the last lines that the program wrote. Who has room for one line
// leaves out those that begin with a blank.
func Told(cause string, output []string) string {
	if len(output) == 0 {
		return cause
	}
	return cause + "\n  its last output:\n    " + strings.Join(output, "\n    ")
}
