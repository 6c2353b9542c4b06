package spec

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// The bounds of one run over files that list each other.
const (
	maxNesting = 64
	maxFiles   = 10_000
)

// loader is one Load.
type loader struct {
	tooDeep bool // files were found to list each other without end

	opts  LoadOptions
	tmpl  *tmpl.Renderer
	fetch *source.Fetcher
	cli   Selector
	spec  *Spec

	secrets *secretStore
	pins    pins
	outline Outline
}

// Load reads a state file ("-": standard input), a folder of them, or with an
// empty path the default one of the working directory, and every file they
// nest, into one Spec. The algorithm is helmfile's. The error joins an *Error
// for every mistake that was found; values files of releases are not read yet
// (ValuesOf does), because a prepare hook may write them.
func Load(ctx context.Context, path string, opts LoadOptions) (*Spec, error) {
	l, err := loadFiles(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	l.joinGroups()
	return l.spec, nil
}

// loadFiles reads all files. With an error the loader, if there is one, still has what
// it came to know.
func loadFiles(ctx context.Context, path string, opts LoadOptions) (*loader, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	l := newLoader(opts)
	if l.cli, err = ParseSelector(opts.Selectors); err != nil {
		return nil, err
	}
	top := nested{after: nil, selectors: nil}
	if top.override, err = l.commandLine(); err != nil {
		return nil, err
	}
	from := &l.spec.loaded.top
	switch {
	case path == "":
		if path, err = discover(opts.Dir); err != nil {
			return nil, err
		}
	case source.IsRemote(path):
		*from = path
		if path, err = l.fetch.Path(ctx, path); err != nil {
			return nil, err
		}
	case path != "-" && !filepath.IsAbs(path):
		path = filepath.Join(opts.Dir, path)
	}
	if *from == "" {
		*from = path
		if err := l.pinned(path); err != nil {
			return nil, err
		}
	}
	_, err = l.visit(ctx, path, top)
	return l, err
}

func newLoader(opts LoadOptions) *loader {
	l := &loader{opts: opts, fetch: source.New(source.Options{CacheDir: opts.CacheDir, LookupEnv: opts.LookupEnv, Got: opts.GotSource})}
	l.secrets = newSecretStore(opts)
	l.tmpl = tmpl.New(tmpl.Options{
		NoExec: opts.NoExec, LookupEnv: opts.LookupEnv,
		DecodeYAML: func(text string) (any, error) { return decodeAny([]byte(text)) },
		EncodeYAML: func(v any) (string, error) {
			text, err := schema.Marshal(v)
			return string(text), err
		},
		Secret: l.templateSecret,
		Read:   opts.ReadFiles.Add,
	})
	l.spec = &Spec{Environment: opts.Environment, loaded: &loaded{loader: l}}
	return l
}

// decodeAny reads the first document of a YAML text.
func decodeAny(text []byte) (any, error) {
	docs, err := schema.Parse(text, schema.InFile(""))
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	var errs []error
	v := schema.Value(docs[0], func(_ *schema.Node, err error) { errs = append(errs, err) })
	return v, errors.Join(errs...)
}

// override is what the command line, or a parent file, says about the state
// values of a file.
type override struct {
	entries []schema.Entry
	dir     string // where entries start; empty: the file's own folder
	set     map[string]any
}

// commandLine reads --state-values-*.
func (l *loader) commandLine() (override, error) {
	var out override
	set, err := values.ParseSet(l.opts.StateValuesSet, l.opts.StateValuesSetString)
	if err != nil {
		return out, err
	}
	if len(l.opts.StateValuesSet)+len(l.opts.StateValuesSetString) > 0 {
		out.set = set
	}
	for _, file := range l.opts.StateValuesFiles {
		out.entries = append(out.entries, schema.Entry{Pos: schema.Pos{File: "--state-values-file"}, Value: file})
	}
	return out, nil
}

// load gives the environment to lay over a file's own; nil without any.
func (o override) load(ctx context.Context, l *loader, dir string) (*env, error) {
	if len(o.entries) == 0 && o.set == nil {
		return nil, nil
	}
	if o.dir != "" {
		dir = o.dir
	}
	e := &env{name: l.opts.Environment, cli: o.set}
	vals, err := l.stateValues(ctx, valuesList{entries: o.entries, dir: dir, env: &env{name: l.opts.Environment}})
	e.values = vals
	return e, err
}

// nested is how a file is reached.
type nested struct {
	depth     int
	override  override
	parent    *stateFile // nil for a top file
	inherits  []string
	selectors []Selector // what the entry says; see File.Selectors
	explicit  bool       // selectors replace those of the run
	chain     []Selector // explicit selectors of entries above
	after     []int      // files that come first
}

// visit loads the files of a path and what they nest. It returns the indexes
// of the files themselves.
func (l *loader) visit(ctx context.Context, path string, n nested) ([]int, error) {
	if l.tooDeep {
		return nil, nil // told already: files that list each other twice double at each level
	}
	if n.depth > maxNesting {
		l.tooDeep = true
		return nil, fmt.Errorf("%s is nested deeper than %d files: does a file list itself?", path, maxNesting)
	}
	files := []string{path}
	if path != "-" {
		var err error
		if files, err = stateFiles(path); err != nil {
			return nil, err
		}
	}
	var out []int
	var errs []error
	for _, file := range files {
		one := n
		if l.opts.Sequential && len(out) > 0 {
			one.after = []int{out[len(out)-1]}
		}
		i, err := l.visitFile(ctx, file, one)
		if err != nil {
			errs = append(errs, asErrors(err, schema.Pos{File: file}, ""))
		}
		if i >= 0 {
			out = append(out, i)
		}
	}
	return out, errors.Join(errs...)
}

// visitFile loads one file, then its nested files, then its releases. The
// index is -1 for a file that does not take part.
func (l *loader) visitFile(ctx context.Context, path string, n nested) (int, error) {
	if len(l.spec.Files) >= maxFiles {
		return -1, fmt.Errorf("more than %d state files", maxFiles)
	}
	f := &stateFile{path: path, dir: l.opts.Dir}
	if path != "-" {
		f.dir = filepath.Dir(path)
	}
	ctx = withRefDir(ctx, f.dir)
	over, err := n.override.load(ctx, l, f.dir)
	if err != nil {
		return -1, err
	}
	var inherited *env
	if n.parent != nil && inheritsHas(n.inherits, "environments") {
		inherited = n.parent.env
	}
	if err := l.loadFile(ctx, f, inherited, over); err != nil {
		return -1, err
	}
	if f.skipped {
		l.spec.loaded.skipped = append(l.spec.loaded.skipped, leftOut{f.path, f.text})
		return -1, nil
	}
	if n.parent != nil {
		inheritConfig(&f.state, &n.parent.state, n.inherits)
	}
	errs := []error{l.applyOverrides(f)}
	order, err := l.fileOrder(f)
	errs = append(errs, err)
	children, before, err := l.visitChildren(ctx, f, n)
	errs = append(errs, err)
	index := len(l.spec.Files)
	for _, c := range children {
		l.spec.Files[c].Parent = index
	}
	file := l.newFile(f, n)
	file.FileOrder = order
	file.Depends = append(before, n.after...)
	l.spec.Files = append(l.spec.Files, file)
	l.spec.loaded.files = append(l.spec.loaded.files, fileExtra{file: f, chain: n.chain, explicit: n.explicit, selectors: n.selectors})
	errs = append(errs, l.addReleases(ctx, f, index), l.addDrift(f, index), l.addPromotion(f, index))
	return index, errors.Join(errs...)
}

// applyOverrides puts the flags for context, namespace and chart into the
// file; giving both a flag and the key is an error, as in helmfile.
func (l *loader) applyOverrides(f *stateFile) error {
	var errs []error
	for _, o := range []struct {
		flag, given, key string
		field            *string
	}{
		{"--kube-context", l.opts.KubeContext, "kubeContext", &f.state.KubeContext},
		{"--namespace", l.opts.Namespace, "namespace", &f.state.Namespace},
		{"--chart", l.opts.Chart, "chart", &f.state.Chart},
	} {
		if o.given == "" {
			continue
		}
		if *o.field != "" {
			errs = append(errs, mistake(schema.Pos{File: f.path}, o.key, fmt.Errorf("the flag %s and the key %s of the file exclude each other", o.flag, o.key)))
		}
		*o.field = o.given
	}
	if l.opts.KubeContext != "" {
		f.state.HelmDefaults.KubeContext = l.opts.KubeContext
	}
	return errors.Join(errs...)
}
