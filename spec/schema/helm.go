package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// HelmMaps reads a values file as Helm does, which still speaks YAML 1.1:
// unquoted yes, no, on, off, y and n are booleans, also as keys ("true" and
// "false" then). It gives every document that holds something; Helm merges
// them in order. Source: LoadValues in helm.sh/helm/v4/pkg/chart/v2/loader and
// sigs.k8s.io/yaml, which it calls.
func HelmMaps(text []byte, at Locate) ([]map[string]any, error) {
	docs, err := HelmNodes(text, at)
	if err != nil {
		return nil, err
	}
	var out []map[string]any
	var errs []error
	bad := func(n *yaml.Node, err error) {
		errs = append(errs, &Mistake{Pos: at(n.Line, n.Column), Err: err})
	}
	for _, doc := range docs {
		if doc.Kind != yaml.MappingNode {
			bad(doc, fmt.Errorf("expected a map of values, found %s", Kind(doc)))
			continue
		}
		m, _ := Value(doc, bad).(map[string]any)
		out = append(out, m)
	}
	return out, errors.Join(errs...)
}

// HelmNodes gives the documents that HelmMaps reads as nodes, with the same
// keys.
func HelmNodes(text []byte, at Locate) ([]*Node, error) {
	docs, err := Parse(text, at)
	for _, doc := range docs {
		speakOld(doc)
	}
	return docs, err
}

// speakOld gives the words of YAML 1.1 the meaning that they have for Helm,
// leaves dates the text that they are for it, and gives keys the text that they
// have in JSON. Aliases are not followed: what they
// name is part of the same tree.
func speakOld(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Style == 0 && n.ShortTag() == "!!str" && slices.Contains(oldWords(), n.Value) {
		yes := strings.ContainsAny(n.Value[:1], "yY") || strings.EqualFold(n.Value, "on")
		n.Tag, n.Value = "!!bool", strconv.FormatBool(yes)
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for i, c := range n.Content {
		speakOld(c)
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind == yaml.ScalarNode {
			nameKey(c)
		}
	}
}

func nameKey(key *yaml.Node) {
	var v any
	switch key.ShortTag() {
	case "!!bool", "!!int":
		if key.Decode(&v) == nil {
			key.Value = fmt.Sprint(v)
		}
	case "!!float":
		var f float64
		if key.Decode(&f) == nil {
			key.Value = strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
}
