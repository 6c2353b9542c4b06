package tmpl

import (
	"context"
	"strings"
	"text/template"
)

// Session renders many short texts of one folder. It prepares the functions
// and partials once and parses equal texts once, which makes it some hundred
// times cheaper than a Render for each. It is not safe for concurrent use and
// lives no longer than its context.
type Session struct {
	renderer *Renderer
	run      *run
	dir      string
	texts    map[string]*template.Template
}

// Session opens a session for the texts of a folder.
func (r *Renderer) Session(ctx context.Context, dir string) (*Session, error) {
	run, _, err := r.prepare(ctx, Template{Dir: dir})
	if err != nil {
		return nil, err
	}
	return &Session{renderer: r, run: run, dir: dir, texts: map[string]*template.Template{}}, nil
}

// String renders a text; file is where the user wrote it, for errors. The
// error is an *Error whose line is one of the text.
func (s *Session) String(file, text string, data any) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	if strings.Contains(text, "define") || strings.Contains(text, "block") {
		// A text that names templates gets a copy of its own, so that the
		// names do not reach the next text.
		return s.renderer.String(s.run.ctx, Template{File: file, Dir: s.dir, Text: []byte(text)}, data)
	}
	t := s.texts[text]
	if t == nil {
		s.run.files = append(s.run.files, source{file, text})
		var err error
		if t, err = s.run.tmpl.New(templateName(s.run.main())).Parse(text); err != nil {
			return "", s.run.place(err)
		}
		guard(t, t.Name())
		s.texts[text] = t
	}
	clear(s.run.depth)
	var out limited
	if err := t.Execute(&out, data); err != nil {
		return "", s.run.place(err)
	}
	return out.String(), nil
}
