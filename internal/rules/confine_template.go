package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

// queryFunction is what a template asks Prometheus with.
const queryFunction = "query"

// errComputed: what a label of a series says could end the selector that it is put into, and begin another one.
var errComputed = errors.New(`on a server that confines rules to their namespaces, what query asks has to be written out, as in {{ query "up" }}, and not be put together while the template is expanded`)

// template has the queries in the template confined.
func (c *confiner) template(text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	trees := map[string]*parse.Tree{}
	tree := parse.New("alert")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(variables+text, "", "", trees); err != nil {
		return "", err
	}
	var asked queries
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		asked.node(trees[name].Root)
	}
	if asked.computed {
		return "", errComputed
	}
	// From the end, so that what is before stays where it is.
	slices.SortFunc(asked.written, func(a, b *parse.StringNode) int { return int(b.Pos - a.Pos) })
	for _, q := range asked.written {
		confined, err := c.expression(q.Text)
		if err != nil {
			return "", fmt.Errorf("query %q: %w", q.Text, err)
		}
		begin := int(q.Pos) - len(variables)
		end := begin + len(q.Quoted)
		if begin < 0 || end > len(text) || text[begin:end] != q.Quoted {
			return "", errComputed
		}
		text = text[:begin] + strconv.Quote(confined) + text[end:]
	}
	return text, nil
}

// queries are those of a template.
type queries struct {
	written  []*parse.StringNode
	computed bool
}

func (q *queries) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, below := range n.Nodes {
				q.node(below)
			}
		}
	case *parse.PipeNode:
		q.pipe(n)
	case *parse.CommandNode:
		q.command(n, false)
	case *parse.ChainNode:
		q.node(n.Node)
	case *parse.IdentifierNode:
		// As an argument, or with something piped into it.
		q.computed = q.computed || n.Ident == queryFunction
	default:
		q.action(n)
	}
}

func (q *queries) action(n parse.Node) {
	switch n := n.(type) {
	case *parse.ActionNode:
		q.pipe(n.Pipe)
	case *parse.IfNode:
		q.branch(&n.BranchNode)
	case *parse.RangeNode:
		q.branch(&n.BranchNode)
	case *parse.WithNode:
		q.branch(&n.BranchNode)
	case *parse.TemplateNode:
		q.pipe(n.Pipe)
	}
}

func (q *queries) branch(b *parse.BranchNode) {
	q.pipe(b.Pipe)
	q.node(b.List)
	q.node(b.ElseList)
}

func (q *queries) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for i, c := range p.Cmds {
		q.command(c, i > 0)
	}
}

// command has all arguments looked at, but for those of a query that is written out.
func (q *queries) command(c *parse.CommandNode, piped bool) {
	if f, ok := c.Args[0].(*parse.IdentifierNode); ok && f.Ident == queryFunction && !piped && len(c.Args) == 2 {
		if text, ok := c.Args[1].(*parse.StringNode); ok {
			q.written = append(q.written, text)
			return
		}
	}
	for _, arg := range c.Args {
		q.node(arg)
	}
}
