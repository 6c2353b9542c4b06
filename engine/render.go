package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	helmengine "helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/state"
)

// ErrChart: the chart and what is asked of it do not fit together.
var ErrChart = errors.New("chart cannot be used")

// RenderInput says what to render. Values are the merged file layers of the
// release, without its sets; they are not changed.
type RenderInput struct {
	Release spec.Release
	Values  map[string]any
	Have    state.Release // what is stored: decides whether this renders an install or an upgrade

	// Offline renders without a cluster, as helm template does: default
	// capabilities with Options.KubeVersion and APIVersions, and a lookup that
	// finds nothing.
	Offline bool
	// IncludeCRDs puts the files of crds/ in front of the stream, to be shown
	// and not to be installed: Install brings CRDs by itself.
	IncludeCRDs bool

	// Patches are those of the release, loaded.
	Patches spec.Patches
	// Namespace is the one that the state file says, which objects of a folder
	// of manifests get; empty: those without one keep none.
	Namespace string
	// Template renders a template that lies in a folder of manifests; nil: a
	// folder with templates is an error.
	Template func(ctx context.Context, dir, file string) ([]byte, error)
}

// Render gives the revision that Install or Upgrade is then asked to make. Its
// Stream is what Helm would store as the manifest. Errors name the release;
// template errors are Helm's own, with file and line of the chart.
func (e *Engine) Render(ctx context.Context, in RenderInput) (*state.Revision, error) {
	rev, err := e.render(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", in.Release.ID, err)
	}
	return rev, nil
}

func (e *Engine) render(ctx context.Context, in RenderInput) (*state.Revision, error) {
	r := in.Release
	values, err := withSets(in.Values, r.Set)
	if err != nil {
		return nil, err
	}
	stored, err := e.chart(ctx, in, values)
	if err != nil {
		return nil, err
	}
	loaded, err := stored.Load()
	if err != nil {
		return nil, err
	}
	var to *target
	if !in.Offline {
		if to, err = e.target(r.ID); err != nil {
			return nil, err
		}
	}
	if values, err = e.prepare(ctx, loaded, preparation{in: in, values: values, to: to}); err != nil {
		return nil, err
	}
	files, err := renderChart(ctx, loaded, values, rendering{in: in, to: to})
	if err != nil {
		return nil, err
	}
	rev := &state.Revision{
		Chart:  state.Chart{Name: stored.Name, Version: stored.Version, AppVersion: stored.AppVersion, Digest: stored.Digest},
		Values: values,
		Labels: recordLabels(in.Release),
		Notes:  takeNotes(files, loaded.Name()),
	}
	for _, crd := range loaded.CRDObjects() {
		rev.CRDs = append(rev.CRDs, state.CRDFile{Path: crd.Filename, Data: crd.File.Data})
	}
	if files, rev.CRDs, err = e.customize(ctx, in, customizable{chart: stored, files: files, crds: rev.CRDs}); err != nil {
		return nil, err
	}
	if files, err = e.postRender(ctx, r, files); err != nil {
		return nil, err
	}
	return rev, assemble(rev, files, in.IncludeCRDs)
}

// assemble sorts files into stream and hooks, as Helm does.
func assemble(rev *state.Revision, files map[string]string, includeCRDs bool) error {
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return err
	}
	var stream bytes.Buffer
	if includeCRDs {
		for _, crd := range rev.CRDs {
			fmt.Fprintf(&stream, "---\n# Source: %s\n%s\n", crd.Path, crd.Data)
		}
	}
	for _, m := range manifests {
		fmt.Fprintf(&stream, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	rev.Stream = stream.Bytes()
	for _, h := range hooks {
		rev.Hooks = append(rev.Hooks, toHook(h))
	}
	return nil
}

func toHook(h *release.Hook) state.Hook {
	out := state.Hook{Name: h.Name, Kind: h.Kind, Path: h.Path, Manifest: h.Manifest, Weight: h.Weight}
	for _, event := range h.Events {
		out.Events = append(out.Events, state.HookEvent(event))
	}
	for _, policy := range h.DeletePolicies {
		out.DeletePolicies = append(out.DeletePolicies, string(policy))
	}
	return out
}

// takeNotes removes all NOTES.txt from files and gives the chart's own.
func takeNotes(files map[string]string, chartName string) string {
	notes := files[path.Join(chartName, "templates", notesFile)]
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, notesFile) })
	return notes
}

const notesFile = "NOTES.txt"

func recordLabels(r spec.Release) map[string]string {
	labels := map[string]string{}
	if r.Options.SyncLabels {
		maps.Copy(labels, r.Labels)
	}
	maps.Copy(labels, r.Options.RecordLabels)
	if len(labels) == 0 {
		return nil
	}
	return labels
}

// rendering is what the templates of one chart see of the world.
type rendering struct {
	in RenderInput
	to *target // nil: offline
}

func renderChart(ctx context.Context, loaded *chartv2.Chart, values map[string]any, with rendering) (map[string]string, error) {
	r := with.in.Release
	caps, err := with.capabilities(ctx, loaded)
	if err != nil {
		return nil, err
	}
	// The test that Helm makes before it renders.
	if wanted := loaded.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, caps.KubeVersion.String()) {
		return nil, fmt.Errorf("%w: it requires kubeVersion %s which is incompatible with Kubernetes %s", ErrChart, wanted, caps.KubeVersion.Version)
	}
	options := common.ReleaseOptions{Name: r.ID.Name, Namespace: r.ID.Namespace, Revision: 1, IsInstall: true}
	if Upgrades(with.in.Have) {
		options.Revision, options.IsInstall, options.IsUpgrade = with.in.Have.Last().Number+1, false, true
	}
	if !r.Options.SkipSchemaValidation {
		if err := checkSchemas(loaded); err != nil {
			return nil, err
		}
	}
	top, err := util.ToRenderValuesWithSchemaValidation(loaded, values, options, caps, r.Options.SkipSchemaValidation)
	if err != nil {
		return nil, err
	}
	engine := helmengine.Engine{EnableDNS: r.Options.EnableDNS, CustomTemplateFuncs: tmpl.Bounded()}
	if with.to != nil {
		// Helm's own lookup makes a client and asks discovery at every call.
		engine.CustomTemplateFuncs["lookup"] = with.lookup(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longestRender, errTooLong)
	defer cancel()
	return execute(ctx, func() (map[string]string, error) { return engine.RenderWithContext(ctx, loaded, top) })
}

// Upgrades reports whether the next operation on a release is an upgrade, by
// the rule of helm upgrade --install: a release that is absent, or of which
// only history is left, is installed. A release whose uninstall was broken off
// is installed anew, too.
func Upgrades(have state.Release) bool {
	last := have.Last()
	return last != nil && last.Status != state.StatusUninstalled && last.Status != state.StatusUninstalling
}

func (w rendering) capabilities(ctx context.Context, loaded *chartv2.Chart) (*common.Capabilities, error) {
	options := w.in.Release.Options
	if w.to == nil {
		return offlineCapabilities(options)
	}
	caps, err := w.to.caps(ctx)
	if err != nil {
		return nil, err
	}
	// Helm installs crds/ before it looks at the cluster's capabilities.
	if !options.SkipCRDs && !Upgrades(w.in.Have) {
		if brought := crdVersions(loaded.CRDObjects()); len(brought) > 0 {
			caps.APIVersions = slices.Concat(caps.APIVersions, brought)
		}
	}
	return caps, nil
}

// offlineCapabilities are those of helm template.
func offlineCapabilities(options spec.Options) (*common.Capabilities, error) {
	caps := common.DefaultCapabilities.Copy()
	if options.KubeVersion != "" {
		version, err := common.ParseKubeVersion(options.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("parsing kubeVersion %q: %w", options.KubeVersion, err)
		}
		caps.KubeVersion = *version
	}
	caps.APIVersions = slices.Concat(caps.APIVersions, options.APIVersions)
	return caps, nil
}

// lookup is the template function of that name, on shared clients. What is not
// there gives an empty map and no error, as in Helm.
func (w rendering) lookup(ctx context.Context) func(apiVersion, kind, namespace, name string) (map[string]any, error) {
	return func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		client, namespaced, err := w.to.clientFor(apiVersion, kind)
		if err != nil {
			return map[string]any{}, err
		}
		var objects dynamic.ResourceInterface = client
		if namespaced && namespace != "" {
			objects = client.Namespace(namespace)
		}
		found, err := read(ctx, objects, name)
		switch {
		case apierrors.IsNotFound(err):
			return map[string]any{}, nil
		case err != nil:
			return map[string]any{}, fmt.Errorf("looking up %s %s: %w", kind, name, err)
		default:
			return found, nil
		}
	}
}

func read(ctx context.Context, objects dynamic.ResourceInterface, name string) (map[string]any, error) {
	if name == "" {
		list, err := objects.List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return list.UnstructuredContent(), nil
	}
	object, err := objects.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return object.UnstructuredContent(), nil
}
