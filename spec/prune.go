package spec

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// Pruning is what the state files say about releases that are not declared any
// more. The zero value leaves them alone.
type Pruning struct {
	On     bool
	Budget Budget
}

// Budget is how many releases one run may prune. The zero value is the default: one
// release or a tenth of all, whichever is more.
type Budget struct {
	text    string // empty: the default
	number  int
	percent bool
}

// The default of a budget.
const (
	defaultBudgetNumber  = 1
	defaultBudgetPercent = 10
)

// ParseBudget reads a number of releases, such as 3, or a part of all, such as
// 25%. An empty text is the default.
func ParseBudget(text string) (Budget, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Budget{}, nil
	}
	digits, percent := strings.CutSuffix(text, "%")
	number, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil || number < 0 || percent && number > 100 {
		return Budget{}, fmt.Errorf("%q is no budget, expected a number of releases such as 3, or a part of them such as 25%%", text)
	}
	return Budget{text, number, percent}, nil
}

// Of gives how many of all releases the budget lets go. A part of a release does
// not count.
func (b Budget) Of(all int) int {
	switch {
	case b.text == "":
		return max(defaultBudgetNumber, all*defaultBudgetPercent/100)
	case b.percent:
		return all * b.number / 100
	default:
		return b.number
	}
}

// String prints the budget as it was written, or what the default is.
func (b Budget) String() string {
	if b.text == "" {
		return fmt.Sprintf("%d release or %d %%, whichever is more", defaultBudgetNumber, defaultBudgetPercent)
	}
	return b.text
}

// Pruning tells what the top state files say; keys of nested files say nothing. It
// fails where the top files of a folder contradict each other.
func (s *Spec) Pruning() (Pruning, error) {
	var on, budget sharedKey
	var errs []error
	for _, f := range s.Files {
		if f.Parent >= 0 {
			continue
		}
		errs = append(errs, on.take(f.Path, "prune", f.Prune), budget.take(f.Path, "deletionBudget", f.DeletionBudget))
	}
	parsed, err := ParseBudget(budget.text)
	if err != nil {
		errs = append(errs, mistake(schema.Pos{File: budget.file}, "deletionBudget", err))
	}
	return Pruning{On: on.text == "true", Budget: parsed}, errors.Join(errs...)
}

// Unseen tells why releases may be declared that are not in the Spec; nil: all
// are. Nobody may take a release for undeclared then.
func (s *Spec) Unseen() error {
	switch {
	case s.loaded == nil:
		return errors.New("the state was not loaded from files")
	case s.loaded.partial:
		return errors.New("nested files were left out because of the selectors")
	case s.loaded.lacking != "":
		return fmt.Errorf("%s is not there, and missingFileHandler let that pass", s.loaded.lacking)
	default:
		return nil
	}
}

// Skipped tells which state files were left out because they do not define the
// selected environment; nil: none. That is usual, but a release that is not
// declared may be of such a file, unless one that was loaded is known to have
// declared it before.
func (s *Spec) Skipped() error {
	if s.loaded == nil || len(s.loaded.skipped) == 0 {
		return nil
	}
	var paths []string
	for _, f := range s.loaded.skipped {
		paths = append(paths, f.path)
	}
	return fmt.Errorf("%s: no environment %s there, so that what it declares was left out", strings.Join(paths, ", "), s.Environment)
}

// MayDeclare reports whether one of the files that Skipped tells of may declare a
// release of that name, which then may have moved there by mistake: the name is in its
// text, or the names come from elsewhere.
func (s *Spec) MayDeclare(name string) bool {
	if s.loaded == nil {
		return true
	}
	return slices.ContainsFunc(s.loaded.skipped, func(f leftOut) bool {
		return bytes.Contains(f.text, []byte(name)) || namesElsewhere.Match(f.text)
	})
}

// namesElsewhere finds what makes the text of a state file not tell all of the names
// that it declares.
var namesElsewhere = regexp.MustCompile(
	`(?m)^\s*(helmfiles|bases)\s*:|\bname["']?\s*:[^,\n]*\{\{|\{\{[^}]*\b(include|template|tpl|readFile|exec|toYaml)\b`)

// Source names the place of the state file or folder that was asked for, where
// owner is a key that several may share: as Owner does where there is no such key.
func (s *Spec) Source() string {
	if s.loaded == nil {
		return ""
	}
	return placeOf(s.loaded.top, s.loaded.loader.opts.Dir)
}

// SourceOf names the place of one of Files in the same way; empty: it has none.
func (s *Spec) SourceOf(file int) string {
	if s.loaded == nil || file < 0 || file >= len(s.Files) {
		return ""
	}
	return placeOf(s.Files[file].Path, s.loaded.loader.opts.Dir)
}

// switchText is a switch as sharedKey compares it.
func switchText(on *bool) string {
	if on == nil {
		return ""
	}
	return strconv.FormatBool(*on)
}
