package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/postrenderer"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/program"
)

// ErrPostRenderer: the post-renderer could not be run, or what it gave cannot
// be used.
var ErrPostRenderer = errors.New("post-renderer")

// ErrNoExec: a program would have to be started, which Options.NoExec forbids.
var ErrNoExec = errors.New("programs may not be started in this run (--no-exec)")

// sourceAnnotation carries the template's path through a post-renderer. The
// name is Helm's (pkg/action/action.go), because post-renderers may know it.
const sourceAnnotation = "postrenderer.helm.sh/postrender-filename"

// postRender sends all documents, hooks included, as one stream through the
// release's post-renderer, which is Helm 4's way by default.
func (e *Engine) postRender(ctx context.Context, r spec.Release, files map[string]string) (map[string]string, error) {
	options := r.Options
	if options.PostRenderer == "" {
		return files, nil
	}
	if e.opts.NoExec {
		return nil, fmt.Errorf("%w %s: %w", ErrPostRenderer, options.PostRenderer, ErrNoExec)
	}
	in, err := merge(files)
	if err != nil {
		return nil, err
	}
	out, err := runPostRenderer(ctx, r, in)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrPostRenderer, options.PostRenderer, err)
	}
	rendered, err := split(out)
	if err != nil {
		return nil, fmt.Errorf("%w %s: parsing its output: %w", ErrPostRenderer, options.PostRenderer, err)
	}
	return rendered, nil
}

func merge(files map[string]string) (string, error) {
	var all []*kyaml.RNode
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if isPartial(name) {
			continue
		}
		for _, doc := range documentsOf(files[name]) {
			nodes, err := kio.ParseAll(doc)
			if err != nil {
				return "", fmt.Errorf("parsing %s: %w", name, err)
			}
			for _, node := range nodes {
				if err := node.PipeE(kyaml.SetAnnotation(sourceAnnotation, name)); err != nil {
					return "", fmt.Errorf("annotating %s: %w", name, err)
				}
			}
			all = append(all, nodes...)
		}
	}
	return kio.StringAll(all)
}

// documentsOf takes a rendered file apart as Helm does, in order.
func documentsOf(text string) []string {
	docs := releaseutil.SplitManifests(text)
	keys := slices.Collect(maps.Keys(docs))
	slices.SortFunc(keys, func(a, b string) int {
		order := releaseutil.BySplitManifestsOrder{a, b}
		if order.Less(0, 1) {
			return -1
		}
		return 1
	})
	out := make([]string, 0, len(keys))
	for _, key := range keys {
		out = append(out, docs[key])
	}
	return out
}

// split gives each document back to the file that it came from. New documents
// get the names that Helm gives them.
func split(stream string) (map[string]string, error) {
	nodes, err := kio.ParseAll(stream)
	if err != nil {
		return nil, err
	}
	byFile := map[string][]*kyaml.RNode{}
	for i, node := range nodes {
		name := node.GetAnnotations()[sourceAnnotation]
		if name == "" {
			name = fmt.Sprintf("generated-by-postrender-%d.yaml", i)
		}
		if err := node.PipeE(kyaml.ClearAnnotation(sourceAnnotation)); err != nil {
			return nil, fmt.Errorf("document %d: %w", i, err)
		}
		byFile[name] = append(byFile[name], node)
	}
	files := make(map[string]string, len(byFile))
	for name, docs := range byFile {
		if files[name], err = kio.StringAll(docs); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return files, nil
}

// runPostRenderer starts a Helm 4 plugin of that name or, as Helm 3 did, an
// executable, whose relative path starts at the folder of the state file. The
// path of a shell script names the plugin that took its place with Helm 4, as
// in helmfile (appendPostRenderFlags), and the script where there is no such
// plugin.
func runPostRenderer(ctx context.Context, r spec.Release, in string) (string, error) {
	name, args := r.Options.PostRenderer, r.Options.PostRendererArgs
	isPath := strings.ContainsAny(name, `/\`)
	plugin := name
	if ext := filepath.Ext(name); ext == ".sh" || ext == ".bash" {
		plugin = strings.TrimSuffix(filepath.Base(name), ext)
	}
	var noPlugin error
	if !isPath || plugin != name {
		found, err := postrenderer.NewPostRendererPlugin(cli.New(), plugin, args...)
		if err == nil {
			return runPlugin(ctx, called{found, plugin, args}, in)
		}
		noPlugin = err
	}
	if isPath && !filepath.IsAbs(name) {
		name = filepath.Join(r.Chart.Dir, name)
	}
	program, err := exec.LookPath(name)
	switch {
	case err != nil && noPlugin != nil:
		return "", fmt.Errorf("neither a plugin (%w) nor a program: %w", noPlugin, err)
	case err != nil:
		return "", err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = r.Chart.Dir
	return runProgram(ctx, cmd, in)
}

// called is a plugin and what it is started with.
type called struct {
	found postrenderer.PostRenderer
	name  string
	args  []string
}

// runPlugin starts a plugin that is a program itself, because Helm does that
// without a context. One of another kind (WebAssembly) runs inside of this
// process; nobody waits for it any more when ctx ends.
func runPlugin(ctx context.Context, p called, in string) (string, error) {
	own := program.FindPlugin(os.LookupEnv, p.name)
	if own != nil && own.Runs("postrenderer/v1") {
		cmd, err := own.Command(ctx, p.args...)
		if err != nil {
			return "", err
		}
		return runProgram(ctx, cmd, in)
	}
	type outcome struct {
		out *bytes.Buffer
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		out, err := p.found.Run(bytes.NewBufferString(in))
		done <- outcome{out, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return "", o.err
		}
		return o.out.String(), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func runProgram(ctx context.Context, cmd *exec.Cmd, in string) (string, error) {
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &complaints
	if err := program.Run(ctx, cmd, program.Grace); err != nil {
		return "", fmt.Errorf("running it: %w: %s", err, lastLines(complaints.String(), 10))
	}
	if strings.TrimSpace(out.String()) == "" {
		return "", errors.New("it gave no output")
	}
	return out.String(), nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
