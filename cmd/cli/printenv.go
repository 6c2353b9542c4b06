package cli

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type printEnvCmd struct {
	Output string `short:"o" enum:"yaml,json" default:"yaml" help:"Output format (yaml, json)."`
}

// fileEnv is the environment of one state file, in helmfile's form.
type fileEnv struct {
	FilePath    string         `json:"filePath"`
	Name        string         `json:"name"`
	KubeContext string         `json:"kubeContext,omitempty"`
	Values      map[string]any `json:"values"`
}

// Run prints the environment and the merged values of every state file; values
// are printed as they are, since other programs consume them.
func (c *printEnvCmd) Run(ctx context.Context, s *session) error {
	loaded, _, err := s.read(ctx, request{})
	if err != nil {
		return interrupted(ctx, err)
	}
	envs := make([]fileEnv, 0, len(loaded.Files))
	for _, f := range loaded.Files {
		values := f.Values
		if values == nil {
			values = map[string]any{}
		}
		envs = append(envs, fileEnv{f.Path, f.Environment.Name, f.Environment.KubeContext, values})
	}
	if c.Output == "json" {
		return view.JSON(s.env.Streams.Out, envs)
	}
	var docs []string
	for _, e := range envs {
		text, err := yaml.Marshal(e)
		if err != nil {
			return fmt.Errorf("printing the environment of %s: %w", e.FilePath, err)
		}
		docs = append(docs, string(text))
	}
	return view.Text(s.env.Streams.Out, strings.Join(docs, "---\n"))
}
