package origin

import (
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// Read reads the text of a values file as Helm does, with the places of its
// values. The error joins a *schema.Mistake for each mistake.
func Read(text []byte, file string) (map[string]any, *Places, error) {
	at := schema.InFile(file)
	docs, err := schema.HelmMaps(text, at)
	if err != nil {
		return nil, nil, err
	}
	out := map[string]any{}
	for _, doc := range docs {
		out = values.Helm(out, doc)
	}
	m, _ := values.AsJSON(out).(map[string]any)
	return m, PlacesIn(text, at), nil
}

// PlacesIn gives the places of the values in a text that HelmMaps reads; nil
// where it cannot be read.
func PlacesIn(text []byte, at schema.Locate) *Places {
	docs, err := schema.HelmNodes(text, at)
	if err != nil {
		return nil
	}
	return PlacesOf(docs, at)
}
