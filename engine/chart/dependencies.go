package chart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/flotilla-sh/flotilla/spec"
)

const (
	parallelDependencies = 4
	deepestDependency    = 20
)

// build adds the dependencies that charts/ lacks. above holds the charts whose
// dependency this one is.
//
// A folder is treated as by helm dependency build: its lock is checked, a file://
// dependency is always taken from its folder, and a wrong version in charts/ is
// replaced. A packaged chart was built by its author, so there only a dependency
// of which nothing is found is fetched, and file:// means nothing.
func (s *Store) build(ctx context.Context, c content, above []source) ([]*archive.BufferedFile, error) {
	head, err := readHead(c)
	if err != nil || len(head.Metadata.Dependencies) == 0 {
		return c.files, err
	}
	have, err := vendored(c)
	if err != nil {
		return nil, err
	}
	needs, err := s.needs(c, head)
	if err != nil {
		return nil, err
	}
	missing, drop, err := lacking(c, needs, have)
	if err != nil || len(missing) == 0 {
		return c.files, err
	}
	if above = append(slices.Clone(above), c.src); len(above) > deepestDependency {
		return nil, fail(ErrInvalid, "dependencies of chart %s are nested more than %d deep", above[0], deepestDependency)
	}
	built, err := s.dependencies(ctx, c, missing, above)
	if err != nil {
		return nil, err
	}
	return merge(c.files, missing, built, drop), nil
}

// dependencies gets what is missing, a few at a time, and reports all that
// cannot be had.
func (s *Store) dependencies(ctx context.Context, c content, missing []need, above []source) ([][]*archive.BufferedFile, error) {
	built := make([][]*archive.BufferedFile, len(missing))
	faults := make([]error, len(missing))
	each(len(missing), func(i int) {
		n := missing[i]
		files, err := s.dependency(ctx, c, n, above)
		if err != nil {
			faults[i] = fmt.Errorf("building dependency %q of chart %s: %w", n.name, c.src, err)
		}
		built[i] = files
	})
	return built, errors.Join(faults...)
}

// each calls do for 0 to n-1, a few at a time, and waits for all.
func each(n int, do func(i int)) {
	var running sync.WaitGroup
	free := make(chan struct{}, parallelDependencies)
	for i := range n {
		running.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			do(i)
		})
	}
	running.Wait()
}

// readHead parses only what declares dependencies.
func readHead(c content) (*chartv2.Chart, error) {
	var files []*archive.BufferedFile
	for _, f := range c.files {
		switch f.Name {
		case "Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock":
			files = append(files, f)
		}
	}
	head, err := loader.LoadFiles(files)
	if err != nil {
		return nil, failFor(ErrInvalid, err, "loading chart %s", c.src)
	}
	return head, nil
}

// subchart is one entry of charts/: a folder, or an archive.
type subchart struct {
	entry   string
	name    string
	version string
}

// vendored lists what charts/ holds. What Helm's loader skips is skipped, too.
func vendored(c content) ([]subchart, error) {
	var out []subchart
	for _, f := range c.files {
		rest, ok := strings.CutPrefix(f.Name, "charts/")
		if !ok || strings.IndexAny(rest, "_.") == 0 {
			continue
		}
		entry, file, inFolder := strings.Cut(rest, "/")
		data := f.Data
		switch {
		case inFolder && file == "Chart.yaml":
		case !inFolder && filepath.Ext(entry) == ".tgz":
			files, err := unpackFiles(f.Data)
			if err != nil {
				return nil, failFor(ErrInvalid, err, "unpacking %s of chart %s", f.Name, c.src)
			}
			at := slices.IndexFunc(files, func(f *archive.BufferedFile) bool { return f.Name == "Chart.yaml" })
			if at < 0 {
				return nil, fail(ErrInvalid, "%s of chart %s has no Chart.yaml", f.Name, c.src)
			}
			data = files[at].Data
		default:
			continue
		}
		head, err := loader.LoadFiles([]*archive.BufferedFile{{Name: "Chart.yaml", Data: data}})
		if err != nil {
			return nil, failFor(ErrInvalid, err, "loading charts/%s of chart %s", entry, c.src)
		}
		out = append(out, subchart{entry: entry, name: head.Metadata.Name, version: head.Metadata.Version})
	}
	return out, nil
}

// need is one declared dependency.
type need struct {
	name       string
	version    string // range as declared, or the version that the lock pins
	repository string // aliases resolved
	locked     string // lock file that pins the version; empty: none does
}

const fileScheme = "file://"

// lacking tells which needs charts/ does not meet, each once, and which of its
// entries they replace.
func lacking(c content, needs []need, have []subchart) (missing []need, drop []string, err error) {
	kept := map[string]bool{}
	var gone []string
	for _, n := range needs {
		met := false
		for _, sub := range have {
			if sub.name == n.name && n.metBy(c, sub) {
				met, kept[sub.entry] = true, true
			}
		}
		switch {
		case met:
		case n.repository == "", c.src.skipDeps, c.dir == "" && strings.HasPrefix(n.repository, fileScheme):
			gone = append(gone, n.name)
		case !slices.Contains(missing, n):
			missing = append(missing, n)
		}
	}
	if len(gone) > 0 {
		return nil, nil, absent(c, gone, needs, have)
	}
	for _, sub := range have {
		replaced := slices.ContainsFunc(missing, func(n need) bool { return n.name == sub.name })
		if replaced && !kept[sub.entry] {
			drop = append(drop, sub.entry)
		}
	}
	return missing, drop, nil
}

func (n need) metBy(c content, sub subchart) bool {
	switch {
	case c.dir == "", c.src.skipDeps:
		return true
	case strings.HasPrefix(n.repository, fileScheme):
		_, err := os.Stat(n.folder(c))
		return err != nil && compatible(n.version, sub.version)
	default:
		return compatible(n.version, sub.version)
	}
}

func (n need) folder(c content) string {
	path := strings.TrimPrefix(n.repository, fileScheme)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.dir, path)
}

// absent words the error as Helm does, and adds what is there instead.
func absent(c content, gone []string, needs []need, have []subchart) error {
	text := fmt.Sprintf("chart %s: found in Chart.yaml, but missing in charts/ directory: %s", c.src, strings.Join(gone, ", "))
	for _, n := range needs {
		for _, sub := range have {
			if sub.name == n.name && slices.Contains(gone, n.name) {
				text += fmt.Sprintf("; charts/%s is version %s, but %s is needed", sub.entry, sub.version, n.version)
			}
		}
	}
	if c.src.skipDeps {
		text += "; run `helm dependency build`, or do not skip dependencies"
	}
	return fail(ErrMissingDependency, "%s", text)
}

// dependency gets one dependency with its own dependencies built in.
func (s *Store) dependency(ctx context.Context, c content, n need, above []source) ([]*archive.BufferedFile, error) {
	src, err := s.locateNeed(c, n)
	if err != nil {
		return nil, err
	}
	if at := slices.Index(above, src); at >= 0 {
		return nil, fail(ErrInvalid, "dependencies form a cycle: %s", cycle(append(slices.Clone(above[at:]), src)))
	}
	found, err := s.read(ctx, src)
	if err != nil {
		return nil, err
	}
	if found.bare {
		return nil, fail(ErrInvalid, "the folder %s is no chart: it has no Chart.yaml", src)
	}
	head, err := readHead(found)
	if err != nil {
		return nil, err
	}
	version := head.Metadata.Version
	switch {
	case head.Metadata.Name != n.name:
		return nil, fail(ErrInvalid, "the chart at %s is named %q", src, head.Metadata.Name)
	case compatible(n.version, version):
		return s.build(ctx, found, above)
	case n.locked != "":
		return nil, fail(ErrLock, "%s pins version %s, but %s is version %s: run `helm dependency update %s`", n.locked, n.version, src, version, c.dir)
	default:
		return nil, fail(ErrNotFound, "version %s is needed, but %s is version %s", n.version, src, version)
	}
}

func cycle(path []source) string {
	var names []string
	for _, src := range path {
		names = append(names, src.String())
	}
	return strings.Join(names, " -> ")
}

// locateNeed finds where a dependency is. It is verified if its chart is.
func (s *Store) locateNeed(c content, n need) (source, error) {
	inherit := endpoint{plainHTTP: c.src.repo.plainHTTP, tls: tlsFiles{skipVerify: c.src.repo.tls.skipVerify}}
	src := source{repo: inherit, verify: c.src.verify, keyring: c.src.keyring}
	ref := spec.Chart{
		Ref:                   strings.TrimSuffix(n.repository, "/") + "/" + n.name,
		Version:               n.version,
		PlainHTTP:             inherit.plainHTTP,
		InsecureSkipTLSVerify: inherit.tls.skipVerify,
	}
	switch {
	case strings.HasPrefix(n.repository, fileScheme):
		return located(src, n.folder(c), "")
	case strings.HasPrefix(n.repository, "oci://"):
		return s.locateRegistry(src, ref, ref.Ref)
	case strings.Contains(n.repository, "://"):
		repo, err := s.repositoryOf(n.repository)
		if err != nil {
			return source{}, err
		}
		if strings.TrimSuffix(repo.URL, "/") != strings.TrimSuffix(n.repository, "/") {
			repo.Name, repo.URL = "", n.repository
		}
		ref.Repository = &repo
		return s.locateRepository(src, ref, repo.Name, n.name)
	default:
		return source{}, fail(ErrUnknownRepository, "repository %q is not a URL: repositories are written as URLs, or as @name of a repository that is declared in repositories: or in Helm's %s", n.repository, s.opts.RepositoryConfig)
	}
}

// merge adds built charts below charts/, in folders so that loading need not
// unpack them again.
func merge(files []*archive.BufferedFile, added []need, built [][]*archive.BufferedFile, drop []string) []*archive.BufferedFile {
	used := map[string]bool{}
	var out []*archive.BufferedFile
	for _, f := range files {
		rest, sub := strings.CutPrefix(f.Name, "charts/")
		entry, _, _ := strings.Cut(rest, "/")
		if sub && slices.Contains(drop, strings.TrimSuffix(entry, ".prov")) {
			continue
		}
		used[entry] = used[entry] || sub
		out = append(out, f)
	}
	for i, n := range added {
		entry := n.name
		for used[entry] {
			entry += "-built"
		}
		used[entry] = true
		for _, f := range built[i] {
			out = append(out, &archive.BufferedFile{Name: "charts/" + entry + "/" + f.Name, Data: f.Data})
		}
	}
	return out
}

// needs lists the declared dependencies with aliases resolved and versions
// locked.
func (s *Store) needs(c content, head *chartv2.Chart) ([]need, error) {
	declared, unknown, err := s.resolveAliases(head.Metadata.Dependencies)
	if err != nil {
		return nil, err
	}
	if c.dir == "" || c.src.skipDeps || head.Lock == nil {
		return unlocked(declared), nil
	}
	if len(unknown) == 0 {
		if err := checkLock(c, head, declared); err != nil {
			return nil, err
		}
	}
	out := unlocked(declared)
	for i := range out {
		if pinned := pinOf(head.Lock.Dependencies, declared, i); pinned != "" {
			out[i].version, out[i].locked = pinned, lockName(head)
		}
	}
	return out, nil
}

func unlocked(declared []*chartv2.Dependency) []need {
	var out []need
	for _, d := range declared {
		out = append(out, need{name: d.Name, version: d.Version, repository: d.Repository})
	}
	return out
}

// resolveAliases copies dependencies with @name and alias:name replaced by the
// URL of that repository. Unknown ones stay, and are listed.
func (s *Store) resolveAliases(declared []*chartv2.Dependency) (out []*chartv2.Dependency, unknown []string, err error) {
	for _, d := range declared {
		plain := *d
		name, isAlias := strings.CutPrefix(d.Repository, "@")
		if !isAlias {
			name, isAlias = strings.CutPrefix(d.Repository, "alias:")
		}
		if isAlias {
			repo, err := s.repositoryNamed(name)
			switch {
			case err != nil:
				return nil, nil, err
			case repo == nil:
				unknown = append(unknown, name)
			case repo.OCI:
				plain.Repository = "oci://" + strings.TrimPrefix(repo.URL, "oci://")
			default:
				plain.Repository = repo.URL
			}
		}
		out = append(out, &plain)
	}
	return out, unknown, nil
}
