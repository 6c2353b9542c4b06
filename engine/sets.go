package engine

import "github.com/flotilla-sh/flotilla/spec"

// WithSets gives values with sets on top, by Helm's rules; values stay as they
// are. The error joins a *spec.Error for each set that cannot be read.
func WithSets(values map[string]any, sets []spec.SetValue) (map[string]any, error) {
	return withSets(values, sets)
}
