package promote

import (
	"fmt"
	"path"
	"strconv"

	"github.com/flotilla-sh/flotilla/spec/origin"
)

// glob is a pattern of value paths, by steps: * stands for any part of one step,
// ** for any number of steps. What is below a path that it matches is matched,
// too.
type glob []string

func globs(patterns []string) ([]glob, error) {
	var all []glob
	for _, text := range patterns {
		p, err := origin.ParsePath(text)
		if err != nil {
			return nil, fmt.Errorf("promotion: %w", err)
		}
		g := glob(steps(p))
		for _, step := range g {
			if _, err := path.Match(step, ""); err != nil {
				return nil, fmt.Errorf("promotion: %q is no pattern: %w", text, err)
			}
		}
		all = append(all, g)
	}
	return all, nil
}

func steps(p origin.Path) []string {
	var out []string
	for _, s := range p {
		if s.InList {
			out = append(out, strconv.Itoa(s.Index))
			continue
		}
		out = append(out, s.Key)
	}
	return out
}

func matches(all []glob, p origin.Path) bool {
	for _, g := range all {
		if g.match(steps(p)) {
			return true
		}
	}
	return false
}

func (g glob) match(at []string) bool {
	switch {
	case len(g) == 0:
		return true
	case g[0] == "**":
		for skip := range len(at) + 1 {
			if g[1:].match(at[skip:]) {
				return true
			}
		}
		return false
	case len(at) == 0:
		return false
	}
	ok, _ := path.Match(g[0], at[0]) // its form was looked at
	return ok && g[1:].match(at[1:])
}
