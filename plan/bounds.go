package plan

import (
	"errors"
	"fmt"
)

// The bounds of what is decoded. Each is far beyond what a plan needs: they
// keep a text that was made to do harm from taking memory many times its size.
const (
	maxElements = 8_000_000 // of lists and maps, all together
	maxSteps    = 100_000   // elements of one list of the plan itself, such as its steps
	maxDepth    = 500
)

var errTooMuch = errors.New("no plan is like that")

// bounded looks at the brackets and commas of a JSON text, without decoding it.
func bounded(data []byte) error {
	var elements, depth int
	inList := 0 // elements at depth 2, where the lists of a plan are
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = endOfString(data, i)
			continue
		case '[', '{':
			depth++
			if depth == 2 {
				inList = 0
			}
		case ']', '}':
			depth--
			continue
		case ',':
			if depth == 2 {
				inList++
			}
		default:
			continue
		}
		elements++
		switch {
		case depth > maxDepth:
			return fmt.Errorf("%w: it is nested deeper than %d levels", errTooMuch, maxDepth)
		case inList > maxSteps:
			return fmt.Errorf("%w: one of its lists has more than %d elements", errTooMuch, maxSteps)
		case elements > maxElements:
			return fmt.Errorf("%w: it has more than %d elements", errTooMuch, maxElements)
		}
	}
	return nil
}

// endOfString gives the place of the quote that closes a string.
func endOfString(data []byte, at int) int {
	for at++; at < len(data) && data[at] != '"'; at++ {
		if data[at] == '\\' {
			at++
		}
	}
	return at
}
