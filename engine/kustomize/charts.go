package kustomize

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"
	"sigs.k8s.io/yaml"
)

// Charts renders the charts of a kustomization (helmCharts), for which
// kustomize itself would start a helm binary.
type Charts interface {
	// Defaults gives the chart's own values.
	Defaults(ctx context.Context, c Chart) (map[string]any, error)
	// Template gives what helm template prints for the chart.
	Template(ctx context.Context, c Chart) ([]byte, error)
}

// Chart is one entry of helmCharts.
type Chart struct {
	Name    string
	Dir     string // absolute folder of a chart that is there already; empty: it is fetched
	Repo    string // URL of a repository, or oci://...
	Version string
	Devel   bool

	ReleaseName string
	Namespace   string
	Values      map[string]any // above the chart's own

	IncludeCRDs bool
	SkipHooks   bool
	SkipTests   bool
	APIVersions []string
	KubeVersion string
}

// charts renders the charts of a kustomization in dir and puts what they give
// behind its resources. Source of the rules: HelmChartInflationGenerator of
// kustomize; a release without a name is called release-name, where helm would
// take the time of day.
func (f *folder) charts(dir string, k map[string]any) error {
	var head struct {
		HelmGlobals types.HelmGlobals `json:"helmGlobals"`
		HelmCharts  []types.HelmChart `json:"helmCharts"`
		Namespace   string            `json:"namespace"`
	}
	text, err := yaml.Marshal(k)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("helmCharts: %w", err)
	}
	delete(k, "helmCharts")
	delete(k, "helmGlobals")
	resources, _ := k["resources"].([]any)
	for i, entry := range head.HelmCharts {
		if entry.Namespace == "" {
			entry.Namespace = head.Namespace
		}
		if entry.Namespace == "" {
			entry.Namespace = f.namespaces[dir]
		}
		text, err := f.chart(dir, head.HelmGlobals, entry)
		if err != nil {
			return fmt.Errorf("helmCharts[%d]: %s: %w", i, entry.Name, err)
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue // kustomize takes no empty file
		}
		name := fmt.Sprintf(".helm-chart-%d.yaml", i)
		f.made[filepath.Join(dir, name)] = text
		resources = append(resources, name)
	}
	k["resources"] = resources
	return nil
}

// handDown notes the namespace for the charts of the kustomizations among the
// resources of the one in dir. kustomize reads the parent first.
func (f *folder) handDown(dir string, k map[string]any) {
	namespace, _ := k["namespace"].(string)
	if namespace == "" {
		namespace = f.namespaces[dir]
	}
	if namespace == "" || f.namespaces == nil {
		return
	}
	for _, key := range resourceKeys {
		list, _ := k[key].([]any)
		for _, e := range list {
			entry, _ := e.(string)
			if !filepath.IsAbs(entry) {
				entry = filepath.Join(dir, entry)
			}
			if real, err := filepath.EvalSymlinks(entry); err == nil && f.namespaces[real] == "" {
				f.namespaces[real] = namespace
			}
		}
	}
}

func (f *folder) chart(dir string, globals types.HelmGlobals, entry types.HelmChart) ([]byte, error) {
	if entry.Name == "" || strings.ContainsAny(entry.Name, `\:`) || !filepath.IsLocal(entry.Name) {
		return nil, fmt.Errorf("%q is no name of a chart", entry.Name)
	}
	c := Chart{
		Name: entry.Name, Repo: entry.Repo, Version: entry.Version, Devel: entry.Devel,
		ReleaseName: entry.ReleaseName, Namespace: entry.Namespace,
		IncludeCRDs: entry.IncludeCRDs, SkipHooks: entry.SkipHooks, SkipTests: entry.SkipTests,
		APIVersions: entry.ApiVersions, KubeVersion: entry.KubeVersion,
	}
	if c.ReleaseName == "" {
		c.ReleaseName = "release-name"
	}
	home := globals.ChartHome
	if home == "" {
		home = types.HelmDefaultHome
	}
	if !filepath.IsAbs(home) {
		home = filepath.Join(dir, home)
	}
	if entry.Version != "" && entry.Repo != "" {
		home = filepath.Join(home, entry.Name+"-"+entry.Version)
	}
	local := filepath.Join(home, entry.Name)
	if info, err := os.Stat(local); err == nil && info.IsDir() {
		c.Dir = local
		if err := f.inside(dir, local); err != nil {
			return nil, err
		}
	} else if entry.Repo == "" {
		return nil, fmt.Errorf("there is no chart at %s and no repo to fetch it from", local)
	}
	var err error
	if c.Values, err = f.chartValues(dir, c, entry); err != nil {
		return nil, err
	}
	text, err := f.inflate.Template(f.ctx, c)
	if err != nil {
		return nil, err
	}
	return marked(text)
}

// chartValues are those of the values file and valuesInline, joined as
// valuesMerge says, then those of the additional files.
func (f *folder) chartValues(dir string, c Chart, entry types.HelmChart) (map[string]any, error) {
	merge := entry.ValuesMerge
	if merge == "" {
		merge = "override"
	}
	if !slices.Contains([]string{"merge", "override", "replace"}, merge) {
		return nil, fmt.Errorf("valuesMerge is %q, expected merge, override or replace", merge)
	}
	values := entry.ValuesInline
	if len(values) == 0 || merge != "replace" {
		base, err := f.baseValues(dir, c, entry.ValuesFile)
		if err != nil {
			return nil, err
		}
		if values, err = mergedValues(base, entry.ValuesInline, merge); err != nil {
			return nil, err
		}
	}
	for _, file := range entry.AdditionalValuesFiles {
		more, err := f.valuesFile(dir, file)
		if err != nil {
			return nil, err
		}
		values = overlaid(values, more)
	}
	return values, nil
}

func (f *folder) baseValues(dir string, c Chart, file string) (map[string]any, error) {
	if file != "" {
		return f.valuesFile(dir, file)
	}
	return f.inflate.Defaults(f.ctx, c)
}

func (f *folder) valuesFile(dir, file string) (map[string]any, error) {
	if isURL(file) {
		return nil, fmt.Errorf("%s: remote files: %w", redact(file), ErrRefused)
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	if err := f.inside(dir, file); err != nil {
		return nil, err
	}
	data, err := f.read(file)
	if err != nil {
		return nil, err
	}
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("reading %s: it is no map of values", file)
	}
	return values, nil
}

// mergedValues joins with kustomize's own merge.
func mergedValues(base, inline map[string]any, merge string) (map[string]any, error) {
	if len(inline) == 0 {
		return base, nil
	}
	source, target := inline, base
	if merge == "merge" {
		source, target = base, inline
	}
	from, err := kyaml.FromMap(source)
	if err != nil {
		return nil, err
	}
	to, err := kyaml.FromMap(target)
	if err != nil {
		return nil, err
	}
	out, err := merge2.Merge(from, to, kyaml.MergeOptions{})
	if err != nil {
		return nil, err
	}
	return out.Map()
}

// overlaid is the merge of Helm's values files.
func overlaid(base, more map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range more {
		below, isMap := out[key].(map[string]any)
		if above, both := value.(map[string]any); isMap && both {
			value = overlaid(below, above)
		}
		out[key] = value
	}
	return out
}

// marked gives documents the mark by which kustomize knows objects of charts.
func marked(text []byte) ([]byte, error) {
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true}).Read()
	if err != nil {
		return nil, fmt.Errorf("reading what the chart renders: %w", err)
	}
	for _, n := range nodes {
		if err := n.PipeE(kyaml.SetAnnotation(konfig.HelmGeneratedAnnotation, "true")); err != nil {
			return nil, err
		}
	}
	out, err := kio.StringAll(nodes)
	return []byte(out), err
}
