package chart

import (
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// remember notes what was built for a chart folder.
func (s *Store) remember(c content, built *Chart) error {
	if c.dir == "" {
		return nil
	}
	return s.disk.resolve(builtKey(c), resolution{Digest: built.Digest})
}

// builtBefore adds the dependencies that an earlier run built for a folder
// whose declarations have not changed; missing is the error if there are none.
func (s *Store) builtBefore(c content, missing error) ([]*archive.BufferedFile, error) {
	if c.dir == "" {
		return nil, missing
	}
	known, err := s.disk.resolved(builtKey(c))
	if err != nil {
		return nil, err
	}
	if known.Digest == "" {
		return nil, missing
	}
	built, err := s.Open(known.Digest)
	if err != nil {
		return nil, missing // the cache was emptied
	}
	files := slices.DeleteFunc(slices.Clone(c.files), func(f *archive.BufferedFile) bool { return strings.HasPrefix(f.Name, "charts/") })
	for _, f := range built.files {
		if strings.HasPrefix(f.Name, "charts/") {
			files = append(files, f)
		}
	}
	return files, nil
}

// builtKey is about a folder and what it declares.
func builtKey(c content) string {
	parts := []string{"built", filepath.Clean(c.dir)}
	for _, f := range c.files {
		switch f.Name {
		case "Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock":
			parts = append(parts, f.Name, digestBytes(f.Data))
		}
	}
	return keyOf(parts...)
}
