package tmpl

import (
	"context"
	"fmt"
	"math"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// maxItems bounds the lists that one call of a function makes.
const maxItems = 1 << 20

// Bounded gives the functions of sprig whose result can be as large as a
// number says, and those that double a list or text in a loop, with a bound on
// it: more than 1,048,576 items or 64 MiB of text are an error in place of an
// exhausted memory. The templates of charts have them, too.
func Bounded() template.FuncMap {
	funcs := template.FuncMap{}
	all := sprig.TxtFuncMap()
	for name, f := range all {
		switch name {
		case "until", "untilStep", "seq", "repeat", "indent", "nindent", "randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes":
			funcs[name] = bounded(name, f)
		}
	}
	funcs["print"] = func(v ...any) (string, error) { return short(fmt.Sprint(v...)) }
	funcs["println"] = func(v ...any) (string, error) { return short(fmt.Sprintln(v...)) }
	funcs["printf"] = func(form string, v ...any) (string, error) { return short(fmt.Sprintf(form, v...)) }
	if concat, ok := all["concat"].(func(...any) any); ok {
		funcs["concat"] = func(lists ...any) (any, error) {
			out := concat(lists...)
			if all, ok := out.([]any); ok && len(all) > maxItems {
				return nil, fmt.Errorf("concat makes %d items: %w", len(all), errTooMany)
			}
			return out, nil
		}
	}
	return funcs
}

// short ends a loop that doubles a text.
func short(s string) (string, error) {
	if len(s) > maxOutput {
		return "", ErrTooLarge
	}
	return s, nil
}

// bounded wraps a function by its type, which says what its numbers mean.
func bounded(name string, f any) any {
	switch f := f.(type) {
	case func(int) []int: // until COUNT
		return func(n int) ([]int, error) { return checked(items(name, 0, n, 1), func() []int { return f(n) }) }
	case func(int, int, int) []int: // untilStep START STOP STEP
		return func(start, stop, step int) ([]int, error) {
			return checked(items(name, start, stop, step), func() []int { return f(start, stop, step) })
		}
	case func(...int) string: // seq [START [STEP]] STOP
		return func(p ...int) (string, error) {
			return checked(sequence(name, p), func() string { return f(p...) })
		}
	case func(int, string) string: // repeat COUNT TEXT, indent SPACES TEXT
		return func(n int, s string) (string, error) {
			times := len(s)
			if name != "repeat" {
				times = strings.Count(s, "\n") + 2
			}
			return checked(size(name, n, times), func() string { return f(n, s) })
		}
	case func(int) string:
		return func(n int) (string, error) { return checked(size(name, n, 1), func() string { return f(n) }) }
	case func(int) (string, error): // randBytes COUNT
		return func(n int) (string, error) {
			if err := size(name, n, 2); err != nil {
				return "", err
			}
			return f(n)
		}
	default:
		return f // another version of sprig: its own rules hold
	}
}

func checked[T any](bad error, f func() T) (T, error) {
	var none T
	if bad != nil {
		return none, bad
	}
	return f(), nil
}

// items refuses too many numbers from start to stop. It counts in floating
// point, which does not overflow.
func items(name string, start, stop, step int) error {
	if step == 0 {
		return nil // an empty list
	}
	if n := math.Abs((float64(stop) - float64(start)) / float64(step)); n > maxItems {
		return fmt.Errorf("%s makes %.0f numbers: %w", name, n, errTooMany)
	}
	return nil
}

var errTooMany = fmt.Errorf("more than %d", maxItems)

func sequence(name string, p []int) error {
	switch len(p) {
	case 1:
		return items(name, 1, p[0], 1)
	case 2:
		return items(name, p[0], p[1], 1)
	case 3:
		return items(name, p[0], p[2], p[1])
	default:
		return nil
	}
}

func size(name string, n, each int) error {
	if bytes := float64(n) * float64(each); bytes > maxOutput {
		return fmt.Errorf("%s: %w", name, ErrTooLarge)
	}
	return nil
}

// interruptible executes a template until ctx ends: a loop that prints nothing
// never comes across a context. What is then still running ends with the
// process.
func interruptible(ctx context.Context, execute func() error) error {
	done := make(chan error, 1)
	go func() { done <- execute() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
