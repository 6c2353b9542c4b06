package tmpl

import (
	"strconv"
	"text/template"
	"text/template/parse"
)

// The functions that guard puts around {{template}}: users do not write them.
const (
	enterName = "__enter"
	leaveName = "__leave"
)

// guard makes {{template}} bounded as include is, in the templates that were
// parsed from the text of that name. The library ends a template that calls
// itself only after 100,000 calls, which can take minutes and hundreds of
// megabytes.
func guard(all *template.Template, parsed string) {
	for _, t := range all.Templates() {
		if t.Tree != nil && t.ParseName == parsed {
			guardList(t.Root)
		}
	}
}

func guardList(list *parse.ListNode) {
	if list == nil {
		return
	}
	var out []parse.Node
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.TemplateNode:
			out = append(out, call(enterName, n), n, call(leaveName, n))
			continue
		case *parse.IfNode:
			guardBranch(&n.BranchNode)
		case *parse.RangeNode:
			guardBranch(&n.BranchNode)
		case *parse.WithNode:
			guardBranch(&n.BranchNode)
		}
		out = append(out, n)
	}
	list.Nodes = out
}

func guardBranch(n *parse.BranchNode) {
	guardList(n.List)
	guardList(n.ElseList)
}

// call is {{function "name"}} at the place of a {{template "name"}}.
func call(function string, at *parse.TemplateNode) *parse.ActionNode {
	command := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: at.Pos, Args: []parse.Node{
		parse.NewIdentifier(function).SetPos(at.Pos),
		&parse.StringNode{NodeType: parse.NodeString, Pos: at.Pos, Quoted: strconv.Quote(at.Name), Text: at.Name},
	}}
	pipe := &parse.PipeNode{NodeType: parse.NodePipe, Pos: at.Pos, Line: at.Line, Cmds: []*parse.CommandNode{command}}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: at.Pos, Line: at.Line, Pipe: pipe}
}

// enterTemplate and leaveTemplate print nothing.
func (r *run) enterTemplate(name string) (string, error) { return "", r.enter(name) }

func (r *run) leaveTemplate(name string) string {
	r.leave(name)
	return ""
}
