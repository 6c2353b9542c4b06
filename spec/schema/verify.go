package schema

import (
	"fmt"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// Verify is the key verify of a release. As a boolean it is helmfile's: whether
// the provenance of the chart is checked. A list are flotilla's own gates, and a
// map has both.
type Verify struct {
	Provenance *bool  `yaml:"provenance,omitempty"`
	Gates      []Gate `yaml:"gates,omitempty"`
}

// Group is one entry of groups: what holds for the releases that share an
// atomicGroup.
type Group struct {
	Pos    Pos    `yaml:"-"`
	Verify []Gate `yaml:"verify,omitempty"`
}

// Gate is one entry of verify. It has exactly one of HTTP, Prometheus, Test and
// Command.
type Gate struct {
	Pos        Pos               `yaml:"-"`
	Name       string            `yaml:"name,omitempty"`
	HTTP       *HTTPProbe        `yaml:"http,omitempty"`
	Prometheus *PrometheusQuery  `yaml:"prometheus,omitempty"`
	Test       *ChartTest        `yaml:"test,omitempty"`
	Command    Argv              `yaml:"command,omitempty"`
	Args       []string          `yaml:"args,omitempty"`
	Env        map[string]string `yaml:"env,omitempty"`
	ShowLogs   bool              `yaml:"showlogs,omitempty"`
	Within     *Duration         `yaml:"within,omitempty"`
	For        *Duration         `yaml:"for,omitempty"`
	Interval   *Duration         `yaml:"interval,omitempty"`
	Timeout    *Duration         `yaml:"timeout,omitempty"`
}

// HTTPProbe is a request and what its answer has to be.
type HTTPProbe struct {
	URL                   string            `yaml:"url,omitempty"`
	Method                string            `yaml:"method,omitempty"`
	Headers               map[string]string `yaml:"headers,omitempty"`
	Body                  string            `yaml:"body,omitempty"`
	Status                Names             `yaml:"status,omitempty"`
	Contains              string            `yaml:"contains,omitempty"`
	Matches               string            `yaml:"matches,omitempty"`
	CAFile                string            `yaml:"caFile,omitempty"`
	InsecureSkipTLSVerify bool              `yaml:"insecureSkipTLSVerify,omitempty"`
}

// PrometheusQuery is a query and what its values have to be.
type PrometheusQuery struct {
	URL                   string            `yaml:"url,omitempty"`
	Query                 string            `yaml:"query,omitempty"`
	Threshold             string            `yaml:"threshold,omitempty"`
	OnNoData              string            `yaml:"onNoData,omitempty"`
	Headers               map[string]string `yaml:"headers,omitempty"`
	CAFile                string            `yaml:"caFile,omitempty"`
	InsecureSkipTLSVerify bool              `yaml:"insecureSkipTLSVerify,omitempty"`
}

// ChartTest runs the tests of a chart; it may be written as true.
type ChartTest struct {
	Only []string `yaml:"only,omitempty"`
	Skip []string `yaml:"skip,omitempty"`
}

// Argv is a program with arguments. A single string is a program alone.
type Argv []string

// Duration is written as Go has it, 1m30s, or as a whole number of seconds.
type Duration time.Duration

// MarshalYAML prints the duration as Go has it.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// MarshalYAML prints the shortest form.
func (v Verify) MarshalYAML() (any, error) {
	switch {
	case len(v.Gates) == 0 && v.Provenance != nil:
		return *v.Provenance, nil
	case v.Provenance == nil:
		return v.Gates, nil
	default:
		return verifyForm(v), nil
	}
}

// MarshalYAML prints true where the test says nothing else.
func (t ChartTest) MarshalYAML() (any, error) {
	if len(t.Only)+len(t.Skip) == 0 {
		return true, nil
	}
	return chartTestForm(t), nil
}

// The map forms, without their own reader and writer.
type (
	verifyForm    Verify
	chartTestForm ChartTest
)

func (v *Verify) read(d *decoder, n *yaml.Node, field string) {
	n = Resolve(n)
	switch n.Kind {
	case yaml.SequenceNode:
		d.value(&v.Gates, n, field)
	case yaml.MappingNode:
		d.structure((*verifyForm)(v), n, field)
	default:
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && !isOldWord(n.Value) {
			d.wrong(n, field, "true or false (check the chart's provenance), or a list of gates")
			return
		}
		on := d.truth(n, field)
		v.Provenance = &on
	}
}

func isOldWord(text string) bool {
	for _, w := range oldWords() {
		if w == text {
			return true
		}
	}
	return false
}

func (t *ChartTest) read(d *decoder, n *yaml.Node, field string) {
	n = Resolve(n)
	if n.Kind == yaml.MappingNode {
		d.structure((*chartTestForm)(t), n, field)
		return
	}
	if !d.truth(n, field) {
		d.report(n, field, fmt.Errorf("false does nothing: leave the gate out"))
	}
}

func (a *Argv) read(d *decoder, n *yaml.Node, field string) {
	n = Resolve(n)
	if n.Kind == yaml.SequenceNode {
		for i, c := range n.Content {
			*a = append(*a, d.text(c, field+"["+strconv.Itoa(i)+"]"))
		}
		return
	}
	*a = Argv{d.text(n, field)}
}

func (d *Duration) read(from *decoder, n *yaml.Node, field string) {
	n = Resolve(n)
	text := from.text(n, field)
	parsed, err := time.ParseDuration(text)
	if seconds, wrong := strconv.Atoi(text); wrong == nil {
		parsed, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || parsed < 0 {
		if text != "" {
			from.report(n, field, fmt.Errorf("expected a duration such as 30s or 2m, found %q", text))
		}
		return
	}
	*d = Duration(parsed)
}
