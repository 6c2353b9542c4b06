package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type buildCmd struct {
	EmbedValues bool `help:"Put the content of values files in place of their paths."`
}

// Run prints every state file that declares a selected release as one YAML document.
func (c *buildCmd) Run(ctx context.Context, s *session) error {
	f, err := s.loadAll(ctx)
	if err != nil {
		return err
	}
	return s.tools(f).around(ctx, f, func(f *fleet) error {
		var b strings.Builder
		for i, file := range f.spec.Files {
			state, err := c.state(ctx, f, i)
			if err != nil {
				return interrupted(ctx, err)
			}
			fmt.Fprintf(&b, "---\n#  Source: %s\n\n%s", file.Path, state)
		}
		return view.Text(s.env.Streams.Out, b.String())
	})
}

func (c *buildCmd) state(ctx context.Context, f *fleet, file int) ([]byte, error) {
	if c.EmbedValues {
		return f.spec.EmbeddedStateOf(ctx, file, f.releases)
	}
	return f.spec.StateOf(file, f.releases)
}
