package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

type templateCmd struct {
	overlay
	needsFlags
	IncludeCRDs          bool     `name:"include-crds" help:"Also print the CRDs of charts."`
	SkipTests            bool     `help:"Leave out test hooks."`
	NoHooks              bool     `help:"Leave out all hooks."`
	ShowOnly             []string `sep:"none" placeholder:"PATH" help:"Print only manifests that come from these templates, such as templates/service.yaml."`
	KubeVersion          string   `placeholder:"VERSION" help:"Kubernetes version that charts see."`
	SkipSchemaValidation bool     `help:"Do not check values against the chart's schema."`
	OutputDir            string   `placeholder:"DIR" help:"Write one file a template below this folder, in a folder a release, instead of stdout."`
}

// Run renders without a cluster, as helm template does: manifests first, then
// hooks.
func (c *templateCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, c.overlay, c.needsFlags)
	if err != nil {
		return interrupted(ctx, err)
	}
	for i := range f.releases {
		o := &f.releases[i].Options
		o.SkipSchemaValidation = o.SkipSchemaValidation || c.SkipSchemaValidation
		if c.KubeVersion != "" {
			o.KubeVersion = c.KubeVersion
		}
	}
	t := s.tools(f)
	return t.hooks.around(ctx, f.releases, func() error {
		want, err := t.desired(ctx, f, nil, engine.RenderInput{Offline: true, IncludeCRDs: c.IncludeCRDs})
		if err != nil {
			return err
		}
		for _, r := range byNeeds(f.releases) {
			if rev := want[r.ID]; rev != nil {
				if err := c.print(s, r, rev); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (c *templateCmd) print(s *session, r spec.Release, rev *state.Revision) error {
	docs, err := c.documents(rev)
	if err != nil {
		return fmt.Errorf("rendering %s: %w", r.ID, err)
	}
	if c.OutputDir != "" {
		return c.write(s, r, docs)
	}
	var b strings.Builder
	for _, d := range docs {
		b.WriteString(d.text)
	}
	return view.Text(s.env.Streams.Out, b.String())
}

// document is one YAML document of helm template's output: it begins with its
// separator and names its template.
type document struct{ source, text string }

func (c *templateCmd) documents(rev *state.Revision) ([]document, error) {
	docs := split(bytes.TrimSpace(rev.Stream))
	for _, h := range rev.Hooks {
		test := slices.Contains(h.Events, state.HookTest)
		if c.NoHooks || test && c.SkipTests {
			continue
		}
		docs = append(docs, document{h.Path, fmt.Sprintf("---\n# Source: %s\n%s\n", h.Path, h.Manifest)})
	}
	if len(c.ShowOnly) == 0 {
		return docs, nil
	}
	var kept []document
	var errs []error
	for _, want := range c.ShowOnly {
		before := len(kept)
		for _, d := range docs {
			_, inChart, _ := strings.Cut(d.source, "/")
			if ok, err := filepath.Match(want, inChart); err == nil && ok {
				kept = append(kept, d)
			}
		}
		if len(kept) == before {
			errs = append(errs, fmt.Errorf("no template %s in chart %s", want, rev.Chart.Name))
		}
	}
	return kept, errors.Join(errs...)
}

// split cuts a stored stream at its separators; each document keeps its own.
func split(stream []byte) []document {
	const separator, mark = "---\n", "# Source: "
	var docs []document
	for part := range bytes.SplitSeq(append([]byte("\n"), stream...), []byte("\n"+separator)) {
		if len(bytes.TrimSpace(part)) == 0 {
			continue
		}
		text := separator + string(part) + "\n"
		d := document{text: text}
		if rest, ok := strings.CutPrefix(text, separator+mark); ok {
			d.source, _, _ = strings.Cut(rest, "\n")
		}
		docs = append(docs, d)
	}
	return docs
}

// write puts documents into one file a template, below a folder a release whose
// name is helmfile's without the digest of the state file's path.
func (c *templateCmd) write(s *session, r spec.Release, docs []document) error {
	files := map[string]string{}
	var order []string
	for _, d := range docs {
		name := filepath.Join(c.OutputDir, filepath.FromSlash(strings.ReplaceAll(r.ID.String(), "/", "-")), filepath.FromSlash(filepath.Clean("/"+d.source)))
		if _, ok := files[name]; !ok {
			order = append(order, name)
		}
		files[name] += d.text
	}
	for _, name := range order {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("writing manifests: %w", err)
		}
		if err := os.WriteFile(name, []byte(files[name]), 0o600); err != nil {
			return fmt.Errorf("writing manifests: %w", err)
		}
		if err := view.Text(s.env.Streams.Out, "wrote "+name+"\n"); err != nil {
			return err
		}
	}
	return nil
}
