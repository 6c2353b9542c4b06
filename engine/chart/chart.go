package chart

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// Chart is one chart with its dependencies built in. It never changes and may
// be shared by goroutines.
type Chart struct {
	Name       string
	Version    string
	AppVersion string
	Digest     string // sha256:... over path and content of every file
	Origin     string // where it came from, without credentials, for people

	// Folder is set where there is no chart but an absolute folder of manifests
	// or a kustomization: a release makes a chart of it with Derive. Until then
	// it has no version, digest or files.
	Folder  string
	Fetched bool // Folder came from the network

	files  []*archive.BufferedFile // sorted by path, without times
	parsed *chartv2.Chart          // never handed out, only cloned
}

// newChart parses files, which it takes over.
func newChart(files []*archive.BufferedFile, origin string) (*Chart, error) {
	files = sorted(files)
	parsed, err := loader.LoadFiles(files)
	if err != nil {
		return nil, failFor(ErrInvalid, err, "loading chart from %s", origin)
	}
	sortDependencies(parsed)
	return &Chart{
		Name:       parsed.Metadata.Name,
		Version:    parsed.Metadata.Version,
		AppVersion: parsed.Metadata.AppVersion,
		Digest:     digestFiles(files),
		Origin:     origin,
		files:      files,
		parsed:     parsed,
	}, nil
}

// Load gives a chart of its own to each caller, because Helm changes the charts
// it works with. Only the bytes of files are shared: they must not be written
// to.
func (c *Chart) Load() (*chartv2.Chart, error) {
	if c.Folder != "" {
		return nil, c.noChart()
	}
	return clone(c.parsed), nil
}

// Archive packs the chart, dependencies included, as a .tgz that Helm and
// Store.Import read. Equal charts give equal bytes.
func (c *Chart) Archive() ([]byte, error) {
	if c.Folder != "" {
		return nil, c.noChart()
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	pack := tar.NewWriter(zip)
	for _, f := range c.files {
		head := &tar.Header{Name: c.Name + "/" + f.Name, Mode: 0o644, Size: int64(len(f.Data)), Format: tar.FormatPAX}
		if err := pack.WriteHeader(head); err != nil {
			return nil, fmt.Errorf("packing chart %s: %w", c.Name, err)
		}
		if _, err := pack.Write(f.Data); err != nil {
			return nil, fmt.Errorf("packing chart %s: %w", c.Name, err)
		}
	}
	if err := pack.Close(); err != nil {
		return nil, fmt.Errorf("packing chart %s: %w", c.Name, err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("packing chart %s: %w", c.Name, err)
	}
	return out.Bytes(), nil
}

func (c *Chart) noChart() error {
	return fail(ErrInvalid, "%s is a folder of manifests and no chart: it has no Chart.yaml", c.Origin)
}

// sorted copies files without their times: the digest and what is stored in a
// release must not depend on a checkout's clock.
func sorted(files []*archive.BufferedFile) []*archive.BufferedFile {
	out := make([]*archive.BufferedFile, len(files))
	for i, f := range files {
		out[i] = &archive.BufferedFile{Name: f.Name, Data: f.Data}
	}
	slices.SortStableFunc(out, func(a, b *archive.BufferedFile) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// digestFiles expects sorted files. Lengths frame each part, so no two lists of
// files run into the same bytes.
func digestFiles(files []*archive.BufferedFile) string {
	sum := sha256.New()
	for _, f := range files {
		fmt.Fprintf(sum, "%d:%s%d:", len(f.Name), f.Name, len(f.Data))
		sum.Write(f.Data)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// sortDependencies orders subcharts, which Helm's loader leaves in the order of
// a map.
func sortDependencies(c *chartv2.Chart) {
	deps := slices.Clone(c.Dependencies())
	slices.SortStableFunc(deps, func(a, b *chartv2.Chart) int {
		return cmp.Or(strings.Compare(a.Name(), b.Name()), strings.Compare(a.Metadata.Version, b.Metadata.Version))
	})
	for _, d := range deps {
		sortDependencies(d)
	}
	c.SetDependencies(deps...)
}

func clone(c *chartv2.Chart) *chartv2.Chart {
	out := new(chartv2.Chart)
	*out = *c
	out.Raw = cloneFiles(c.Raw)
	out.Templates = cloneFiles(c.Templates)
	out.Files = cloneFiles(c.Files)
	out.Values, _ = cloneValue(c.Values).(map[string]any)
	out.Metadata = cloneMetadata(c.Metadata)
	if c.Lock != nil {
		lock := *c.Lock
		lock.Dependencies = clonePointers(c.Lock.Dependencies, cloneDependency)
		out.Lock = &lock
	}
	deps := make([]*chartv2.Chart, 0, len(c.Dependencies()))
	for _, d := range c.Dependencies() {
		deps = append(deps, clone(d))
	}
	out.SetDependencies(deps...)
	return out
}

func cloneMetadata(m *chartv2.Metadata) *chartv2.Metadata {
	out := *m
	out.Sources = slices.Clone(m.Sources)
	out.Keywords = slices.Clone(m.Keywords)
	out.Annotations = maps.Clone(m.Annotations)
	out.Maintainers = clonePointers(m.Maintainers, func(p chartv2.Maintainer) chartv2.Maintainer { return p })
	out.Dependencies = clonePointers(m.Dependencies, cloneDependency)
	return &out
}

func cloneDependency(d chartv2.Dependency) chartv2.Dependency {
	d.Tags = slices.Clone(d.Tags)
	if d.ImportValues != nil {
		d.ImportValues, _ = cloneValue(d.ImportValues).([]any)
	}
	return d
}

func clonePointers[T any](in []*T, copied func(T) T) []*T {
	if in == nil {
		return nil
	}
	values := make([]T, len(in))
	out := make([]*T, len(in))
	for i, p := range in {
		values[i] = copied(*p)
		out[i] = &values[i]
	}
	return out
}

func cloneFiles(in []*common.File) []*common.File {
	return clonePointers(in, func(f common.File) common.File { return f })
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = cloneValue(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = cloneValue(e)
		}
		return out
	default:
		return v
	}
}
