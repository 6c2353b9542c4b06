package spec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/hcl"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// valuesList is a list of values entries to merge into one map.
type valuesList struct {
	entries  []schema.Entry
	dir      string
	handler  *string
	config   *schema.MissingConfig
	strategy string
	env      *env       // what templates see
	hcl      []hcl.File // decrypted files in HCL, which come before those of the list
}

// The strategies of an environment's list of values.
const (
	strategyOverride = "override"
	strategyFallback = "fallback"
)

// stateValues loads a list: inline maps, files, .gotmpl files, globs, URLs, and
// after all of them the files in HCL as one unit.
func (l *loader) stateValues(ctx context.Context, list valuesList) (map[string]any, error) {
	handler, err := values.ParseHandler(list.handler)
	if err != nil {
		return nil, err
	}
	switch list.strategy {
	case "", strategyOverride, strategyFallback:
	default:
		return nil, fmt.Errorf("mergeStrategy %q is unknown, expected %s or %s", list.strategy, strategyOverride, strategyFallback)
	}
	out := map[string]any{}
	inHCL := slices.Clone(list.hcl)
	add := func(m map[string]any) {
		if list.strategy == strategyFallback {
			out = values.Fallback(out, m)
			return
		}
		out = values.Override(out, m)
	}
	var errs []error
	for _, entry := range list.entries {
		switch v := entry.Value.(type) {
		case map[string]any:
			add(v)
		case string:
			files, err := l.find(ctx, list.dir, v)
			err = forgive(err, list.config)
			if err == nil && len(files) == 0 {
				err = l.lacks(handler, entry.Pos, "values", v)
			}
			errs = append(errs, asErrors(err, entry.Pos, ""))
			for _, file := range files {
				if strings.HasSuffix(file, ".hcl") {
					text, err := l.opts.read(file)
					errs = append(errs, asErrors(err, entry.Pos, ""))
					inHCL = append(inHCL, hcl.File{Name: file, Text: text})
					continue
				}
				m, err := l.stateValuesFile(ctx, file, list, out)
				if err != nil {
					errs = append(errs, asErrors(err, entry.Pos, ""))
					continue
				}
				add(m)
			}
		default:
			errs = append(errs, mistake(entry.Pos, "", fmt.Errorf("expected a path or a map of values, found a %T", v)))
		}
	}
	if len(inHCL) > 0 {
		m, err := hcl.Values(inHCL)
		errs = append(errs, asErrors(err, schema.Pos{}, ""))
		l.secrets.learnEvaluated(list.hcl, m)
		add(m)
	}
	return out, errors.Join(errs...)
}

// stateValuesFile reads one file of a list. Under the strategy fallback its
// template also sees what earlier files of the list gave.
func (l *loader) stateValuesFile(ctx context.Context, file string, list valuesList, earlier map[string]any) (map[string]any, error) {
	e := list.env
	merged := e.merged()
	if list.strategy == strategyFallback {
		merged = values.Override(earlier, merged)
	}
	text, at, err := l.read(ctx, file, func() any { return e.data("", merged) })
	if err != nil {
		return nil, err
	}
	return schema.Map(text, at)
}

// read reads a file and renders it when its name says so.
func (l *loader) read(ctx context.Context, file string, data func() any) ([]byte, schema.Locate, error) {
	text, err := l.opts.read(file)
	if err != nil {
		return nil, nil, err
	}
	return l.render(ctx, file, text, data)
}

// render renders the text of a file when the file's name says so.
func (l *loader) render(ctx context.Context, file string, text []byte, data func() any) ([]byte, schema.Locate, error) {
	if filepath.Ext(file) != ".gotmpl" {
		return text, schema.InFile(file), nil
	}
	out, err := l.tmpl.Render(ctx, tmpl.Template{File: file, Dir: filepath.Dir(file), Text: text}, data())
	if err != nil {
		return nil, nil, err
	}
	return out.Bytes(), located(out), nil
}

func located(out *tmpl.Output) schema.Locate {
	return func(line, col int) schema.Pos {
		file, l, c := out.Position(line, col)
		return schema.Pos{File: file, Line: l, Col: c}
	}
}

func readBounded(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > schema.MaxBytes {
		return nil, fmt.Errorf("reading %s: %w: more than %d bytes", file, schema.ErrTooLarge, schema.MaxBytes)
	}
	return os.ReadFile(file)
}

// find expands a path, glob or URL to local files.
func (l *loader) find(ctx context.Context, dir, path string) ([]string, error) {
	if source.IsRemote(path) {
		local, err := l.fetch.Path(ctx, path)
		if err != nil {
			return nil, err
		}
		return values.Files("", local)
	}
	return values.Files(dir, path)
}

// forgive drops the error of a missing git ref where missingFileHandlerConfig
// makes that a missing file.
func forgive(err error, config *schema.MissingConfig) error {
	if config != nil && config.IgnoreMissingGitBranch && errors.Is(err, source.ErrNoRef) {
		return nil
	}
	return err
}

// lacks is missing for files that decide on what is declared, which Unseen tells of:
// state files, and others that are missed so much that a warning tells of it.
func (l *loader) lacks(handler values.Handler, pos schema.Pos, what, path string) error {
	if what == "state" || handler == values.MissingWarn {
		l.spec.loaded.lacking = "the " + what + " file " + path
	}
	return l.missing(handler, pos, what, path)
}

// missing does what the handler says about a file that is not there.
func (l *loader) missing(handler values.Handler, pos schema.Pos, what, path string) error {
	switch handler {
	case values.MissingError:
		return mistake(pos, "", fmt.Errorf("the %s file %s is not there", what, path))
	case values.MissingWarn:
		l.opts.Warn(fmt.Sprintf("%s: skipping the %s file %s, which is not there", posOf(pos), what, path))
		return nil
	case values.MissingInfo, values.MissingDebug:
		return nil
	default:
		return mistake(pos, "", fmt.Errorf("missingFileHandler %q is unknown", handler))
	}
}
