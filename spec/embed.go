package spec

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// EmbeddedStateOf is StateOf with the content of values files, decrypted ones
// included, in place of their paths.
func (s *Spec) EmbeddedStateOf(ctx context.Context, file int, releases []Release) ([]byte, error) {
	if s.loaded == nil || file < 0 || file >= len(s.loaded.files) {
		return nil, fmt.Errorf("there is no loaded file %d", file)
	}
	var raw []*schema.Release
	var errs []error
	for _, r := range releases {
		if r.File != file || r.Index >= len(s.loaded.releases) {
			continue
		}
		full, err := s.embedded(ctx, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the values of release %s: %w", r.ID, err))
		}
		raw = append(raw, full)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f := s.loaded.files[file].file
	return stateYAML(f, raw, f.env.merged())
}

// embedded relies on Release.Values beginning with the entries of values and
// then those of secrets; what the command line adds comes after them.
func (s *Spec) embedded(ctx context.Context, r Release) (*schema.Release, error) {
	v, err := s.valuesReader(r)
	if err != nil {
		return nil, err
	}
	out := *s.loaded.releases[r.Index].raw
	out.Values, out.Secrets = slices.Clone(out.Values), slices.Clone(out.Secrets)
	entries := make([]*schema.Entry, 0, len(out.Values)+len(out.Secrets))
	for i := range out.Values {
		entries = append(entries, &out.Values[i])
	}
	for i := range out.Secrets {
		entries = append(entries, &out.Secrets[i])
	}
	var errs []error
	for i, entry := range entries {
		if _, isPath := entry.Value.(string); !isPath || i >= len(r.Values) {
			continue
		}
		content, err := v.layer(ctx, r.Values[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		entry.Value = content.values
	}
	return &out, errors.Join(errs...)
}

// StateWithCharts is StateOf with other charts, by the index of the release;
// labels keep the names of the old ones.
func (s *Spec) StateWithCharts(file int, releases []Release, charts map[int]string) ([]byte, error) {
	if s.loaded == nil || file < 0 || file >= len(s.loaded.files) {
		return nil, fmt.Errorf("there is no loaded file %d", file)
	}
	var raw []schema.Release
	for _, r := range releases {
		if r.File != file || r.Index >= len(s.loaded.releases) {
			continue
		}
		out := withLabels(s.loaded.releases[r.Index].raw)
		if chart, ok := charts[r.Index]; ok {
			out.Chart = chart
		}
		raw = append(raw, out)
	}
	f := s.loaded.files[file].file
	return stateText(f, raw, f.env.merged())
}
