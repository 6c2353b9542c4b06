package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/spec"
)

type unittestCmd struct {
	concurrency
	overlay
	needsFlags
	Args        string `placeholder:"FLAGS" help:"Flags of the helm-unittest plugin."`
	FailFast    bool   `help:"Start nothing more after the first failure."`
	DebugPlugin bool   `help:"Make the plugin say more."`
}

// Run gives the charts and merged values of releases that name unitTests to
// helm-unittest: the program flotilla-unittest, or the plugin of Helm. It is
// not linked in because its module brings Helm 3 along.
func (c *unittestCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, request{over: c.overlay, needs: c.needsFlags, limit: c.Concurrency})
	if err != nil {
		return err
	}
	t := s.tools(f)
	return t.around(ctx, f, func(f *fleet) error {
		var tested []spec.Release
		for _, r := range f.releases {
			if r.Installed && len(r.UnitTests) > 0 {
				tested = append(tested, r)
			}
		}
		if len(tested) == 0 {
			return nil
		}
		if s.globals.NoExec {
			return errNoTester
		}
		start, err := findTester(s.env.Lookup)
		if err != nil {
			return err
		}
		defer t.tidy(ctx, tested)
		return c.test(ctx, unittests{tools: t, fleet: f, start: start, releases: tested})
	})
}

// errNoTester is for --no-exec.
var errNoTester = errors.New("unit tests run in a program of their own, and no programs may be started")

// unittests is what the tests of one run share.
type unittests struct {
	tools    *tools
	fleet    *fleet
	start    tester
	releases []spec.Release
}

func (c *unittestCmd) test(ctx context.Context, u unittests) error {
	outputs := make([]bytes.Buffer, len(u.releases))
	errs := make([]error, len(u.releases))
	var failed atomic.Bool
	each(len(u.releases), u.fleet.at(runtime.GOMAXPROCS(0)), func(i int) {
		if c.FailFast && failed.Load() || ctx.Err() != nil {
			return
		}
		if errs[i] = c.one(ctx, u, u.releases[i], &outputs[i]); errs[i] != nil {
			errs[i] = fmt.Errorf("unit tests of %s: %w", u.releases[i].ID, errs[i])
			failed.Store(true)
		}
	})
	for i := range outputs {
		if err := view.Text(u.tools.session.env.Streams.Out, outputs[i].String()); err != nil {
			return err
		}
	}
	return interrupted(ctx, errors.Join(errs...))
}

func (c *unittestCmd) one(ctx context.Context, u unittests, r spec.Release, out *bytes.Buffer) error {
	files, err := testFiles(r.UnitTests)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "flotilla-unittest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	folder, err := u.chart(ctx, r, dir)
	if err != nil {
		return err
	}
	values, err := u.values(ctx, r, dir)
	if err != nil {
		return err
	}
	args := []string{folder, "--values", values}
	if r.ID.Namespace != "" {
		args = append(args, "--namespace", r.ID.Namespace)
	}
	for _, file := range files {
		args = append(args, "--file", file)
	}
	if c.FailFast {
		args = append(args, "--failfast")
	}
	if c.DebugPlugin {
		args = append(args, "--debugPlugin")
	}
	args = append(args, strings.Fields(strings.Join(append([]string{c.Args}, u.fleet.spec.Files[r.File].HelmArgs.Args...), " "))...)
	return u.start.run(ctx, args, out)
}

// chart gives the folder of a chart: its own, where snapshots are kept, or one
// below dir for a chart that was downloaded or to which the release adds.
func (u unittests) chart(ctx context.Context, r spec.Release, dir string) (string, error) {
	if isFolder(r.Chart) && len(r.Customize.Dependencies) == 0 {
		own := folderOf(r.Chart)
		if _, err := os.Stat(filepath.Join(own, "Chart.yaml")); err == nil {
			return own, nil
		}
	}
	got, err := u.tools.chartOf(ctx, u.fleet, r)
	if err != nil {
		return "", err
	}
	return got.WriteTo(filepath.Join(dir, "chart"))
}

// values writes what the release gives its chart, sets included: on a command
// line everybody on the machine could read them.
func (u unittests) values(ctx context.Context, r spec.Release, dir string) (string, error) {
	values, err := u.fleet.spec.ValuesOf(ctx, r)
	if err != nil {
		return "", err
	}
	set, err := u.fleet.spec.SetOf(ctx, r)
	if err != nil {
		return "", err
	}
	if values, err = engine.WithSets(values, set); err != nil {
		return "", err
	}
	text, err := yaml.Marshal(values)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "values.yaml")
	return file, os.WriteFile(file, text, 0o600)
}

// testFiles makes patterns of unitTests: a folder stands for its *_test.yaml
// files. Source: UnittestReleases in pkg/state of helmfile.
func testFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		if !filepath.IsLocal(filepath.Clean(path)) {
			return nil, fmt.Errorf("unitTests: %q does not stay in the chart's folder", path)
		}
		lower := strings.ToLower(path)
		if !strings.ContainsAny(path, "*?[") && !strings.HasSuffix(lower, ".yaml") && !strings.HasSuffix(lower, ".yml") {
			path = strings.TrimRight(path, "/") + "/*_test.yaml"
		}
		files = append(files, path)
	}
	return files, nil
}
