// Package hcl reads environment values that are written in HCL: blocks named
// values, whose attributes may refer to each other as hv.NAME across all files
// of an environment, and at most one block named locals in each file, which
// the file refers to as local.NAME. The language is helmfile's
// (github.com/helmfile/helmfile/pkg/hcllang).
package hcl

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// The bounds of one file. The parser is recursive, so depth is memory.
const (
	maxBytes     = 1 << 20
	maxDepth     = 200    // of open brackets
	maxOperators = 10_000 // in one expression, of those that nest
)

const (
	blockValues = "values"
	blockLocals = "locals"
	rootValues  = "hv"
	rootLocals  = "local"
)

// File is one file of values. Name is what errors say.
type File struct {
	Name string
	Text []byte
}

// definition is one attribute of a block.
type definition struct {
	name string
	file string
	expr hcl.Expression
	at   hcl.Range
}

// Values evaluates all files as one unit and gives the attributes of their
// values blocks. An attribute that several blocks define is merged in order of
// the files: objects by key, null keeps what was there, anything else
// replaces. Numbers are float64. The error joins a *schema.Mistake for every
// mistake of the step that failed: syntax of all files, then references, then
// evaluation.
func Values(files []File) (map[string]any, error) {
	locals := map[string][]definition{}
	var defined []definition
	var errs []error
	for _, f := range files {
		own, local, err := read(f)
		errs = append(errs, err)
		defined = append(defined, own...)
		locals[f.Name] = local
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	scopes := map[string]cty.Value{}
	for _, f := range files {
		result, err := evaluate(locals[f.Name], rootLocals, nil)
		errs = append(errs, err)
		scopes[f.Name] = cty.ObjectVal(result)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	result, err := evaluate(defined, rootValues, scopes)
	if err != nil {
		return nil, err
	}
	return native(result)
}

// read parses one file into the attributes of its values and locals blocks.
func read(f File) (own, local []definition, err error) {
	if err := bounded(f); err != nil {
		return nil, nil, err
	}
	parsed, diags := hclsyntax.ParseConfig(f.Text, f.Name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, nil, mistakes(diags)
	}
	content, diags := parsed.Body.Content(&hcl.BodySchema{
		Blocks: []hcl.BlockHeaderSchema{{Type: blockValues}, {Type: blockLocals}},
	})
	for _, block := range content.Blocks {
		attributes, more := block.Body.JustAttributes()
		diags = append(diags, more...)
		list := definitions(f.Name, attributes)
		switch {
		case block.Type == blockValues:
			own = append(own, list...)
		case local == nil:
			local = list
		default:
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Subject: &block.DefRange,
				Summary: "Second block of locals", Detail: "A file has one block of locals at most.",
			})
		}
	}
	return own, local, mistakes(diags)
}

// definitions gives attributes in the order of the text.
func definitions(file string, attributes hcl.Attributes) []definition {
	out := make([]definition, 0, len(attributes))
	for name, a := range attributes {
		out = append(out, definition{name: name, file: file, expr: a.Expr, at: a.NameRange})
	}
	slices.SortFunc(out, func(a, b definition) int { return a.at.Start.Byte - b.at.Start.Byte })
	return out
}

// bounded refuses what would make the parser recurse without end.
func bounded(f File) error {
	tooLarge := func(line int, text string) error {
		return &schema.Mistake{Pos: schema.Pos{File: f.Name, Line: line}, Err: fmt.Errorf("%w: %s", schema.ErrTooLarge, text)}
	}
	if len(f.Text) > maxBytes {
		return tooLarge(0, fmt.Sprintf("more than %d bytes", maxBytes))
	}
	tokens, _ := hclsyntax.LexConfig(f.Text, f.Name, hcl.InitialPos)
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion:
			operators++
		case hclsyntax.TokenNewline:
			if depth <= 1 {
				operators = 0 // an attribute of a block ends here
			}
		default:
		}
		if depth > maxDepth || operators > maxOperators {
			return tooLarge(t.Range.Start.Line, fmt.Sprintf("nested deeper than %d levels, or more than %d operators in an expression", maxDepth, maxOperators))
		}
	}
	return nil
}

// evaluate gives every name its value, each after the names that it refers to.
// scopes holds the locals of each file; nil while locals themselves are
// evaluated.
func evaluate(defined []definition, root string, scopes map[string]cty.Value) (map[string]cty.Value, error) {
	byName := map[string][]definition{}
	for _, d := range defined {
		byName[d.name] = append(byName[d.name], d)
	}
	order, err := sorted(byName, root)
	if err != nil {
		return nil, err
	}
	functions := functions()
	out := map[string]cty.Value{}
	for _, name := range order {
		for i, d := range byName[name] {
			known := map[string]cty.Value{root: cty.ObjectVal(out)}
			if scopes != nil {
				known[rootLocals] = scopes[d.file]
			}
			v, diags := d.expr.Value(&hcl.EvalContext{Variables: known, Functions: functions})
			if diags.HasErrors() {
				return nil, mistakes(diags)
			}
			if i > 0 {
				v = merged(out[name], v)
			}
			out[name] = v
		}
	}
	return out, nil
}

// merged lays one value over another.
func merged(under, over cty.Value) cty.Value {
	switch {
	case over.IsNull():
		return under
	case !over.IsKnown(), under.IsNull(), !under.IsKnown():
		return over
	case !sameFields(under.Type(), over.Type()):
		return over
	}
	out := maps.Clone(under.AsValueMap())
	if out == nil {
		out = map[string]cty.Value{}
	}
	for name, v := range over.AsValueMap() {
		if old, ok := out[name]; ok {
			v = merged(old, v)
		}
		out[name] = v
	}
	return cty.ObjectVal(out)
}

// sameFields says that two values merge by key; helmfile keeps objects and maps
// apart.
func sameFields(a, b cty.Type) bool {
	return a.IsObjectType() && b.IsObjectType() || a.IsMapType() && b.IsMapType()
}

// native turns values into what YAML would have given.
func native(values map[string]cty.Value) (map[string]any, error) {
	text, err := ctyjson.Marshal(cty.ObjectVal(values), cty.ObjectVal(values).Type())
	if err != nil {
		return nil, fmt.Errorf("reading the values of HCL files: %w", err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("reading the values of HCL files: %w", err)
	}
	return out, nil
}

// mistakes tells what HCL complains of, each with its place.
func mistakes(diags hcl.Diagnostics) error {
	var errs []error
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		m := &schema.Mistake{Err: fmt.Errorf("%s: %s", d.Summary, d.Detail)}
		if d.Subject != nil {
			m.Pos = schema.Pos{File: d.Subject.Filename, Line: d.Subject.Start.Line, Col: d.Subject.Start.Column}
		}
		errs = append(errs, m)
	}
	return errors.Join(errs...)
}
