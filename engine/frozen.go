package engine

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	release "helm.sh/helm/v4/pkg/release/v1"

	"github.com/flotilla-sh/flotilla/state"
)

// ErrNotFrozen: what Helm was about to store is not what was rendered before.
// Nothing has been applied then.
var ErrNotFrozen = errors.New("the rendered documents do not survive as they are")

// errStream: the revision was not made by Render.
var errStream = errors.New("the stream does not have the form that Helm stores")

// freeze makes a chart that renders to exactly the documents of want: each
// template prints a file of the chart, so nothing in the documents is read as a
// template. It has no values, schema or dependencies that could still act.
func freeze(metadata *chartv2.Metadata, want *state.Revision) (*chartv2.Chart, error) {
	files, err := frozenFiles(want)
	if err != nil {
		return nil, err
	}
	head := *metadata
	head.Dependencies = nil
	frozen := &chartv2.Chart{Metadata: &head}
	add := func(template, content string) {
		file := fmt.Sprintf("frozen/%d", len(frozen.Templates))
		frozen.Files = append(frozen.Files, &common.File{Name: file, Data: []byte(content)})
		frozen.Templates = append(frozen.Templates, &common.File{
			Name: template, Data: fmt.Appendf(nil, "{{ .Files.Get %q }}", file),
		})
	}
	for _, source := range slices.Sorted(maps.Keys(files)) {
		add(relative(head.Name, source), files[source])
	}
	if want.Notes != "" {
		add(path.Join("templates", notesFile), want.Notes)
	}
	for i, crd := range want.CRDs {
		// The number keeps Helm's order, which is not the order of paths when
		// subcharts bring CRDs, too.
		name := fmt.Sprintf("crds/%04d/%s", i, crd.Path)
		frozen.Files = append(frozen.Files, &common.File{Name: name, Data: crd.Data})
	}
	return frozen, nil
}

// relative gives the template name that Helm turns into source. Helm joins it
// to the chart's name, which post-rendered documents do not have in front.
func relative(chartName, source string) string {
	if rest, ok := strings.CutPrefix(source, chartName+"/"); ok {
		return rest
	}
	return "../" + source
}

type document struct{ source, text string }

// frozenFiles gives the text of each source file again, from the documents of
// the stream and the hooks. Helm sorts documents by kind and keeps the order of
// equal ones, so the order in a file need not be the original one.
func frozenFiles(want *state.Revision) (map[string]string, error) {
	docs, err := documents(string(want.Stream))
	if err != nil {
		return nil, err
	}
	for _, h := range want.Hooks {
		docs = append(docs, document{source: h.Path, text: h.Manifest})
	}
	texts := map[string]*strings.Builder{}
	last := map[string]string{}
	for _, d := range docs {
		if texts[d.source] == nil {
			texts[d.source] = &strings.Builder{}
		}
		// A document without a newline at its end was the last of its file and
		// must stay there: a separator after it would add one.
		if !strings.HasSuffix(d.text, "\n") {
			last[d.source] += "---\n" + d.text
			continue
		}
		texts[d.source].WriteString("---\n" + d.text)
	}
	files := make(map[string]string, len(texts))
	for source, text := range texts {
		files[source] = text.String() + last[source]
	}
	return files, nil
}

// documents takes a stored manifest apart. No document has a line that starts
// with ---, because Helm separates documents there.
func documents(stream string) ([]document, error) {
	const head = "---\n# Source: "
	var docs []document
	for stream != "" {
		rest, ok := strings.CutPrefix(stream, head)
		if !ok {
			return nil, errStream
		}
		source, body, ok := strings.Cut(rest, "\n")
		if !ok {
			return nil, errStream
		}
		end := strings.Index(body, "\n"+head)
		if strings.HasPrefix(body, head) {
			return nil, errStream
		}
		text := body
		stream = ""
		if end >= 0 {
			text, stream = body[:end+1], body[end+1:]
		}
		text, ok = strings.CutSuffix(text, "\n")
		if !ok {
			return nil, errStream
		}
		docs = append(docs, document{source: source, text: text})
	}
	return docs, nil
}

// checkFrozen compares what Helm made of the frozen chart with what was wanted.
func checkFrozen(made *release.Release, want *state.Revision) error {
	if made.Manifest != string(want.Stream) {
		return fmt.Errorf("%w: the manifest differs", ErrNotFrozen)
	}
	same := slices.EqualFunc(made.Hooks, want.Hooks, func(h *release.Hook, w state.Hook) bool {
		return h.Path == w.Path && h.Manifest == w.Manifest && h.Weight == w.Weight
	})
	if !same {
		return fmt.Errorf("%w: the hooks differ", ErrNotFrozen)
	}
	return nil
}
