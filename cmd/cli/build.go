package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type buildCmd struct{}

// Run prints every loaded state file as one YAML document.
func (c *buildCmd) Run(ctx context.Context, s *session) error {
	f, err := s.loadAll(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	var b strings.Builder
	for _, file := range f.spec.Files {
		fmt.Fprintf(&b, "---\n#  Source: %s\n\n%s", file.Path, file.State)
	}
	return view.Text(s.env.Streams.Out, b.String())
}
