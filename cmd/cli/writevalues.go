package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/spec"
)

type writeValuesCmd struct {
	concurrency
	overlay
	OutputFileTemplate string `placeholder:"TEMPLATE" help:"File of each release: a Go template with .State, .Release and .Environment as in template --output-dir-template. Default: FILE-HASH/RELEASE.yaml."`
}

const defaultValuesFile = "{{ .State.BaseName }}-{{ .State.AbsPathSHA1 }}/{{ .Release.Name }}.yaml"

// Run writes the merged values files of every release that is to be installed.
// As in helmfile, sets are not among them: they come on top when a chart is
// rendered.
func (c *writeValuesCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, request{over: c.overlay, limit: c.Concurrency, policy: spec.NeedsIgnore})
	if err != nil {
		return err
	}
	l := s.lifecycle(f.spec)
	return l.around(ctx, func() error {
		paths, err := c.paths(f)
		if err != nil {
			return err
		}
		errs := make([]error, len(f.releases))
		each(len(f.releases), f.at(fetches), func(i int) {
			if paths[i] != "" {
				errs[i] = c.write(ctx, f, f.releases[i], paths[i])
			}
		})
		for i, r := range f.releases {
			if paths[i] == "" || errs[i] != nil {
				continue
			}
			if err := s.tell("wrote " + paths[i]); err != nil {
				return err
			}
			errs = append(errs, l.Fire(ctx, spec.EventCleanup, r, nil))
		}
		return interrupted(ctx, errors.Join(errs...))
	})
}

// paths gives the file of each release, none for one that is not wanted.
func (c *writeValuesCmd) paths(f *fleet) ([]string, error) {
	paths := make([]string, len(f.releases))
	errs := make([]error, len(f.releases))
	taken := claims{}
	for i, r := range f.releases {
		if !r.Installed {
			continue
		}
		var err error
		paths[i], err = newPathData(f.spec.Files[r.File], r).path("--output-file-template", c.OutputFileTemplate, defaultValuesFile)
		if err == nil {
			err = taken.take(paths[i], r.ID)
		}
		if err != nil {
			errs[i] = fmt.Errorf("writing the values of %s: %w", r.ID, err)
		}
	}
	return paths, errors.Join(errs...)
}

func (c *writeValuesCmd) write(ctx context.Context, f *fleet, r spec.Release, path string) error {
	values, err := f.spec.ValuesOf(ctx, r)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(values)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the values of %s: %w", r.ID, err)
	}
	return nil
}
