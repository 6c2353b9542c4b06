package spec

import (
	"fmt"
	"maps"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// StateOf prints the final state of a file, as "build" shows it, with only the
// given releases.
func (s *Spec) StateOf(file int, releases []Release) ([]byte, error) {
	if s.loaded == nil || file < 0 || file >= len(s.loaded.files) {
		return nil, fmt.Errorf("there is no loaded file %d", file)
	}
	var raw []*schema.Release
	for _, r := range releases {
		if r.File == file && r.Index < len(s.loaded.releases) {
			raw = append(raw, s.loaded.releases[r.Index].raw)
		}
	}
	f := s.loaded.files[file].file
	return stateYAML(f, raw, f.env.merged())
}

func stateYAML(f *stateFile, releases []*schema.Release, merged map[string]any) ([]byte, error) {
	labelled := make([]schema.Release, 0, len(releases))
	for _, r := range releases {
		labelled = append(labelled, withLabels(r))
	}
	return stateText(f, labelled, merged)
}

// withLabels adds the labels that helmfile gives every release.
func withLabels(r *schema.Release) schema.Release {
	out := *r
	out.Labels = make(map[string]string, len(r.Labels)+3)
	maps.Copy(out.Labels, r.Labels)
	maps.Copy(out.Labels, builtinLabels(r.Name, r.Namespace, r.Chart))
	return out
}

func stateText(f *stateFile, releases []schema.Release, merged map[string]any) ([]byte, error) {
	st := f.state
	st.FilePath = filepath.Base(f.path)
	st.HelmBinary = orText(st.HelmBinary, "helm")
	st.KustomizeBinary = orText(st.KustomizeBinary, "kustomize")
	if st.Templates == nil {
		st.Templates = map[string]schema.Release{}
	}
	st.RenderedValues = merged
	st.Releases = releases
	return schema.Marshal(&st)
}
