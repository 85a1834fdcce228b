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
	nodes   []node
	arcs    []arc
	counted bool
	changes bool
}

type nodeKind uint8

const (
	entryNode  nodeKind = iota // where customers come from
	waitNode                   // a state in which time passes
	sendNode                   // a state that sends a message
	actNode                    // a state that does something else
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
	figure []string
	change change
}

// anytime reports whether the node is reached from every state.
func (n *node) anytime() bool { return n.kind == goalNode || n.kind == exitNode }

type arc struct {
	from, to string
	labels   []string
	passed   int
	change   change
}

// graph lays the definition out as nodes and arcs; parallel edges are one arc.
func (g Diagram) graph() graph {
	out := g.Of.bare(g.Counts)
	if g.Since == nil {
		return out
	}
	out.changes = true
	old := g.Since.bare(nil)
	for i := range out.nodes {
		n := &out.nodes[i]
		j := slices.IndexFunc(old.nodes, func(o node) bool { return o.id == n.id })
		switch {
		case j < 0:
			n.change = added
		case n.kind != old.nodes[j].kind || n.title != old.nodes[j].title || !slices.Equal(n.lines, old.nodes[j].lines):
			n.change = altered
			n.lines = append(n.lines, dropped(n.lines, old.nodes[j].lines)...)
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
			a.labels = append(a.labels, dropped(a.labels, old.arcs[j].labels)...)
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

// dropped says what an earlier version had and the present one has not.
func dropped(now, before []string) []string {
	var out []string
	for _, line := range before {
		if !slices.Contains(now, line) {
			out = append(out, "(was: "+line+")")
		}
	}
	return out
}

// bare is the graph of one version.
func (d *Definition) bare(c *Counts) graph {
	g := graph{counted: c != nil}
	start := node{id: "start", kind: entryNode, title: d.Title()}
	if c != nil {
		start.figure = []string{grouped(c.Started) + " started"}
	}
	g.nodes = append(g.nodes, start)
	for i := range d.entries {
		e := &d.entries[i]
		g.arc("start", "s:"+d.states[e.to].spec.Name, d.wordsAfter(d.entries[:i], e), e, c)
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
				g.arc("s:"+s.spec.Name, "s:"+d.states[to].spec.Name, d.wordsAfter(list[:j], e), e, c)
			}
		}
	}
	for i := range d.ends {
		e := &d.ends[i]
		n := node{id: "x:" + e.spec.Name, kind: exitNode, title: plain(e.spec.Name)}
		if e.goal {
			n.id, n.kind = "g:"+e.spec.Name, goalNode
		}
		at := slices.IndexFunc(g.nodes, func(o node) bool { return o.id == n.id })
		if at < 0 {
			at = len(g.nodes)
			n.figure = c.ended(e.spec.Name)
			g.nodes = append(g.nodes, n)
		}
		line := d.words(e)
		if e.trigger != nil {
			line = "when: " + line
		}
		for _, do := range actWords(e.do) {
			line += " → " + do
		}
		g.nodes[at].lines = append(g.nodes[at].lines, line)
	}
	return g
}

// ended is how many came to an end, and how many that is of all who started.
func (c *Counts) ended(name string) []string {
	if c == nil {
		return nil
	}
	n := c.Ends[name]
	s := grouped(n) + " ended here"
	if n > 0 && c.Started > 0 {
		s += fmt.Sprintf(" (%.0f %%)", 100*float64(n)/float64(c.Started))
	}
	return []string{s}
}

func (s *state) node(c *Counts) node {
	n := node{id: "s:" + s.spec.Name, kind: waitNode, title: cmp.Or(s.spec.Title, plain(s.spec.Name)), lines: actWords(s.enter)}
	switch {
	case s.spec.Final:
		n.kind = endNode
	case slices.ContainsFunc(s.enter, func(a action) bool { return a.spec.Kind == MessageEffect }):
		n.kind = sendNode
	case len(s.enter) > 0:
		n.kind = actNode
	case len(s.waits)+len(s.inputs) == 0:
		n.kind = choiceNode
	}
	for _, line := range actWords(s.leave) {
		n.lines = append(n.lines, "on leaving: "+line)
	}
	if s.spec.Metric != "" && (c == nil || c.States[s.spec.Name].Score.Answers == 0) {
		n.lines = append(n.lines, "measured by "+plain(s.spec.Metric))
	}
	switch {
	case c == nil || n.kind == choiceNode:
	case s.spec.Final:
		n.figure = c.ended(s.spec.Name)
	default:
		n.figure = []string{grouped(c.At[s.spec.Name]) + " here now"}
		f := c.States[s.spec.Name]
		if f.Median > 0 {
			n.figure = append(n.figure, "typical stay "+rough(f.Median))
		}
		if f.Score.Answers > 0 {
			n.figure = append(n.figure, plain(s.spec.Metric)+": "+f.Score.String())
		}
	}
	return n
}

// rough is a duration at its two greatest units, rounded up.
func rough(d time.Duration) string {
	for _, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if d >= unit {
			step := max(unit/24, time.Second)
			if unit == time.Hour || unit == time.Minute {
				step = unit / 60
			}
			return span((d + step - 1) / step * step)
		}
	}
	return span(time.Second)
}

// arc adds an edge, to the arc between its ends if there is one.
func (g *graph) arc(from, to, label string, e *edge, c *Counts) {
	for _, line := range actWords(e.do) {
		label += " → " + line
	}
	i := slices.IndexFunc(g.arcs, func(a arc) bool { return a.from == from && a.to == to })
	if i < 0 {
		i = len(g.arcs)
		g.arcs = append(g.arcs, arc{from: from, to: to})
	} else {
		label = "or " + label
	}
	a := &g.arcs[i]
	a.labels = append(a.labels, label)
	if c != nil {
		a.passed += c.Passed[e.id]
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
	for word := range strings.SplitSeq(s, " ") {
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
