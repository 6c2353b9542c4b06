package spec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// inheritable lists what helmfiles[].inherits may name.
func inheritable() []string {
	return []string{"repositories", "helmDefaults", "commonLabels", "apiVersions", "kubeVersion", "templates", "environments"}
}

func inheritsHas(names []string, name string) bool { return slices.Contains(names, name) }

// visitChildren loads the nested files in listed order. It returns their
// indexes, and those that the parent's releases wait for.
func (l *loader) visitChildren(ctx context.Context, f *stateFile, n nested) (children, before []int, err error) {
	var errs []error
	after := n.after
	var expanded []schema.Nested
	defer func() { f.state.Helmfiles = expanded }()
	for i, entry := range f.state.Helmfiles {
		field := fmt.Sprintf("helmfiles[%d]", i)
		child, skip, err := l.child(f, entry, n)
		if err != nil {
			errs = append(errs, asErrors(err, entry.Pos, field))
			continue
		}
		if skip {
			l.spec.loaded.partial = true
			expanded = append(expanded, entry)
			continue
		}
		paths, err := l.childPaths(ctx, f, entry)
		if err != nil {
			errs = append(errs, asErrors(err, entry.Pos, field))
			continue
		}
		expanded = append(expanded, expand(f, entry, paths)...)
		for _, path := range paths {
			child.after = after
			got, err := l.visit(ctx, path, child)
			errs = append(errs, asErrors(err, entry.Pos, field))
			children = append(children, got...)
			if len(got) > 0 {
				after = got
			}
		}
	}
	return children, slices.Clone(children), errors.Join(errs...)
}

// child says how a nested entry is loaded, or that the selectors of the run
// exclude all of it.
func (l *loader) child(f *stateFile, entry schema.Nested, n nested) (nested, bool, error) {
	out := nested{
		depth: n.depth + 1, parent: f, inherits: entry.Inherits,
		override:  override{entries: entry.Values, dir: f.dir},
		selectors: n.selectors, explicit: n.explicit, chain: n.chain,
	}
	for _, name := range entry.Inherits {
		if !slices.Contains(inheritable(), name) {
			return out, false, fmt.Errorf("inherits: %q is unknown, expected %s", name, strings.Join(inheritable(), ", "))
		}
	}
	if entry.SelectorsInherited || entry.Selectors == nil && !l.explicitInheritance() {
		return out, false, nil
	}
	sel, err := ParseSelector(entry.Selectors)
	if err != nil {
		return out, false, fmt.Errorf("selectors: %w", err)
	}
	out.selectors, out.explicit = []Selector{sel}, true
	out.chain = append(slices.Clone(n.chain), sel)
	return out, l.cli.contradicts(sel), nil
}

// explicitInheritance is helmfile's experiment in which a nested file without
// selectors takes everything.
func (l *loader) explicitInheritance() bool {
	v, _ := l.opts.LookupEnv("HELMFILE_EXPERIMENTAL")
	return v == "true" || slices.Contains(strings.Split(v, ","), "explicit-selector-inheritance")
}

// childPaths expands the path of an entry: a file, a folder, a glob or a URL.
func (l *loader) childPaths(ctx context.Context, f *stateFile, entry schema.Nested) ([]string, error) {
	if source.IsRemote(entry.Path) {
		local, err := l.fetch.Path(ctx, entry.Path)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(local); err != nil {
			return nil, fmt.Errorf("the state file is not in the source: %w", err)
		}
		return []string{local}, nil
	}
	paths, err := values.Files(f.dir, entry.Path)
	if err != nil {
		return nil, err
	}
	if len(paths) > 0 {
		return paths, nil
	}
	handler, err := values.ParseHandler(f.state.MissingFile)
	if err != nil {
		return nil, err
	}
	return nil, l.lacks(handler, entry.Pos, "state", entry.Path)
}

// expand makes an entry for each path that one with a pattern matched, as
// "build" shows them.
func expand(f *stateFile, entry schema.Nested, paths []string) []schema.Nested {
	if source.IsRemote(entry.Path) || filepath.IsAbs(entry.Path) {
		return []schema.Nested{entry}
	}
	var out []schema.Nested
	for _, path := range paths {
		one := entry
		if rel, err := filepath.Rel(f.dir, path); err == nil {
			one.Path = rel
		}
		out = append(out, one)
	}
	return out
}

// inheritConfig gives a nested file what its entry inherits from the parent.
// The child's own wins.
func inheritConfig(child, parent *schema.State, names []string) {
	for _, name := range names {
		switch name {
		case "repositories":
			child.Repositories = inheritRepositories(child.Repositories, parent.Repositories)
		case "helmDefaults":
			schema.Fill(&child.HelmDefaults, parent.HelmDefaults)
		case "commonLabels":
			child.CommonLabels = fillMap(child.CommonLabels, parent.CommonLabels)
		case "templates":
			child.Templates = fillMap(child.Templates, parent.Templates)
		case "apiVersions":
			child.APIVersions = unique(append(slices.Clone(parent.APIVersions), child.APIVersions...))
		case "kubeVersion":
			if child.KubeVersion == "" {
				child.KubeVersion = parent.KubeVersion
			}
		default:
			// environments are inherited before the file loads; other names
			// were refused when the entry was read.
		}
	}
}

func inheritRepositories(own, parent []schema.Repository) []schema.Repository {
	var out []schema.Repository
	for _, r := range parent {
		if !slices.ContainsFunc(own, func(o schema.Repository) bool { return o.Name == r.Name }) {
			out = append(out, r)
		}
	}
	return append(out, own...)
}

func fillMap[V any](own, parent map[string]V) map[string]V {
	out := make(map[string]V, len(own)+len(parent))
	for k, v := range parent {
		out[k] = v
	}
	for k, v := range own {
		out[k] = v
	}
	return out
}

func unique(in []string) []string {
	var out []string
	for _, s := range in {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// fileOrder decides whether the releases of a file wait for those of the files
// before it: as helmfile does, except in a file of flotilla's own name.
func (l *loader) fileOrder(f *stateFile) (bool, error) {
	if l.opts.NoFileOrder {
		return false, nil
	}
	switch f.state.FileOrder {
	case "":
		return !strings.HasPrefix(filepath.Base(f.path), "flotilla.y"), nil
	case "listed":
		return true, nil
	case "none":
		return false, nil
	default:
		return false, mistake(schema.Pos{File: f.path}, "fileOrder", fmt.Errorf("%q is unknown, expected none or listed", f.state.FileOrder))
	}
}
