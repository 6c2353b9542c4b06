package engine

import (
	"errors"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
)

// WithSets gives values with sets on top, by Helm's rules; values stay as they
// are. The error joins a *spec.Error for each set that cannot be read.
func WithSets(values map[string]any, sets []spec.SetValue) (map[string]any, error) {
	return withSets(values, sets)
}

// SetLayers fills in what each set says by itself: sets are those of a release,
// references resolved, and layers are the last ones of Spec.LayersOf. What a
// set says depends on nothing below it but in a list, of which it names single
// elements.
func SetLayers(layers []origin.Layer, sets []spec.SetValue) error {
	var mistakes []error
	for i, set := range sets {
		own, err := withSets(nil, []spec.SetValue{set})
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		layers[len(layers)-len(sets)+i].Values = own
	}
	return errors.Join(mistakes...)
}
