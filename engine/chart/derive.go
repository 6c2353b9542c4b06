package chart

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/spec"
)

// Derivation is what a release makes of its chart before it is rendered.
type Derivation struct {
	// Files are all files of the new chart, by path; nil: those of the old one.
	Files map[string][]byte
	// Dependencies are added to those of the chart, each under the condition
	// ALIAS.enabled, or NAME.enabled where it has no alias. They are looked up
	// even if dependencies are to be skipped: they can be nowhere yet.
	Dependencies []spec.Dependency
}

// Derive makes a chart of another one and keeps it like those that Get gives.
// ref is the reference that gave c: relative paths and ways of download of
// dependencies are taken from it. Errors of dependencies are reported all, with
// the place of each. Source of the rules: ReadAdhocDependencies in
// github.com/helmfile/chartify.
func (s *Store) Derive(ctx context.Context, c *Chart, ref spec.Chart, d Derivation) (*Chart, error) {
	files := c.files
	if d.Files != nil {
		files = nil
		for _, name := range slices.Sorted(maps.Keys(d.Files)) {
			files = append(files, &archive.BufferedFile{Name: name, Data: d.Files[name]})
		}
	} else if c.Folder != "" {
		return nil, c.noChart()
	}
	if len(d.Dependencies) == 0 {
		return s.add(files, c.Origin)
	}
	added, err := s.additions(ctx, ref, d.Dependencies)
	if err != nil {
		return nil, err
	}
	needs := make([]need, len(added))
	built := make([][]*archive.BufferedFile, len(added))
	for i, a := range added {
		needs[i], built[i] = need{name: a.name}, a.files
	}
	if files, err = declare(files, added); err != nil {
		return nil, failFor(ErrInvalid, err, "adding dependencies to chart %s", c.Origin)
	}
	return s.add(merge(files, needs, built, nil), c.Origin)
}

// addition is a chart that becomes a dependency.
type addition struct {
	name, version, alias string
	files                []*archive.BufferedFile
}

func (s *Store) additions(ctx context.Context, ref spec.Chart, list []spec.Dependency) ([]addition, error) {
	out := make([]addition, len(list))
	faults := make([]error, len(list))
	each(len(list), func(i int) {
		d := list[i]
		if out[i], faults[i] = s.addition(ctx, ref, d); faults[i] != nil {
			faults[i] = &spec.Error{Pos: d.Pos, Field: "dependencies", Err: fmt.Errorf("%s: %w", redact(d.Chart), faults[i])}
		}
	})
	return out, errors.Join(faults...)
}

func (s *Store) addition(ctx context.Context, ref spec.Chart, d spec.Dependency) (addition, error) {
	ref.Ref, ref.Version, ref.Repository, ref.Verify = d.Chart, d.Version, d.Repository, false
	src, err := s.locate(ref)
	if err != nil {
		return addition{}, err
	}
	src.skipDeps = false
	found, err := s.read(ctx, src)
	if err != nil {
		return addition{}, err
	}
	if found.bare {
		return addition{}, fail(ErrInvalid, "the folder %s is no chart: it has no Chart.yaml", src)
	}
	head, err := readHead(found)
	if err != nil {
		return addition{}, err
	}
	out := addition{name: head.Metadata.Name, version: head.Metadata.Version, alias: d.Alias}
	if wanted, _ := splitDigest(d.Version); src.kind == fromDisk && !compatible(wanted, out.version) {
		return addition{}, fail(ErrNotFound, "version %s is needed, but %s is version %s", wanted, src, out.version)
	}
	if out.files, err = s.build(ctx, found, nil); err != nil || d.Digest == "" {
		return out, err
	}
	return out, held(src, digestFiles(sorted(out.files)), d.Digest)
}

// declare names the additions in the file that declares dependencies, at the
// versions that were found. A lock does not fit any more and is left out.
func declare(files []*archive.BufferedFile, added []addition) ([]*archive.BufferedFile, error) {
	named := func(name string) func(*archive.BufferedFile) bool {
		return func(f *archive.BufferedFile) bool { return f.Name == name }
	}
	at := slices.IndexFunc(files, named("requirements.yaml"))
	if at < 0 {
		at = slices.IndexFunc(files, named("Chart.yaml"))
	}
	if at < 0 {
		return nil, errors.New("it has no Chart.yaml")
	}
	var head map[string]any
	if err := yaml.Unmarshal(files[at].Data, &head); err != nil {
		return nil, err
	}
	if head == nil {
		head = map[string]any{}
	}
	declared, _ := head["dependencies"].([]any)
	for _, a := range added {
		entry := map[string]any{"name": a.name, "version": a.version, "condition": a.name + ".enabled"}
		if a.alias != "" {
			entry["alias"], entry["condition"] = a.alias, a.alias+".enabled"
		}
		declared = append(declared, entry)
	}
	head["dependencies"] = declared
	data, err := yaml.Marshal(head)
	if err != nil {
		return nil, err
	}
	var out []*archive.BufferedFile
	for i, f := range files {
		switch {
		case i == at:
			out = append(out, &archive.BufferedFile{Name: f.Name, Data: data})
		case strings.HasSuffix(f.Name, ".lock") && !strings.Contains(f.Name, "/"):
		default:
			out = append(out, f)
		}
	}
	return out, nil
}

// Fetch brings what a go-getter URL names onto this machine, by the Fetcher of
// the Store's options.
func (s *Store) Fetch(ctx context.Context, url string) (string, error) {
	if s.opts.Fetch == nil {
		return "", fail(ErrNotFound, "%s: URLs of this kind are not fetched here", redact(url))
	}
	path, err := s.opts.Fetch.Fetch(ctx, url)
	if err != nil {
		return "", redacted{err}
	}
	return path, nil
}
