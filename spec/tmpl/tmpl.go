// Package tmpl renders Go templates with the functions of helmfile and sprig,
// and maps every place of the result, and every error, back to the file and
// line that the user wrote.
package tmpl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
)

// maxOutput bounds the text that one template may make.
const maxOutput = 64 << 20

// ErrTooLarge says that a template made more text than is sane.
var ErrTooLarge = errors.New("the template makes more than 64 MiB")

// Options are what a Renderer may do. The zero value allows everything and
// reads the environment of the process.
type Options struct {
	// NoExec forbids the functions that start programs: exec and envExec.
	NoExec bool
	// LookupEnv reads environment variables; nil: os.LookupEnv. It also
	// decides HELMFILE_DISABLE_INSECURE_FEATURES and
	// HELMFILE_DISABLE_INSECURE_TEMPLATE_FUNCTIONS.
	LookupEnv func(string) (string, bool)
	// DecodeYAML reads a YAML text for fromYaml.
	DecodeYAML func(text string) (any, error)
	// EncodeYAML prints data for toYaml.
	EncodeYAML func(v any) (string, error)
	// Secret resolves references (ref+...) in strings, lists and maps for
	// fetchSecretValue and expandSecretRefs, all of one call at once.
	Secret func(ctx context.Context, v any) (any, error)
	// Read is told of every file that was read, by a function or as a partial;
	// nil: nobody is.
	Read func(path string, content []byte)
}

// Renderer renders templates. It is safe for concurrent use and keeps the
// partials of each folder it has seen.
type Renderer struct {
	opts Options

	mu   sync.Mutex
	dirs map[string]*folder

	derived sync.Map // derivation to func() string
}

// folder is a base template with the partials of one folder.
type folder struct {
	base  *template.Template
	files []source // the parsed texts, by number; see templateName
	err   error
}

// source is a parsed text and the name that it has for the user.
type source struct{ name, text string }

// New makes a Renderer.
func New(opts Options) *Renderer {
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	if opts.Read == nil {
		opts.Read = func(string, []byte) {}
	}
	return &Renderer{opts: opts, dirs: map[string]*folder{}}
}

// Template is one text to render.
type Template struct {
	File string // for places; may be a name that is no file
	Dir  string // relative paths and partials (_*.tpl) start here
	Line int    // line of File in which Text starts, 1-based; 0 means 1
	Text []byte
}

// Error is a mistake in a template.
type Error struct {
	File string
	Line int
	Col  int
	Err  error
}

// Error prints the place and the cause.
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	case e.Col == 0:
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	default:
		return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Col, e.Err)
	}
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Render executes a template. A key that data does not have is an error. The
// error is an *Error.
func (r *Renderer) Render(ctx context.Context, t Template, data any) (*Output, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	run, main, err := r.prepare(ctx, t)
	if err != nil {
		return nil, err
	}
	out := newOutput(run, main)
	if err := interruptible(ctx, func() error { return main.Execute(out, data) }); err != nil {
		return nil, run.place(err)
	}
	return out, nil
}

// prepare parses a text into a copy of its folder's base template.
func (r *Renderer) prepare(ctx context.Context, t Template) (*run, *template.Template, error) {
	f := r.folder(t.Dir)
	if f.err != nil {
		return nil, nil, f.err
	}
	base, err := f.base.Clone()
	if err != nil {
		return nil, nil, fmt.Errorf("preparing templates of %s: %w", t.Dir, err)
	}
	run := &run{
		ctx: ctx, opts: r.opts, dir: t.Dir,
		files: append(slices.Clone(f.files), source{t.File, string(t.Text)}),
		first: max(t.Line, 1), depth: map[string]int{},
	}
	run.tmpl = base.Funcs(run.funcs())
	main, err := run.tmpl.New(templateName(run.main())).Parse(string(t.Text))
	if err != nil {
		return nil, nil, run.place(err)
	}
	guard(main, main.Name())
	return run, main, nil
}

// String renders a short text without keeping places.
func (r *Renderer) String(ctx context.Context, t Template, data any) (string, error) {
	if !strings.Contains(string(t.Text), "{{") {
		return string(t.Text), nil
	}
	run, main, err := r.prepare(ctx, t)
	if err != nil {
		return "", err
	}
	var out limited
	if err := interruptible(ctx, func() error { return main.Execute(&out, data) }); err != nil {
		return "", run.place(err)
	}
	return out.String(), nil
}

// folder parses the partials of a folder once.
func (r *Renderer) folder(dir string) *folder {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.dirs[dir]; f != nil {
		return f
	}
	f := &folder{}
	r.dirs[dir] = f
	stub := &run{opts: r.opts, dir: dir}
	f.base = template.New("").Option("missingkey=error").Funcs(r.sprig()).Funcs(stub.funcs())
	if dir == "" {
		return f
	}
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "_*.tpl"))
	if err != nil {
		f.err = fmt.Errorf("looking for partials in %s: %w", dir, err)
		return f
	}
	slices.Sort(files)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.err = fmt.Errorf("reading a partial: %w", err)
			return f
		}
		r.opts.Read(name, text)
		stub.files = append(stub.files, source{name, string(text)})
		if _, err := f.base.New(templateName(stub.main())).Parse(string(text)); err != nil {
			f.err = stub.place(err)
			return f
		}
		guard(f.base, templateName(stub.main()))
	}
	f.files = stub.files
	return f
}

// escapeGlob makes a folder's own name safe inside a pattern.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// templateName is what the template library calls a parsed text: a number in
// place of the file, because the library tells places only as text, with the
// name in front, and file names hold colons.
func templateName(i int) string { return "#" + strconv.Itoa(i) }

// run is one execution: what its functions need.
type run struct {
	ctx   context.Context
	opts  Options
	dir   string
	tmpl  *template.Template
	files []source // the last one is the text to render
	first int      // line of its file in which that text starts
	depth map[string]int
}

func (r *run) main() int { return len(r.files) - 1 }

// place turns an error of the template library into an *Error. The library
// puts the place into the text, "template: #3:7:12: executing ...".
func (r *run) place(err error) error {
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	unknown := &Error{File: r.files[r.main()].name, Err: err}
	text, ok := strings.CutPrefix(err.Error(), "template: #")
	if !ok {
		return unknown
	}
	var index, line, col int
	n, _ := fmt.Sscanf(text, "%d:%d:%d:", &index, &line, &col)
	if n < 2 || index >= len(r.files) {
		return unknown
	}
	for range n {
		_, text, _ = strings.Cut(text, ":")
	}
	text = strings.TrimSpace(text)
	var endless *recursion
	if errors.As(err, &endless) {
		text = endless.Error()
	}
	if _, after, ok := strings.Cut(text, `" at `); ok && endless == nil && strings.HasPrefix(text, `executing "`) {
		text = "at " + after
	}
	if index == r.main() {
		line += r.first - 1
	}
	if n == 3 {
		col++ // the library counts bytes from zero
	}
	return &Error{File: r.files[index].name, Line: line, Col: col, Err: &cause{text: text, err: err}}
}

// cause is an error with the place taken out of its text.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }
