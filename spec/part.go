package spec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// stateFile is one state file while it loads.
type stateFile struct {
	path   string // as places and "build" show it
	dir    string // where relative paths start
	isBase bool

	state schema.State
	env   *env
	// skipped: the file does not define the selected environment, so it and
	// its nested files do not take part.
	skipped bool
	text    []byte // of a file that is skipped
}

// skip leaves the file out.
func (f *stateFile) skip(text []byte) { f.skipped, f.text = true, text }

// loadFile reads one state file, part by part. Each part is rendered with the
// environment of those before it. The algorithm is helmfile's, with its
// quirks: in a file of one part environment values win over --state-values-file.
func (l *loader) loadFile(ctx context.Context, f *stateFile, inherited, override *env) error {
	text, err := l.readState(f)
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if err := checkKeys(text, f.path); err != nil {
		return err
	}
	current := inherited
	var errs []error
	line := 1
	for i, part := range bytes.Split(text, []byte("\n---\n")) {
		base := current.merge(override)
		st, e, err := l.loadPart(ctx, f, partText{part, line}, base)
		errs = append(errs, err)
		line += bytes.Count(part, []byte("\n")) + 2
		if st == nil {
			return errors.Join(errs...) // without its values later parts make no sense
		}
		if i == 0 {
			f.state = *st
		} else {
			schema.Merge(&f.state, st, schema.ReplaceLists)
		}
		f.env, current = e, e
		if f.undefined(l.opts.Environment) {
			f.skip(text)
			return errors.Join(errs...)
		}
	}
	given := inherited != nil || override != nil
	if len(f.state.Environments) == 0 && !f.isBase && !given && l.opts.Environment != DefaultEnvironment {
		f.skip(text)
	}
	return errors.Join(errs...)
}

// undefined says that the file has environments, but not the selected one.
func (f *stateFile) undefined(name string) bool {
	_, ok := f.state.Environments[name]
	return len(f.state.Environments) > 0 && !f.isBase && name != DefaultEnvironment && !ok
}

func (l *loader) readState(f *stateFile) ([]byte, error) {
	if f.path != "-" {
		return l.opts.read(f.path)
	}
	text, err := io.ReadAll(io.LimitReader(l.opts.Stdin, schema.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the state from standard input: %w", err)
	}
	l.opts.ReadFiles.Add(f.path, text)
	return text, nil
}

// partText is a part and the line of its file in which it starts.
type partText struct {
	text []byte
	line int
}

// loadPart reads one part with its bases and environment. The state is nil
// when nothing can go on from here.
func (l *loader) loadPart(ctx context.Context, f *stateFile, part partText, base *env) (*schema.State, *env, error) {
	at := func(line, col int) schema.Pos {
		return schema.Pos{File: f.path, Line: line + part.line - 1, Col: col}
	}
	text := part.text
	if l.renders(f.path) {
		e := base
		if e == nil {
			e = &env{name: l.opts.Environment}
		}
		t := tmpl.Template{File: f.path, Dir: f.dir, Line: part.line, Text: text}
		out, err := l.tmpl.Render(ctx, t, e.data(l.opts.Namespace, e.merged()))
		if err != nil {
			return nil, nil, asErrors(err, at(1, 0), "")
		}
		text, at = out.Bytes(), located(out)
	}
	st, err := schema.Decode(text, at)
	l.outline.add(st)
	errs := []error{asErrors(err, at(1, 0), "")}
	if f.isBase && len(st.Bases) > 0 {
		errs = append(errs, mistake(st.Bases[0].Pos, "bases", errors.New("a base may not have bases itself")))
	} else {
		var err error
		st, err = l.loadBases(ctx, f, st, base)
		errs = append(errs, err)
	}
	e, err := l.loadEnvironment(ctx, f, st, base)
	errs = append(errs, err)
	if e == nil {
		return nil, nil, errors.Join(errs...)
	}
	return st, e, errors.Join(errs...)
}

func (l *loader) renders(path string) bool {
	if filepath.Ext(path) == ".gotmpl" {
		return true
	}
	v, _ := l.opts.LookupEnv("HELMFILE_RENDER_YAML")
	on, _ := strconv.ParseBool(v)
	return on
}

// loadBases merges the bases of a part under it. Paths inside a base start
// from the including file's folder.
func (l *loader) loadBases(ctx context.Context, f *stateFile, st *schema.State, base *env) (*schema.State, error) {
	if len(st.Bases) == 0 {
		return st, nil
	}
	out := &schema.State{}
	var errs []error
	for _, b := range st.Bases {
		path := b.Value
		if source.IsRemote(path) {
			local, err := l.fetch.Path(ctx, path)
			if err != nil {
				errs = append(errs, mistake(b.Pos, "bases", err))
				continue
			}
			path = local
		} else if !filepath.IsAbs(path) {
			path = filepath.Join(f.dir, path)
		}
		under := &stateFile{path: path, dir: f.dir, isBase: true}
		if err := l.loadFile(ctx, under, base, nil); err != nil {
			errs = append(errs, asErrors(err, b.Pos, "bases"))
		}
		layBase(out, &under.state)
	}
	layBase(out, st)
	return out, errors.Join(errs...)
}

func layBase(dst, src *schema.State) {
	environments := schema.MergeEnvironments(dst.Environments, src.Environments)
	schema.Merge(dst, src, schema.AppendLists)
	dst.Environments = environments
}

// loadEnvironment loads the values of the selected environment and the
// top-level values of a part over what earlier parts and the command line say.
func (l *loader) loadEnvironment(ctx context.Context, f *stateFile, st *schema.State, base *env) (*env, error) {
	spec := st.Environments[l.opts.Environment]
	seen := base
	if seen == nil {
		seen = &env{name: l.opts.Environment}
	}
	secrets, inHCL, err := l.environmentSecrets(ctx, f, st, spec)
	errs := []error{asErrors(err, spec.Pos, "environments."+l.opts.Environment)}
	if err != nil && slices.ContainsFunc(spec.Secrets, func(s schema.Text) bool { return strings.HasSuffix(s.Value, ".hcl") }) {
		return nil, errors.Join(errs...) // values in HCL refer to them
	}
	own, err := l.stateValues(ctx, valuesList{
		entries: spec.Values, dir: f.dir, handler: spec.MissingFile, config: missingConfig(spec.MissingConfig, st), strategy: spec.MergeStrategy, env: seen, hcl: inHCL,
	})
	errs = append(errs, asErrors(err, spec.Pos, "environments."+l.opts.Environment))
	own = values.Override(own, secrets)
	defaults, err := l.stateValues(ctx, valuesList{entries: st.Values, dir: f.dir, env: seen})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return base.over(own, defaults, env{name: l.opts.Environment, kubeContext: spec.KubeContext}), nil
}

// checkKeys holds the raw text against helmfile's rules for the order of
// top-level keys: there is one at all, bases and environments come before
// releases, and environments and releases are in different parts.
func checkKeys(text []byte, path string) error {
	key, separator := regexp.MustCompile(`^[a-zA-Z]+:`), regexp.MustCompile(`^--- *$`)
	var errs []error
	found, releases, environments, block := false, false, false, ""
	for i, line := range bytes.Split(text, []byte("\n")) {
		if separator.Match(bytes.TrimRight(line, " \t")) {
			block = ""
			continue
		}
		name := string(bytes.TrimSuffix(key.Find(line), []byte(":")))
		if name == "" {
			continue
		}
		found = true
		pos := schema.Pos{File: path, Line: i + 1, Col: 1}
		switch name {
		case "bases", "environments":
			if releases {
				errs = append(errs, mistake(pos, name, errors.New("must come before releases")))
			} else if name == "environments" && !environments {
				environments, block = true, name
			}
		case "releases":
			if !releases && block == "environments" {
				errs = append(errs, mistake(pos, name, errors.New("environments and releases cannot be in one part: put a line --- between them")))
			}
			releases = true
		}
	}
	if !found {
		return mistake(schema.Pos{File: path}, "", errors.New("the file has no top-level keys"))
	}
	return errors.Join(errs...)
}

// missingConfig is the release's or environment's own, else the file's.
func missingConfig(own *schema.MissingConfig, st *schema.State) *schema.MissingConfig {
	if own != nil {
		return own
	}
	return st.MissingConfig
}
