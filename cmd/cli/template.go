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
	concurrency
	overlay
	needsFlags
	rawArgs
	templateFlags
	outputDirs
	idleCleanup
	IncludeCRDs bool     `name:"include-crds" help:"Also print the CRDs of charts."`
	SkipTests   bool     `help:"Leave out test hooks."`
	NoHooks     bool     `help:"Leave out all hooks."`
	ShowOnly    []string `sep:"none" placeholder:"PATH" help:"Print only manifests that come from these templates, such as templates/service.yaml."`
	KubeVersion string   `placeholder:"VERSION" help:"Kubernetes version that charts see."`
	Validate    bool     `help:"Render with the cluster's capabilities and objects; --args=--dry-run=server does the same."`
}

// Run renders as helm template does: manifests first, then hooks; without a
// cluster unless a flag asks for one.
func (c *templateCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, request{
		over: c.overlay, needs: c.needsFlags, limit: c.Concurrency,
		helm: helmFlags{template: c.templateFlags},
		raw:  helmText{args: c.Args, template: c.TemplateArgs, heeds: []helmList{listTemplate}},
	})
	if err != nil {
		return err
	}
	if c.KubeVersion != "" {
		for i := range f.releases {
			f.releases[i].Options.KubeVersion = c.KubeVersion
		}
	}
	t := s.tools(f)
	if f, err = c.connect(t, f); err != nil {
		return err
	}
	written := claims{}
	return t.around(ctx, f, func(f *fleet) error {
		defer t.tidy(ctx, f.byNeeds())
		want, err := t.desired(ctx, f, nil, engine.RenderInput{Offline: true, IncludeCRDs: c.IncludeCRDs})
		if err != nil {
			return err
		}
		for _, r := range f.byNeeds() {
			if rev := want[r.ID]; rev != nil {
				if err := c.print(output{session: s, fleet: f, written: written}, r, rev); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// connect finds the clusters of the releases if one of them is to be rendered
// with the help of its cluster.
func (c *templateCmd) connect(t *tools, f *fleet) (*fleet, error) {
	asked := false
	for i := range f.calls {
		f.calls[i].server = f.calls[i].server || c.Validate
		asked = asked || f.calls[i].server
	}
	if !asked {
		return f, nil
	}
	return f.bind(t)
}

// output is where a run prints the manifests of its releases.
type output struct {
	session *session
	fleet   *fleet
	written claims
}

func (c *templateCmd) print(o output, r spec.Release, rev *state.Revision) error {
	docs, err := c.with(o.fleet.calls[r.File]).documents(rev)
	if err != nil {
		return fmt.Errorf("rendering %s: %w", r.ID, err)
	}
	if c.wanted() {
		dir, err := c.dirOf(o.fleet.spec.Files[r.File], o.fleet.declared(r))
		if err != nil {
			return fmt.Errorf("writing the manifests of %s: %w", r.ID, err)
		}
		return o.write(dir, r, docs)
	}
	var b strings.Builder
	for _, d := range docs {
		b.WriteString(d.text)
	}
	return view.Text(o.session.env.Streams.Out, b.String())
}

// document is one YAML document of helm template's output: it begins with its
// separator and names its template.
type document struct{ source, text string }

// choice says which documents of a release are printed.
type choice struct {
	noHooks   bool
	skipTests bool
	showOnly  []string
}

func (c *templateCmd) with(call helmCall) choice {
	return choice{c.NoHooks || call.noHooks, c.SkipTests || call.skipTests, append(slices.Clip(c.ShowOnly), call.showOnly...)}
}

func (c choice) documents(rev *state.Revision) ([]document, error) {
	docs := split(bytes.TrimSpace(rev.Stream))
	for _, h := range rev.Hooks {
		test := slices.Contains(h.Events, state.HookTest)
		if c.noHooks || test && c.skipTests {
			continue
		}
		docs = append(docs, document{h.Path, fmt.Sprintf("---\n# Source: %s\n%s\n", h.Path, h.Manifest)})
	}
	if len(c.showOnly) == 0 {
		return docs, nil
	}
	var kept []document
	var errs []error
	for _, want := range c.showOnly {
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

// write puts documents into one file a template below dir.
func (o output) write(dir string, r spec.Release, docs []document) error {
	files := map[string]string{}
	var order []string
	for _, d := range docs {
		name := filepath.Join(dir, filepath.FromSlash(filepath.Clean("/"+d.source)))
		if _, ok := files[name]; !ok {
			order = append(order, name)
		}
		files[name] += d.text
	}
	for _, name := range order {
		if err := o.written.take(name, r.ID); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("writing manifests: %w", err)
		}
		if err := os.WriteFile(name, []byte(files[name]), 0o600); err != nil {
			return fmt.Errorf("writing manifests: %w", err)
		}
		if err := o.session.tell("wrote " + name); err != nil {
			return err
		}
	}
	return nil
}
