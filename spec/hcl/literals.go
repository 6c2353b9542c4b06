package hcl

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Contents tells what a file says, for whoever must not show it: the names that
// its values blocks define, and every text and number that stands in it, those
// of locals, lists, objects and heredocs included, keys left out. The error is
// that of its syntax.
func Contents(f File) (names, literals []string, err error) {
	own, local, err := read(f)
	if err != nil {
		return nil, nil, err
	}
	c := &collector{}
	for i, d := range append(own, local...) {
		if i < len(own) {
			names = append(names, d.name)
		}
		if node, ok := d.expr.(hclsyntax.Node); ok {
			if diags := hclsyntax.Walk(node, c); diags.HasErrors() {
				return nil, nil, mistakes(diags)
			}
		}
	}
	return names, c.found, nil
}

// collector walks through expressions and keeps what is written out in them.
type collector struct {
	found []string
	keys  int // how many keys of objects we are in
}

// Enter looks at a node.
func (c *collector) Enter(node hclsyntax.Node) hcl.Diagnostics {
	switch node := node.(type) {
	case *hclsyntax.ObjectConsKeyExpr:
		c.keys++
	case *hclsyntax.LiteralValueExpr:
		if c.keys > 0 || node.Val.IsNull() || !node.Val.IsKnown() {
			break
		}
		switch node.Val.Type() {
		case cty.String:
			c.found = append(c.found, node.Val.AsString())
		case cty.Number:
			c.found = append(c.found, node.Val.AsBigFloat().Text('f', -1))
		}
	}
	return nil
}

// Exit leaves a node.
func (c *collector) Exit(node hclsyntax.Node) hcl.Diagnostics {
	if _, ok := node.(*hclsyntax.ObjectConsKeyExpr); ok {
		c.keys--
	}
	return nil
}
