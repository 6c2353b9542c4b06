package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
)

type fetchCmd struct {
	concurrency
	OutputDir         string `placeholder:"DIR" help:"Folder to unpack charts below, which starts at the state file's; without it they go into the cache only."`
	OutputDirTemplate string `placeholder:"TEMPLATE" help:"Folder of each release's chart: a Go template with .OutputDir, .ChartName, .Release and .Environment. Default: DIR/NAMESPACE/CONTEXT/RELEASE/CHART/VERSION."`
	WriteOutput       bool   `help:"Print the state file with the folders in place of the charts; needs --output-dir and a single state file."`
}

const defaultFetchDir = "{{ .OutputDir }}{{ if .Release.Namespace }}/{{ .Release.Namespace }}{{ end }}" +
	"{{ if .Release.KubeContext }}/{{ .Release.KubeContext }}{{ end }}" +
	"/{{ .Release.Name }}/{{ .ChartName }}/{{ or .Release.Version \"latest\" }}"

// Run downloads the charts of the selected releases and unpacks them.
func (c *fetchCmd) Run(ctx context.Context, s *session) error {
	if c.WriteOutput && c.OutputDir == "" {
		return errors.New("--write-output needs --output-dir")
	}
	f, err := s.load(ctx, request{limit: c.Concurrency, policy: spec.NeedsIgnore})
	if err != nil {
		return err
	}
	if c.WriteOutput && len(f.spec.Files) > 1 {
		return fmt.Errorf("--write-output needs a single state file, and there are %d: name one with -f", len(f.spec.Files))
	}
	t := s.tools(f)
	return t.around(ctx, f, func(f *fleet) error {
		f.releases = slices.DeleteFunc(slices.Clone(f.releases), func(r spec.Release) bool { return !r.Installed })
		charts, err := t.get(ctx, f)
		if err != nil {
			return err
		}
		if charts, err = t.made(ctx, f, charts); err != nil {
			return err
		}
		if c.OutputDir == "" && c.OutputDirTemplate == "" {
			return nil
		}
		return c.unpack(s, f, charts)
	})
}

func (c *fetchCmd) unpack(s *session, f *fleet, charts []*chart.Chart) error {
	folders := map[int]string{}
	taken := newTargets(f.releases)
	for i, r := range f.releases {
		dir, err := c.place(taken, f.spec.Files[r.File], f.declared(r), charts[i])
		if err != nil {
			return fmt.Errorf("unpacking the chart of %s: %w", r.ID, err)
		}
		folders[r.Index] = dir
		if inside, err := filepath.Rel(f.spec.Files[r.File].Dir, dir); err == nil && !filepath.IsAbs(c.OutputDir) {
			folders[r.Index] = inside
		}
		if !c.WriteOutput {
			if err := s.tell("wrote " + dir); err != nil {
				return err
			}
		}
	}
	if !c.WriteOutput {
		return nil
	}
	state, err := f.spec.StateWithCharts(0, f.releases, folders)
	if err != nil {
		return err
	}
	return view.Text(s.env.Streams.Out, fmt.Sprintf("---\n#  Source: %s\n\n%s", f.spec.Files[0].Path, state))
}

// place unpacks a chart and gives the folder that holds its Chart.yaml: below
// the release's folder one of the chart's name, as helm pull --untar makes it,
// but a chart that is a folder already is copied without one. What an earlier
// run put there is replaced.
func (c *fetchCmd) place(taken *targets, file spec.File, r spec.Release, from *chart.Chart) (string, error) {
	local := isFolder(r.Chart)
	data := newPathData(file, r)
	data.OutputDir = strings.TrimRight(c.OutputDir, string(filepath.Separator))
	data.ChartName = fetchName(r.Chart, local)
	dir, err := data.path("--output-dir-template", c.OutputDirTemplate, defaultFetchDir)
	if err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(mkdir(filepath.Dir(dir)), ".fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	unpacked, err := from.WriteTo(made)
	if err != nil {
		return "", err
	}
	target := dir
	if !local {
		target = filepath.Join(dir, filepath.Base(unpacked))
	}
	if there, err := taken.take(target, r.ID, from.Digest); err != nil || there {
		return target, err
	}
	if err := replace(unpacked, target); err != nil {
		return "", err
	}
	return target, nil
}

// targets knows where the charts of a run go, and which folders are charts of
// the state files.
type targets struct {
	sources []string
	of      map[string]claim
}

type claim struct {
	id     spec.ReleaseID
	digest string
}

func newTargets(releases []spec.Release) *targets {
	t := &targets{of: map[string]claim{}}
	for _, r := range releases {
		if isFolder(r.Chart) {
			t.sources = append(t.sources, realPath(folderOf(r.Chart)))
		}
	}
	return t
}

// take refuses a folder whose replacement would take away a chart that a state
// file names, or one that this run has put there. Releases of the same chart
// may share a folder; there says that it is in place already.
func (t *targets) take(target string, id spec.ReleaseID, digest string) (there bool, err error) {
	target = realPath(target)
	for _, source := range t.sources {
		if within(source, target) {
			return false, fmt.Errorf("%s is or holds a chart that a state file names: choose another folder", target)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(t.of)) {
		other := t.of[path]
		switch {
		case path == target && other.digest == digest:
			return true, nil
		case within(path, target), within(target, path):
			return false, fmt.Errorf("%s is where the chart of %s goes: tell %s apart in the template of the path", path, other.id, id)
		}
	}
	t.of[target] = claim{id, digest}
	return false, nil
}

// within reports whether a path is a folder or inside of it.
func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// realPath follows links in as much of a path as there is.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(realPath(parent), filepath.Base(path))
	}
	return path
}

// mkdir makes a folder; whoever uses it finds out if that failed.
func mkdir(dir string) string {
	_ = os.MkdirAll(dir, 0o755)
	return dir
}

// replace moves a chart to where it belongs. It takes nothing away that is no
// chart.
func replace(from, to string) error {
	if entries, err := os.ReadDir(to); err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(to, "Chart.yaml")); err != nil {
			return fmt.Errorf("%s is there and is no chart: remove it or choose another folder", to)
		}
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func isFolder(c spec.Chart) bool {
	info, err := os.Stat(folderOf(c))
	return c.Repository == nil && err == nil && info.IsDir()
}

// folderOf is where a chart is that is a folder.
func folderOf(c spec.Chart) string {
	if filepath.IsAbs(c.Ref) {
		return c.Ref
	}
	return filepath.Join(c.Dir, c.Ref)
}

// fetchName is helmfile's .ChartName: the reference as it is, without the
// declared repository if that is a registry; of an oci:// reference and of a
// folder the last part.
func fetchName(c spec.Chart, local bool) string {
	switch {
	case c.Repository != nil && c.Repository.OCI:
		return strings.TrimPrefix(c.Ref, c.Repository.Name+"/")
	case strings.HasPrefix(c.Ref, "oci://"):
		name := path.Base(c.Ref)
		name, _, _ = strings.Cut(name, "@")
		name, _, _ = strings.Cut(name, ":")
		return name
	case local || strings.Contains(c.Ref, "://"):
		return filepath.Base(filepath.Clean(c.Ref))
	default:
		return c.Ref
	}
}
