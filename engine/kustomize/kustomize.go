// Package kustomize runs kustomize inside the process: it patches rendered
// documents and builds kustomizations that are used as charts.
//
// # Decisions
//
// A build starts no program and asks no network by itself. kustomize would call
// git and an HTTP client for remote resources; they are found before it sees
// them and are fetched by the caller's Fetch or refused. Plugins that are
// programs or containers are off, although helmfile passes the flag that allows
// them: a chart must not be able to run code. For charts inside of a
// kustomization (helmCharts) kustomize would start helm; they are rendered by the
// caller's Charts, and kustomize reads them as one more resource.
//
// Paths of a local kustomization may lead anywhere, as under helmfile
// (LoadRestrictionsNone); those of a fetched one stay inside what was fetched.
package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/spec"
)

var (
	// ErrBuild: kustomize cannot make anything of what it was given.
	ErrBuild = errors.New("kustomize")
	// ErrRefused: a kustomization asks for something that is not done here.
	ErrRefused = errors.New("not allowed in a kustomization")
)

// Builder runs one build at a time, because the schemas that kustomize works
// with belong to the process. The zero value is ready.
type Builder struct{ mu sync.Mutex }

// Object is one document of a build.
type Object struct {
	Kind string
	Name string
	Text []byte // ends with a newline
}

// Patch applies p to a stream of documents and gives what they become, in the
// order that kustomize build prints them in. A patch for an object that is not
// there is an error or nothing at all, as in kustomize. Objects that leave
// their name to the cluster (generateName) are patched, too, which kustomize
// alone cannot do.
func (b *Builder) Patch(ctx context.Context, docs []byte, p spec.Patches) ([]Object, error) {
	docs, err := named(docs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	files, err := patchFiles(docs, p)
	if err != nil {
		return nil, err
	}
	fs := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := fs.WriteFile("/"+name, text); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBuild, err)
		}
	}
	return b.run(ctx, fs, "/", types.LoadRestrictionsRootOnly)
}

const (
	resourcesFile     = "resources.yaml"
	kustomizationFile = "kustomization.yaml"
)

// patchFiles writes the kustomization that patches docs.
func patchFiles(docs []byte, p spec.Patches) (map[string][]byte, error) {
	files := map[string][]byte{resourcesFile: docs}
	top := map[string]any{"resources": []string{resourcesFile}}
	var patches []map[string]any
	var transformers []string
	for i, patch := range p.JSON {
		name := fmt.Sprintf("json-patch-%d.yaml", i)
		files[name] = patch.Text
		patches = append(patches, map[string]any{"path": name, "target": patch.Target})
	}
	for i, patch := range p.StrategicMerge {
		name := fmt.Sprintf("strategic-merge-patch-%d.yaml", i)
		files[name] = patch.Text
		patches = append(patches, map[string]any{"path": name})
	}
	for i, t := range p.Transformers {
		if err := refuseRemote(t.Text); err != nil {
			return nil, &spec.Error{Pos: t.Pos, Field: "transformers", Err: err}
		}
		name := fmt.Sprintf("transformer-%d.yaml", i)
		files[name] = t.Text
		maps.Copy(files, t.Files)
		transformers = append(transformers, name)
	}
	if len(patches) > 0 {
		top["patches"] = patches
	}
	if len(transformers) > 0 {
		top["transformers"] = transformers
	}
	text, err := yaml.Marshal(top)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	files[kustomizationFile] = text
	return files, nil
}

// Folder is a kustomization that is used as a chart.
type Folder struct {
	Dir     string // absolute
	Fetched bool   // it came from the network: its paths must stay inside of it
	// Overlay is what the release changes: images, namePrefix, nameSuffix and
	// namespace of kustomize, as the release's values say them.
	Overlay Overlay
	// Fetch brings what a go-getter URL names onto this machine and gives the
	// path; nil: a kustomization with remote resources is refused.
	Fetch func(ctx context.Context, url string) (path string, err error)
	// Charts renders the charts of a kustomization; nil: one that has any is
	// refused.
	Charts Charts
}

// Overlay is the part of a kustomization that a release may set.
type Overlay struct {
	Images     []types.Image `json:"images,omitempty"`
	NamePrefix string        `json:"namePrefix,omitempty"`
	NameSuffix string        `json:"nameSuffix,omitempty"`
	Namespace  string        `json:"namespace,omitempty"`

	SortOptions *types.SortOptions `json:"sortOptions,omitempty"`
}

// OverlayOf reads the keys of an Overlay in the values of a release; other keys
// are not looked at. Source: KustomizeOpts of github.com/helmfile/chartify.
func OverlayOf(values map[string]any) (Overlay, error) {
	var out Overlay
	text := func(m map[string]any, key string) string {
		if m[key] == nil {
			return ""
		}
		if n, ok := m[key].(float64); ok && n == math.Trunc(n) {
			return strconv.FormatFloat(n, 'f', -1, 64)
		}
		return fmt.Sprint(m[key])
	}
	out.NamePrefix, out.NameSuffix, out.Namespace = text(values, "namePrefix"), text(values, "nameSuffix"), text(values, "namespace")
	if sort, ok := values["sortOptions"].(map[string]any); ok {
		out.SortOptions = &types.SortOptions{Order: types.SortOrder(text(sort, "order"))}
	}
	if values["images"] == nil {
		return out, nil
	}
	images, ok := values["images"].([]any)
	if !ok {
		return out, fmt.Errorf("%w: the value images must be a list of images, it is a %T", ErrBuild, values["images"])
	}
	for i, e := range images {
		image, ok := e.(map[string]any)
		if !ok || text(image, "name") == "" {
			return out, fmt.Errorf("%w: the value images[%d] must be a map with name and newName, newTag or digest", ErrBuild, i)
		}
		out.Images = append(out.Images, types.Image{
			Name: text(image, "name"), NewName: text(image, "newName"), NewTag: text(image, "newTag"), Digest: text(image, "digest"),
		})
	}
	return out, nil
}

// IsKustomization reports whether a folder is one.
func IsKustomization(dir string) bool {
	return slices.ContainsFunc(konfig.RecognizedKustomizationFileNames(), func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && !info.IsDir()
	})
}

// Build gives the documents of a kustomization as one stream.
func (b *Builder) Build(ctx context.Context, f Folder) ([]byte, error) {
	fs, err := newFolder(ctx, f)
	if err != nil {
		return nil, err
	}
	objects, err := b.run(ctx, fs, fs.overlay, types.LoadRestrictionsNone)
	if err != nil {
		// What the folder itself refused comes back through kustomize without
		// its kind.
		return nil, errors.Join(fs.refusal, err)
	}
	var out bytes.Buffer
	for i, o := range objects {
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(o.Text)
	}
	return out.Bytes(), nil
}

func (b *Builder) run(ctx context.Context, fs filesys.FileSystem, dir string, restrictions types.LoadRestrictions) ([]Object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder, options.LoadRestrictions = krusty.ReorderOptionUnspecified, restrictions
	built, err := krusty.MakeKustomizer(options).Run(fs, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	return objects(built)
}

func objects(built resmap.ResMap) ([]Object, error) {
	out := make([]Object, 0, built.Size())
	for _, r := range built.Resources() {
		if err := unname(r); err != nil {
			return nil, fmt.Errorf("%w: writing %s: %w", ErrBuild, r.CurId(), err)
		}
		text, err := r.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("%w: writing %s: %w", ErrBuild, r.CurId(), err)
		}
		out = append(out, Object{Kind: r.GetKind(), Name: r.GetName(), Text: text})
	}
	return out, nil
}

// standIn is in the name of an object that has none while kustomize works.
const standIn = "name-that-the-cluster-generates"

func named(docs []byte) ([]byte, error) {
	if !bytes.Contains(docs, []byte("generateName")) {
		return docs, nil
	}
	nodes, err := kio.ParseAll(string(docs))
	if err != nil {
		return nil, err
	}
	for i, n := range nodes {
		metadata := n.Field("metadata")
		if metadata.IsNilOrEmpty() || !n.Field("metadata").Value.Field("name").IsNilOrEmpty() || metadata.Value.Field("generateName").IsNilOrEmpty() {
			continue
		}
		if err := n.SetName(fmt.Sprintf("%s-%d", standIn, i)); err != nil {
			return nil, err
		}
	}
	out, err := kio.StringAll(nodes)
	return []byte(out), err
}

func unname(r *resource.Resource) error {
	if !strings.Contains(r.GetName(), standIn) {
		return nil
	}
	return r.PipeE(kyaml.Get("metadata"), kyaml.Clear("name"))
}
