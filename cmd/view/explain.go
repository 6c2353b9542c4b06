package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flotilla-sh/flotilla/spec"
)

// Explanation tells where the values of a release come from. Masked values are
// spec.Masked.
type Explanation struct {
	Release     spec.ReleaseID
	Chart       string
	Environment string
	Values      []ExplainedValue
}

// ExplainedValue is one value, with what says it.
type ExplainedValue struct {
	Path      string       `json:"path"`
	Value     any          `json:"value"`
	Deleted   bool         `json:"deleted,omitempty"` // a null took it away
	From      *ValueOrigin `json:"from,omitempty"`    // nil: Helm itself made it
	Overrides []Overridden `json:"overrides,omitempty"`
}

// ValueOrigin is a layer and a place in it.
type ValueOrigin struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Layer    string `json:"layer"`
	Template string `json:"template,omitempty"` // of the state file
	Chart    string `json:"chart,omitempty"`
	Path     string `json:"path,omitempty"` // in that layer, where it is another one
}

// Overridden is what a lower layer says.
type Overridden struct {
	Value any `json:"value"`
	ValueOrigin
}

type jsonExplanation struct {
	Type        string           `json:"type"`
	Schema      string           `json:"schema"`
	Release     jsonID           `json:"release"`
	Chart       string           `json:"chart"`
	Environment string           `json:"environment"`
	Values      []ExplainedValue `json:"values"`
}

// MarshalJSON writes the form that --output json and yaml have.
func (e Explanation) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonExplanation{"explanation", schema, idOf(e.Release), e.Chart, e.Environment, append([]ExplainedValue{}, e.Values...)})
}

// Explain prints a table, with what a value overrides below it.
func Explain(w io.Writer, e Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, chart %s, environment %s\n", e.Release, e.Chart, e.Environment)
	if len(e.Values) > 0 {
		b.WriteString("\n")
	}
	var rows [][]string
	for _, v := range e.Values {
		shown := short(v.Value)
		if v.Deleted {
			shown = "(deleted)"
		}
		place, layer := "", "made by Helm"
		if v.From != nil {
			place, layer = v.From.place(), v.From.layer()
		}
		rows = append(rows, []string{v.Path, shown, place, layer})
		for _, o := range v.Overrides {
			rows = append(rows, []string{"  overrides", short(o.Value), o.place(), o.layer()})
		}
	}
	if len(rows) > 0 {
		Table(&b, []string{"PATH", "VALUE", "FROM", "LAYER"}, rows)
	}
	return Text(w, b.String())
}

func (o ValueOrigin) place() string {
	if o.Line == 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

func (o ValueOrigin) layer() string {
	text := o.Layer
	if o.Chart != "" {
		text += " " + o.Chart
	}
	if o.Template != "" {
		text += ", template " + o.Template
	}
	if o.Path != "" {
		text += ", as " + o.Path
	}
	return text
}

// longestShown is how many characters of a value a table shows.
const longestShown = 48

// short prints a value on one line, as YAML would be read back.
func short(v any) string {
	text, ok := v.(string)
	if !ok {
		plain, err := json.Marshal(v)
		if err != nil {
			plain = []byte(fmt.Sprint(v))
		}
		text = string(plain)
	} else if ambiguous(text) {
		text = strconv.Quote(text)
	}
	if utf8.RuneCountInString(text) > longestShown {
		text = string([]rune(text)[:longestShown-3]) + "..."
	}
	return text
}

// Value is a value on one line, cut where it is long.
func Value(v any) string { return short(v) }

// ambiguous: without quotes, the text would be taken for something else or
// break the line.
func ambiguous(text string) bool {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return true
	}
	switch strings.ToLower(text) {
	case "", "true", "false", "null", "~", "yes", "no", "on", "off", "(deleted)":
		return true
	}
	return strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) })
}
