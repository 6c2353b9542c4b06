package diff

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// Sourced is one object of a manifest stream, with where it came from.
type Sourced struct {
	Object map[string]any
	Source string // the template, by Helm's comment; empty: nobody says
}

// Sources parses a manifest stream, Lists opened, in its order.
func Sources(stream []byte) ([]Sourced, error) {
	var all []Sourced
	var source string
	var text strings.Builder
	flush := func() error {
		defer text.Reset()
		if !hasContent(text.String()) {
			return nil
		}
		var o object
		if err := yaml.Unmarshal([]byte(text.String()), &o); err != nil {
			return fmt.Errorf("parsing YAML%s: %w", from(source), err)
		}
		for _, item := range items(o) {
			all = append(all, Sourced{Object: item, Source: source})
		}
		return nil
	}
	for line := range strings.Lines(string(stream)) {
		switch name, marked := strings.CutPrefix(line, "# Source: "); {
		case isSeparator(line):
			if err := flush(); err != nil {
				return nil, err
			}
			source = ""
		case marked && source == "" && text.Len() == 0:
			source = strings.TrimSpace(name)
		default:
			text.WriteString(line)
		}
	}
	return all, flush()
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " of " + source
}
