package journey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Diagram is a definition to look at.
type Diagram struct {
	// Of is the definition.
	Of *Definition
	// Counts are live figures to show; nil shows none.
	Counts *Counts
	// Since is an earlier version: what is new, changed and gone is marked; nil
	// marks nothing.
	Since *Definition
}

// DOT is the diagram without figures in the language of Graphviz.
func (d *Definition) DOT() string { return Diagram{Of: d}.DOT() }

// Mermaid is the diagram without figures as a Mermaid flowchart.
func (d *Definition) Mermaid() string { return Diagram{Of: d}.Mermaid() }

// graph is a diagram before it is drawn.
type graph struct {
	title string
	nodes []node
	arcs  []arc
}

type nodeKind uint8

const (
	entryNode  nodeKind = iota // where customers come from
	waitNode                   // a state in which time passes
	actNode                    // a state that does something
	choiceNode                 // a state left at once by condition or share
	endNode                    // a final state
	goalNode
	exitNode
)

type change uint8

const (
	same change = iota
	added
	altered
	removed
)

type node struct {
	id     string
	kind   nodeKind
	title  string
	lines  []string // what is done there
	count  string
	change change
}

type arc struct {
	from, to string
	labels   []string
	passed   int
	counted  bool
	anywhere bool // from every state: goals and exits
	change   change
}

// graph lays the definition out as nodes and arcs; parallel edges are one arc.
func (g Diagram) graph() graph {
	out := g.Of.bare(g.Counts)
	if g.Since == nil {
		return out
	}
	old := g.Since.bare(nil)
	for i := range out.nodes {
		n := &out.nodes[i]
		j := slices.IndexFunc(old.nodes, func(o node) bool { return o.id == n.id })
		switch {
		case j < 0:
			n.change = added
		case n.kind != old.nodes[j].kind || n.title != old.nodes[j].title || !slices.Equal(n.lines, old.nodes[j].lines):
			n.change = altered
		}
	}
	for i := range out.arcs {
		a := &out.arcs[i]
		j := slices.IndexFunc(old.arcs, func(o arc) bool { return o.from == a.from && o.to == a.to })
		switch {
		case j < 0:
			a.change = added
		case !slices.Equal(a.labels, old.arcs[j].labels):
			a.change = altered
		}
	}
	for _, n := range old.nodes {
		if !slices.ContainsFunc(out.nodes, func(o node) bool { return o.id == n.id }) {
			n.change = removed
			out.nodes = append(out.nodes, n)
		}
	}
	for _, a := range old.arcs {
		if !slices.ContainsFunc(out.arcs, func(o arc) bool { return o.from == a.from && o.to == a.to }) {
			a.change = removed
			out.arcs = append(out.arcs, a)
		}
	}
	return out
}

// bare is the graph of one version.
func (d *Definition) bare(c *Counts) graph {
	g := graph{title: d.Title()}
	start := node{id: "start", kind: entryNode, title: d.Title()}
	if c != nil {
		start.count = plural(c.Started, "started", "started")
	}
	g.nodes = append(g.nodes, start)
	for i := range d.entries {
		e := &d.entries[i]
		g.arc("start", "s:"+d.states[e.to].spec.Name, e, c, false)
	}
	for i := range d.states {
		s := &d.states[i]
		g.nodes = append(g.nodes, s.node(c))
		for _, list := range [][]edge{s.waits, s.inputs, s.whens, s.shares} {
			for j := range list {
				e := &list[j]
				to := s.index
				if e.to >= 0 {
					to = e.to
				}
				g.arc("s:"+s.spec.Name, "s:"+d.states[to].spec.Name, e, c, false)
			}
		}
	}
	for i := range d.ends {
		e := &d.ends[i]
		n := node{id: "x:" + e.spec.Name, kind: exitNode, title: e.spec.Name, lines: doLines(e.do)}
		if e.goal {
			n.id, n.kind = "g:"+e.spec.Name, goalNode
		}
		if c != nil {
			n.count = plural(c.Ends[e.spec.Name], "ended here", "ended here")
		}
		if !slices.ContainsFunc(g.nodes, func(o node) bool { return o.id == n.id }) {
			g.nodes = append(g.nodes, n)
		}
		g.arc("start", n.id, e, c, true)
	}
	return g
}

func (s *state) node(c *Counts) node {
	n := node{id: "s:" + s.spec.Name, kind: waitNode, title: cmp.Or(s.spec.Title, s.spec.Name), lines: doLines(s.enter)}
	switch {
	case s.spec.Final:
		n.kind = endNode
	case len(s.enter) > 0:
		n.kind = actNode
	case len(s.waits)+len(s.inputs) == 0:
		n.kind = choiceNode
	}
	for _, line := range doLines(s.leave) {
		n.lines = append(n.lines, "leaving: "+line)
	}
	if s.spec.Metric != "" {
		n.lines = append(n.lines, "measured by "+s.spec.Metric)
	}
	if c != nil && s.spec.Final {
		n.count = plural(c.Ends[s.spec.Name], "ended here", "ended here")
	} else if c != nil && n.kind != choiceNode {
		n.count = plural(c.At[s.spec.Name], "here now", "here now")
	}
	return n
}

// doLines are actions in words.
func doLines(list []action) []string {
	var out []string
	for _, a := range list {
		switch a.spec.Kind {
		case MessageEffect:
			out = append(out, "send "+a.spec.Name+" by "+strings.Join(a.spec.Channels, ", else "))
		case AwardEffect:
			out = append(out, "award points: "+a.spec.Name)
		case VoucherEffect:
			out = append(out, "issue voucher "+a.spec.Name)
		case CaseEffect:
			out = append(out, "open case "+a.spec.Name)
		case TraitEffect:
			out = append(out, "set "+a.spec.Name)
		case TaskEffect:
			out = append(out, "task: "+a.spec.Name)
		case StartEffect:
			out = append(out, "start journey "+a.spec.Name)
		default:
			out = append(out, a.spec.Name)
		}
	}
	return out
}

// arc adds an edge, to the arc between its ends if there is one.
func (g *graph) arc(from, to string, e *edge, c *Counts, anywhere bool) {
	label := e.label()
	if anywhere {
		label = "any time: " + label
	}
	for _, line := range doLines(e.do) {
		if !anywhere {
			label += ": " + line
		}
	}
	i := slices.IndexFunc(g.arcs, func(a arc) bool { return a.from == from && a.to == to })
	if i < 0 {
		i = len(g.arcs)
		g.arcs = append(g.arcs, arc{from: from, to: to, anywhere: anywhere})
	}
	a := &g.arcs[i]
	a.labels = append(a.labels, label)
	if c != nil {
		a.passed += c.Passed[e.id]
		a.counted = true
	}
}

// plural writes a count with thousands set off.
func plural(n int, one, many string) string {
	word := many
	if n == 1 {
		word = one
	}
	return grouped(n) + " " + word
}

func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// wrap breaks a label into lines of about width characters.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// shortDuration writes whole days, hours and minutes without zeros: "7d", "1h30m".
func shortDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return strings.TrimSuffix(d.String(), "0s")
	}
	return d.String()
}
