package journey

import (
	"fmt"
	"slices"
	"strings"
)

// look is how a kind of node is drawn.
type look struct {
	shape, fill, line, mermaid string
}

// looks are colors that stay apart for color-blind readers and in print, and shapes
// that tell the kinds apart without color.
var looks = map[nodeKind]look{
	entryNode:  {"oval", "#1f3a5f", "#1f3a5f", `(["%s"])`},
	waitNode:   {"box", "#f3f4f6", "#9ca3af", `("%s")`},
	actNode:    {"box", "#fdf0d5", "#c77f12", `["%s"]`},
	choiceNode: {"diamond", "#e8e4f3", "#7c6aae", `{"%s"}`},
	endNode:    {"oval", "#e5e7eb", "#6b7280", `(["%s"])`},
	goalNode:   {"oval", "#d3ecdc", "#1c7c45", `(["%s"])`},
	exitNode:   {"oval", "#f6dcd9", "#b03a2e", `(["%s"])`},
}

var kindNames = [...]string{"entry", "wait", "act", "choice", "done", "goal", "exit"}

// changeColors mark what differs from an earlier version.
var changeColors = [...]string{same: "", added: "#1c7c45", altered: "#c77f12", removed: "#b03a2e"}

var changeWords = [...]string{same: "", added: "new", altered: "changed", removed: "gone"}

// DOT is the diagram in the language of Graphviz: customers flow from top to
// bottom; what is done stands in the state; goals and exits, which lead out of
// every state, hang on dashed lines. With counts, an arrow is the thicker the more
// customers took it.
func (g Diagram) DOT() string {
	gr := g.graph()
	ids := map[string]string{}
	var b strings.Builder
	b.WriteString("digraph journey {\n" +
		"  graph [rankdir=TB, nodesep=0.45, ranksep=0.5, bgcolor=white, fontname=\"Helvetica\", label=\"\", pad=0.2]\n" +
		"  node [fontname=\"Helvetica\", fontsize=12, style=\"filled,rounded\", penwidth=1.2, margin=\"0.16,0.09\"]\n" +
		"  edge [fontname=\"Helvetica\", fontsize=10, color=\"#4b5563\", fontcolor=\"#374151\", arrowsize=0.7]\n")
	most := 0
	for _, a := range gr.arcs {
		most = max(most, a.passed)
	}
	for i, n := range gr.nodes {
		ids[n.id] = fmt.Sprintf("n%d", i)
		l := looks[n.kind]
		attrs := []string{
			"label=" + n.html(), "shape=" + l.shape, `fillcolor="` + l.fill + `"`, `color="` + l.line + `"`,
		}
		if n.kind == choiceNode || n.kind == entryNode || n.kind == endNode || n.kind == goalNode || n.kind == exitNode {
			attrs = append(attrs, "style=filled")
		}
		if n.kind == choiceNode {
			attrs = append(attrs, `margin="0.02,0.02"`)
		}
		if n.kind == entryNode {
			attrs = append(attrs, `fontcolor="white"`)
		}
		if n.change != same {
			attrs = append(attrs, `color="`+changeColors[n.change]+`"`, "penwidth=3")
		}
		if n.change == removed {
			attrs = append(attrs, `style="filled,dashed"`)
		}
		fmt.Fprintf(&b, "  %s [%s]\n", ids[n.id], strings.Join(attrs, ", "))
	}
	for _, a := range gr.arcs {
		attrs := []string{"label=" + a.html()}
		if a.anywhere {
			attrs = append(attrs, "style=dashed", "constraint=false")
		}
		if a.counted && most > 0 {
			attrs = append(attrs, fmt.Sprintf("penwidth=%.1f", 0.8+4*float64(a.passed)/float64(most)))
			if a.passed == 0 {
				attrs = append(attrs, `color="#c4c8ce"`, `fontcolor="#9ca3af"`)
			}
		}
		if a.change != same {
			attrs = append(attrs, `color="`+changeColors[a.change]+`"`, `fontcolor="`+changeColors[a.change]+`"`, "penwidth=2")
		}
		if a.change == removed {
			attrs = append(attrs, "style=dashed")
		}
		fmt.Fprintf(&b, "  %s -> %s [%s]\n", ids[a.from], ids[a.to], strings.Join(attrs, ", "))
	}
	b.WriteString("}\n")
	return b.String()
}

// html is a node's label for Graphviz.
func (n node) html() string {
	var b strings.Builder
	b.WriteString("<<B>" + escapeHTML(n.mark()) + "</B>")
	for _, line := range n.lines {
		for _, l := range wrap(line, 34) {
			b.WriteString("<BR/><FONT POINT-SIZE=\"10\">" + escapeHTML(l) + "</FONT>")
		}
	}
	if n.count != "" {
		b.WriteString("<BR/><FONT POINT-SIZE=\"11\"><I>" + escapeHTML(n.count) + "</I></FONT>")
	}
	b.WriteString(">")
	return b.String()
}

// mark is the title with a sign for the kind of end and the change.
func (n node) mark() string {
	s := n.title
	switch n.kind {
	case goalNode:
		s = "★ " + s
	case exitNode:
		s = "✕ " + s
	}
	if n.change != same {
		s += " (" + changeWords[n.change] + ")"
	}
	return s
}

func (a arc) lines() []string {
	var lines []string
	for _, l := range a.labels {
		lines = append(lines, wrap(l, 30)...)
	}
	return lines
}

func (a arc) html() string {
	lines := a.lines()
	for i := range lines {
		lines[i] = "\u00a0" + escapeHTML(lines[i]) + "\u00a0" // no-break spaces keep it off the arrow
	}
	s := "<" + strings.Join(lines, "<BR/>")
	if a.counted {
		s += "<BR/><B>" + grouped(a.passed) + "</B>"
	}
	return s + ">"
}

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// Mermaid is the diagram as a Mermaid flowchart, with the colors of DOT.
func (g Diagram) Mermaid() string {
	gr := g.graph()
	ids := map[string]string{}
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for i, n := range gr.nodes {
		ids[n.id] = fmt.Sprintf("n%d", i)
		text := []string{n.mark()}
		text = append(text, n.lines...)
		if n.count != "" {
			text = append(text, n.count)
		}
		for j := range text {
			text[j] = escapeMermaid(text[j])
		}
		class := kindNames[n.kind]
		if n.change != same {
			class = changeWords[n.change]
		}
		fmt.Fprintf(&b, "  %s"+looks[n.kind].mermaid+":::%s\n", ids[n.id], strings.Join(text, "<br/>"), class)
	}
	for _, a := range gr.arcs {
		text := slices.Clone(a.labels)
		if a.counted {
			text = append(text, grouped(a.passed))
		}
		if a.change != same {
			text = append(text, "("+changeWords[a.change]+")")
		}
		for j := range text {
			text[j] = escapeMermaid(text[j])
		}
		line := "-->"
		if a.anywhere || a.change == removed {
			line = "-.->"
		}
		fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", ids[a.from], line, strings.Join(text, "<br/>"), ids[a.to])
	}
	for kind, name := range kindNames {
		l := looks[nodeKind(kind)]
		text := "#111827"
		if nodeKind(kind) == entryNode {
			text = "#ffffff"
		}
		fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:%s\n", name, l.fill, l.line, text)
	}
	if g.Since != nil {
		for c := added; c <= removed; c++ {
			fmt.Fprintf(&b, "  classDef %s fill:#ffffff,stroke:%s,stroke-width:3px,color:#111827\n", changeWords[c], changeColors[c])
		}
	}
	return b.String()
}

// escapeMermaid writes the characters that end a Mermaid label as entities.
func escapeMermaid(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ").Replace(s)
}
