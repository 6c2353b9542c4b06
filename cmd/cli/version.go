package cli

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type versionCmd struct {
	Output string `short:"o" enum:"text,json,yaml,short" default:"text" help:"Output format (text, json, yaml, short)."`
}

// Run prints what was built.
func (c *versionCmd) Run(s *session) error {
	v := s.env.Version
	out := s.env.Streams.Out
	switch c.Output {
	case "json":
		return view.JSON(out, v)
	case "yaml":
		text, err := yaml.Marshal(v)
		if err != nil {
			return fmt.Errorf("printing the version: %w", err)
		}
		return view.Text(out, string(text))
	case "short":
		return view.Text(out, v.Flotilla+"\n")
	default:
		return view.Text(out, fmt.Sprintf("flotilla %s (Helm SDK %s, %s, %s)\n", v.Flotilla, v.Helm, v.Go, v.Platform))
	}
}
