package spec

import (
	"context"
	"errors"

	"github.com/flotilla-sh/flotilla/spec/tmpl"
)

// RenderText renders a text of a state file after loading, as a hook's command
// or argument, with all functions that state files have. The error is a
// *tmpl.Error.
func (s *Spec) RenderText(ctx context.Context, f File, text string, data any) (string, error) {
	if s.loaded == nil {
		return "", errors.New("the state was not loaded from files")
	}
	return s.loaded.loader.tmpl.String(withRefDir(ctx, f.Dir), tmpl.Template{File: f.Path, Dir: f.Dir, Text: []byte(text)}, data)
}
