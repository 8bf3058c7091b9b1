package rules

import (
	"context" //nolint:depguard // Prometheus' expander wants one and hands it to query, which does nothing here
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"
)

const (
	// variables are what Prometheus puts before each template of an alert.
	variables = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
	// maxTemplate is up to which length a template is tried. It is tried in the operator, for which no template may be dear.
	maxTemplate = 4 << 10
	// maxMultiplied is how many functions may be called whose result is longer than what they are given.
	maxMultiplied = 8
	// maxShown bounds what is shown of a template's error or result.
	maxShown = 200
)

// templateDoubts are what goes wrong with a template of an alert: it can't be expanded, whatever the alert is, or it names
// labels that the expression doesn't keep.
func templateDoubts(text string, expr parser.Expr) []string {
	if !strings.Contains(text, "{{") {
		return nil
	}
	trees := map[string]*parse.Tree{}
	tree := parse.New("alert")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(variables+text, "", "", trees); err != nil {
		return nil // that is a problem, and was said
	}
	t := surveyed(tree.Root)
	out := droppedLabels(t.labels, expr)
	// What is plain always can be expanded.
	if !t.plain && len(trees) == 1 && len(text) <= maxTemplate && t.cheap() {
		if doubt := expansionDoubt(text, t); doubt != "" {
			out = append(out, doubt)
		}
	}
	return out
}

// droppedLabels are those that a template names and the expression doesn't keep.
func droppedLabels(names []string, expr parser.Expr) []string {
	kept, known := keptLabels(expr)
	if !known {
		return nil
	}
	var out []string
	for _, name := range names {
		if !slices.Contains(kept, name) {
			out = append(out, fmt.Sprintf("names $labels.%s, which is always empty, since the expression keeps %s: keep it there, such as with by (%s)",
				name, listed(kept), strings.Join(append(slices.Clone(kept), name), ", ")))
		}
	}
	return out
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no label"
	}
	return "only " + strings.Join(names, ", ")
}

// Compiled once and never changed.

// structural are errors that don't depend on what the alert is, if the place is reached at all.
var structural = regexp.MustCompile(`can't evaluate field|wrong type for value|wrong number of args|has arguments but cannot be invoked|can't call method|is not a method|query "`)

// expansionDoubt is why a template can't be expanded, empty if it can, or if that depends on the alert.
func expansionDoubt(text string, t *survey) string {
	first := ""
	for _, label := range []string{"1", "a:1", "5m", ""} {
		can := false
		for _, value := range []float64{1, 0, -1, 1e9} {
			said := expanded(text, t, value, label)
			switch {
			case structural.MatchString(said):
				return said
			case said == "":
				can = true
			case first == "":
				first = said
			}
			if can && !t.branches {
				return ""
			}
		}
		if can {
			return ""
		}
	}
	return first
}

// expanded is what went wrong with a template, with this value and this text in each label that it names.
func expanded(text string, t *survey, value float64, label string) string {
	all := map[string]string{}
	for _, name := range t.words {
		all[name] = label
	}
	query := func(_ context.Context, q string, _ time.Time) (promql.Vector, error) {
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(q); err != nil {
			return nil, fmt.Errorf("query %q: %w", q, err)
		}
		return promql.Vector{{F: value, Metric: labels.FromMap(all)}}, nil
	}
	data := template.AlertTemplateData(all, map[string]string{}, "http://prometheus", promql.Sample{F: value})
	e := template.NewTemplateExpander(context.Background(), variables+text, "alert", data, model.Time(0), query, &url.URL{Scheme: "http", Host: "prometheus"}, nil)
	result, err := e.Expand()
	if err != nil {
		_, why, found := strings.Cut(err.Error(), " at <")
		if !found {
			return shown("can't be expanded: " + err.Error())
		}
		return shown("can't be expanded at <" + why)
	}
	if i := strings.Index(result, "%!"); i >= 0 && !strings.Contains(text, "%!") {
		return shown("is expanded to " + result[i:] + ": the format doesn't fit the value")
	}
	return ""
}

func shown(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}

// survey is what a template has in it.
type survey struct {
	labels     []string // that it takes of $labels
	words      []string // all that may be the name of a label
	plain      bool     // prints labels and the value, and nothing else
	branches   bool
	declares   bool // variables of its own
	multiplied int  // functions whose result may be longer than what they are given
	dear       bool // what only a process of its own could try
}

// cheap says that trying a template takes little time and memory.
func (t *survey) cheap() bool {
	return !t.dear && t.multiplied <= maxMultiplied && (t.multiplied == 0 || !t.declares)
}

func surveyed(root *parse.ListNode) *survey {
	t := &survey{plain: true}
	for _, n := range root.Nodes[min(4, len(root.Nodes)):] { // after the variables
		t.plain = t.plain && plain(n)
		t.node(n, true)
	}
	slices.Sort(t.labels)
	t.labels = slices.Compact(t.labels)
	return t
}

// plain says that a part of a template is text, a label or the value, the latter perhaps humanized. Nearly all are.
func plain(n parse.Node) bool {
	if n.Type() == parse.NodeText {
		return true
	}
	action, ok := n.(*parse.ActionNode)
	if !ok || len(action.Pipe.Decl) > 0 || len(action.Pipe.Cmds[0].Args) != 1 {
		return false
	}
	v, ok := action.Pipe.Cmds[0].Args[0].(*parse.VariableNode)
	if !ok {
		return false
	}
	switch {
	case v.Ident[0] == "$labels" && len(v.Ident) == 2:
		return len(action.Pipe.Cmds) == 1
	case v.Ident[0] == "$value" && len(v.Ident) == 1:
		return !slices.ContainsFunc(action.Pipe.Cmds[1:], func(c *parse.CommandNode) bool {
			return len(action.Pipe.Cmds) > 2 || !strings.HasPrefix(c.String(), "humanize")
		})
	}
	return false
}

// node surveys a part of a template, in which . is the alert or something else.
func (t *survey) node(n parse.Node, alert bool) {
	switch n := n.(type) {
	case *parse.ActionNode:
		t.pipe(n.Pipe, alert)
	case *parse.IfNode:
		t.branches = true
		t.pipe(n.Pipe, alert)
		t.lists(alert, n.List, n.ElseList)
	case *parse.WithNode:
		t.branches = true
		before := t.multiplied
		t.pipe(n.Pipe, alert)
		t.dear = t.dear || t.multiplied > before // what is multiplied could be multiplied again
		t.lists(false, n.List)
		t.lists(alert, n.ElseList)
	case *parse.RangeNode:
		t.branches = true
		t.pipe(n.Pipe, alert)
		t.dear = t.dear || !strings.HasPrefix(strings.TrimPrefix(n.Pipe.String(), "$"), "query ") // and not over a billion
		t.lists(false, n.List)
		t.lists(alert, n.ElseList)
	case *parse.TemplateNode:
		t.dear = true
	}
}

func (t *survey) lists(alert bool, lists ...*parse.ListNode) {
	for _, list := range lists {
		if list != nil {
			for _, n := range list.Nodes {
				t.node(n, alert)
			}
		}
	}
}

func (t *survey) pipe(p *parse.PipeNode, alert bool) {
	if p == nil {
		return
	}
	t.declares = t.declares || len(p.Decl) > 0
	for _, c := range p.Cmds {
		t.command(c, alert)
	}
}

func (t *survey) command(c *parse.CommandNode, alert bool) {
	for i, arg := range c.Args {
		switch arg := arg.(type) {
		case *parse.IdentifierNode:
			t.function(arg.Ident, c.Args[i+1:])
		case *parse.VariableNode:
			t.named(arg.Ident, "$labels")
		case *parse.FieldNode:
			if alert {
				t.named(arg.Ident, "Labels")
			}
			t.words = append(t.words, arg.Ident...)
		case *parse.StringNode:
			t.words = append(t.words, arg.Text)
		case *parse.PipeNode:
			t.pipe(arg, alert)
		}
	}
}

func (t *survey) named(ident []string, labels string) {
	t.words = append(t.words, ident...)
	if len(ident) > 1 && ident[0] == labels {
		t.labels = append(t.labels, ident[1])
	}
}

func (t *survey) function(name string, args []parse.Node) {
	switch name {
	case "printf":
		t.multiplied++
		format, ok := (*parse.StringNode)(nil), false
		if len(args) > 0 {
			format, ok = args[0].(*parse.StringNode)
		}
		t.dear = t.dear || !ok || wide.MatchString(format.Text)
	case "reReplaceAll":
		t.multiplied += maxMultiplied / 2
	case "print", "println", "js", "html", "urlquery", "urlQueryEscape", "args", "graphLink", "tableLink":
		t.multiplied++
	}
}

// wide are formats that print more than anybody reads.
var wide = regexp.MustCompile(`[0-9]{3}|\*`)
