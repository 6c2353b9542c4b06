package engine

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/engine/kustomize"
	"github.com/flotilla-sh/flotilla/state"
)

// Chart gives the chart that a release is rendered from: that of its reference
// with the release's own dependencies or, where that is a folder of manifests
// or a kustomization, the chart that is made of it with the release's values.
func (e *Engine) Chart(ctx context.Context, in RenderInput) (*chart.Chart, error) {
	values, err := withSets(in.Values, in.Release.Set)
	if err == nil {
		var made madeChart
		if made, err = e.chart(ctx, in, values); err == nil {
			return made.Chart, nil
		}
	}
	return nil, fmt.Errorf("making the chart of %s: %w", in.Release.ID, err)
}

// madeChart is the chart of a release.
type madeChart struct {
	*chart.Chart
	ofFolder  bool   // there was none in the first place
	namespace string // for objects that name none; empty: they keep none
}

func (e *Engine) chart(ctx context.Context, in RenderInput, values map[string]any) (madeChart, error) {
	ref, added := in.Release.Chart, in.Release.Customize.Dependencies
	if len(added) > 0 {
		// Something is to be built in anyway. Source: chartify, which runs
		// helm dependency up although dependencies are to be skipped.
		ref.SkipDeps = false
	}
	found, err := e.opts.Charts.Get(ctx, ref)
	if err != nil {
		return madeChart{}, err
	}
	d := chart.Derivation{Dependencies: added}
	out := madeChart{Chart: found, ofFolder: found.Folder != "", namespace: in.Release.Customize.ForceNamespace}
	switch {
	case !out.ofFolder && len(added) == 0:
		return out, nil
	case !out.ofFolder:
	case kustomize.IsKustomization(found.Folder):
		d.Files, err = e.fromKustomization(ctx, in, found, values)
	default:
		if out.namespace == "" {
			out.namespace = in.Namespace
		}
		d.Files, err = fromManifests(ctx, in, out)
	}
	if err != nil {
		return madeChart{}, err
	}
	out.Chart, err = e.opts.Charts.Derive(ctx, found, ref, d)
	return out, err
}

// fromKustomization builds a kustomization with what the release's values and
// namespace say. Names and files are those of chartify.
func (e *Engine) fromKustomization(ctx context.Context, in RenderInput, found *chart.Chart, values map[string]any) (map[string][]byte, error) {
	overlay, err := kustomize.OverlayOf(values)
	if err != nil {
		return nil, err
	}
	if in.Namespace != "" {
		overlay.Namespace = in.Namespace
	}
	fetch := e.opts.Charts.Fetch
	if e.opts.NoExec {
		fetch = func(context.Context, string) (string, error) { return "", ErrNoExec }
	}
	docs, err := e.kustomize.Build(ctx, kustomize.Folder{
		Dir: found.Folder, Fetched: found.Fetched, Overlay: overlay, Fetch: fetch, Charts: inflation{e},
	})
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", found.Origin, err)
	}
	return synthesized(found, in, map[string][]byte{"kustomized.yaml": docs})
}

// fromManifests renders the templates of a folder and gives its objects the
// namespace of the release where they have none.
func fromManifests(ctx context.Context, in RenderInput, found madeChart) (map[string][]byte, error) {
	files, err := found.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !chart.IsTemplate(name) {
			continue
		}
		delete(files, name)
		if in.Template == nil {
			return nil, fmt.Errorf("%w: %s: templates of manifests are not rendered here", ErrChart, filepath.Join(found.Folder, name))
		}
		text, err := in.Template(ctx, found.Folder, filepath.Join(found.Folder, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		if made := strings.TrimSuffix(name, ".gotmpl"); chart.IsManifest(made) {
			files[made] = text
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := withNamespace(string(files[name]), found.namespace)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrChart, filepath.Join(found.Folder, name), err)
		}
		files[name] = []byte(text)
	}
	return synthesized(found.Chart, in, files)
}

// synthesized are the files of a chart whose templates only print manifests, so
// that nothing in them is read as a template.
func synthesized(found *chart.Chart, in RenderInput, manifests map[string][]byte) (map[string][]byte, error) {
	version := in.Release.Chart.Version
	if version == "" {
		version = "1.0.0"
	}
	head, err := yaml.Marshal(map[string]string{"apiVersion": "v2", "name": found.Name, "version": version})
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{"Chart.yaml": head}
	for name, text := range manifests {
		file := path.Join("files", "templates", name)
		out[file] = text
		out[path.Join("templates", name)] = fmt.Appendf(nil, "{{ .Files.Get %q }}", file)
	}
	return out, nil
}

// customizable is what a chart rendered.
type customizable struct {
	chart madeChart
	files map[string]string
	crds  []state.CRDFile
}

// customize does to rendered files, hooks included, what the release wants to
// have changed: a namespace where there is none, then patches. Source of the
// order: chartify.
func (e *Engine) customize(ctx context.Context, in RenderInput, c customizable) (map[string]string, []state.CRDFile, error) {
	if c.chart.namespace != "" {
		var err error
		if c, err = c.inNamespace(c.chart.namespace); err != nil {
			return nil, nil, err
		}
	}
	files := c.files
	if c.chart.ofFolder || c.chart.namespace != "" {
		files = c.flattened()
	}
	if in.Patches.Empty() {
		return files, c.crds, nil
	}
	var docs bytes.Buffer
	inTemplates := crdNames(files)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !isPartial(name) {
			appendDocuments(&docs, files[name])
		}
	}
	for _, crd := range c.crds {
		appendDocuments(&docs, string(crd.Data))
	}
	if docs.Len() == 0 {
		return files, c.crds, nil // kustomize refuses to patch nothing
	}
	objects, err := e.kustomize.Patch(ctx, docs.Bytes(), in.Patches)
	if err != nil {
		return nil, nil, fmt.Errorf("patching: %w", err)
	}
	return patched(c, objects, inTemplates)
}

// inNamespace gives objects that name no namespace this one.
func (c customizable) inNamespace(namespace string) (customizable, error) {
	files := make(map[string]string, len(c.files))
	for name, text := range c.files {
		if isPartial(name) {
			continue
		}
		var err error
		if files[name], err = withNamespace(text, namespace); err != nil {
			return c, fmt.Errorf("forcing namespace %s: %s: %w", namespace, name, err)
		}
	}
	crds := slices.Clone(c.crds)
	for i := range crds {
		text, err := withNamespace(string(crds[i].Data), namespace)
		if err != nil {
			return c, fmt.Errorf("forcing namespace %s: %s: %w", namespace, crds[i].Path, err)
		}
		crds[i].Data = []byte(text)
	}
	return customizable{chart: c.chart, files: files, crds: crds}, nil
}

// flattened puts the templates of dependencies below those of the chart, where
// they are in a chart that chartify made: it decides their order and what is
// shown as their source.
func (c customizable) flattened() map[string]string {
	name := c.chart.Name
	out := make(map[string]string, len(c.files))
	for file, text := range c.files {
		if rest, ok := strings.CutPrefix(file, name+"/charts/"); ok {
			file = path.Join(name, "templates", "charts", rest)
		}
		out[file] = text
	}
	return out
}

// patched puts documents back: CRDs of crds/ stay such, of which a chart has
// other expectations than of templates, and all else is of one file.
func patched(c customizable, objects []kustomize.Object, inTemplates map[string]bool) (map[string]string, []state.CRDFile, error) {
	var templates, crds bytes.Buffer
	for _, o := range objects {
		out := &templates
		if o.Kind == crdKind && len(c.crds) > 0 && !inTemplates[o.Name] {
			out = &crds
		}
		out.WriteString("---\n")
		out.Write(o.Text)
	}
	files := map[string]string{}
	if templates.Len() > 0 {
		files[path.Join(c.chart.Name, "templates", "patched_resources.yaml")] = templates.String()
	}
	if crds.Len() == 0 {
		return files, nil, nil
	}
	data := bytes.TrimPrefix(crds.Bytes(), []byte("---\n"))
	return files, []state.CRDFile{{Path: path.Join(c.chart.Name, "crds", "patched_crds.yaml"), Data: data}}, nil
}

const crdKind = "CustomResourceDefinition"

// crdNames lists the CRDs that templates render.
func crdNames(files map[string]string) map[string]bool {
	found := map[string]bool{}
	for _, text := range files {
		if !strings.Contains(text, crdKind) {
			continue
		}
		for _, doc := range releaseutil.SplitManifests(text) {
			var head struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(doc), &head); err == nil && head.Kind == crdKind {
				found[head.Metadata.Name] = true
			}
		}
	}
	return found
}

func isPartial(name string) bool { return strings.HasPrefix(path.Base(name), "_") }

// appendDocuments adds the documents of a file in their order.
func appendDocuments(to *bytes.Buffer, text string) {
	for _, doc := range documentsOf(text) {
		if to.Len() > 0 {
			to.WriteString("\n---\n")
		}
		to.WriteString(doc)
	}
}

// withNamespace gives the objects of a text a namespace where their metadata
// say none, those that belong to no namespace included, as chartify does: the
// API server overlooks it there.
func withNamespace(text, namespace string) (string, error) {
	if namespace == "" || strings.TrimSpace(text) == "" {
		return text, nil
	}
	// Lists stay what they are: Helm takes them apart later.
	reader := &kio.ByteReader{Reader: strings.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true}
	nodes, err := reader.Read()
	if err != nil {
		return "", err
	}
	for _, n := range nodes {
		metadata := n.Field("metadata")
		if metadata.IsNilOrEmpty() || metadata.Value.Field("namespace") != nil {
			continue
		}
		if err := metadata.Value.PipeE(kyaml.SetField("namespace", kyaml.NewStringRNode(namespace))); err != nil {
			return "", err
		}
	}
	return kio.StringAll(nodes)
}
