package chart

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

// index is what index.yaml says: the versions of each chart, newest first.
// Large repositories have some ten megabytes of it, of which a run needs a few
// charts, so each chart is decoded when it is first asked for.
type index map[string]func() ([]indexed, error)

// indexed is one version of a chart. The rest of an entry is not read: it is
// most of the file, and the archive says it better.
type indexed struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

// parseIndex finds the charts of an index. What is not laid out as Helm and
// other programs write it is decoded as a whole.
func parseIndex(e endpoint, body []byte) (index, error) {
	text := body
	cut := &cutter{body: body, charts: map[string][]byte{}}
	split := cut.run()
	if split {
		text = cut.rest
	}
	var file struct {
		APIVersion string                     `json:"apiVersion"`
		Entries    map[string]json.RawMessage `json:"entries"`
	}
	if err := decode(text, &file); err != nil {
		return nil, failFor(ErrUnreachable, err, "%s is not a chart repository: its index.yaml cannot be read", e)
	}
	if file.APIVersion == "" {
		return nil, fail(ErrUnreachable, "%s is not a chart repository: its index.yaml has no apiVersion", e)
	}
	charts := index{}
	if split {
		for name, list := range cut.charts {
			charts[name] = sync.OnceValues(func() ([]indexed, error) { return decodeVersions(list) })
		}
		return charts, nil
	}
	for name, list := range file.Entries {
		charts[name] = sync.OnceValues(func() ([]indexed, error) { return decodeVersions(list) })
	}
	return charts, nil
}

func decode(text []byte, into any) error {
	if json.Valid(text) {
		return json.Unmarshal(text, into)
	}
	return yaml.Unmarshal(text, into)
}

func decodeVersions(list []byte) ([]indexed, error) {
	var entries []indexed
	if err := decode(list, &entries); err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e indexed) bool { return e.Version == "" || len(e.URLs) == 0 })
	slices.SortStableFunc(entries, func(a, b indexed) int { return newestFirst(a.Version, b.Version) })
	return entries, nil
}

// cutter cuts the charts out of an index by indentation: below entries:, each
// line that is indented as the first one and is no list item begins a chart.
type cutter struct {
	body   []byte
	charts map[string][]byte // what follows each chart's key
	rest   []byte            // the index without entries:

	inside bool // below entries:
	seen   bool
	depth  int    // indentation of charts
	name   string // chart that is being read; empty: none yet
	start  int    // where its list begins
}

// run reports whether all of the index is laid out so.
func (c *cutter) run() bool {
	end := 0
	for line := range bytes.Lines(c.body) {
		begin := end
		end += len(line)
		if !c.line(line, begin, end) {
			return false
		}
	}
	c.finish(len(c.body))
	return c.seen
}

func (c *cutter) line(line []byte, begin, end int) bool {
	text := bytes.TrimRight(line, " \r\n")
	bare := bytes.TrimLeft(text, " ")
	indent := len(text) - len(bare)
	if len(bare) == 0 || bare[0] == '#' {
		return true
	}
	if indent == 0 {
		c.finish(begin)
		c.inside = string(text) == "entries:"
		if !c.inside {
			c.rest = append(c.rest, line...)
			return true
		}
		again := c.seen
		c.seen = true
		return !again
	}
	if !c.inside {
		c.rest = append(c.rest, line...)
		return true
	}
	if c.depth == 0 {
		c.depth = indent
	}
	switch {
	case bare[0] == '\t', indent < c.depth:
		return false
	case indent > c.depth, bare[0] == '-':
		return c.name != ""
	}
	c.finish(begin)
	return c.begin(string(bare), end)
}

func (c *cutter) finish(end int) {
	if c.inside && c.name != "" {
		c.charts[c.name] = c.body[c.start:end]
	}
	c.name = ""
}

// begin reads a line that holds nothing but a plain or simply quoted key.
func (c *cutter) begin(line string, end int) bool {
	key, ok := strings.CutSuffix(line, ":")
	if !ok || key == "" {
		return false
	}
	if q := key[0]; (q == '"' || q == '\'') && len(key) > 2 && key[len(key)-1] == q {
		key = key[1 : len(key)-1]
	}
	_, twice := c.charts[key]
	c.name, c.start = key, end
	return !twice && key != "" && !strings.ContainsAny(key, " \"'\\:?&*!|>%@`{}[]#,")
}
