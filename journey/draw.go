package journey

import (
	"fmt"
	"slices"
	"strings"
)

// look is how a kind of node is drawn, and what the legend says of it.
type look struct {
	shape, fill, line, mermaid, legend string
}

// looks are colors that stay apart for color-blind readers and in print, and shapes
// that tell the kinds apart without color.
var looks = [...]look{
	entryNode:  {"oval", "#1f3a5f", "#1f3a5f", `(["%s"])`, "start"},
	waitNode:   {"box", "#f3f4f6", "#9ca3af", `("%s")`, "waits"},
	sendNode:   {"box", "#fdf0d5", "#c77f12", `["%s"]`, "✉ sends a message"},
	actNode:    {"box", "#dbeafe", "#3b6fb6", `["%s"]`, "does something else"},
	choiceNode: {"diamond", "#e8e4f3", "#7c6aae", `{{"%s"}}`, "ways part at once"},
	endNode:    {"oval", "#e5e7eb", "#6b7280", `(["%s"])`, "end"},
	goalNode:   {"oval", "#d3ecdc", "#1c7c45", `(["%s"])`, "★ goal"},
	exitNode:   {"oval", "#f6dcd9", "#b03a2e", `(["%s"])`, "✕ exit"},
}

var kindNames = [...]string{"entry", "wait", "message", "act", "choice", "done", "goal", "exit"}

// changeColors mark what differs from an earlier version.
var changeColors = [...]string{same: "", added: "#16803c", altered: "#1d4ed8", removed: "#b03a2e"}

var changeWords = [...]string{same: "", added: "new", altered: "changed", removed: "gone"}

// DOT is the diagram in the language of Graphviz: customers flow from top to
// bottom; what is done stands in the state. Goals and exits, which lead out of
// every state, stand apart with what reaches them, above a legend. With counts, an
// arrow is the thicker the more customers took it.
func (g Diagram) DOT() string {
	gr := g.graph()
	ids := map[string]string{}
	var b strings.Builder
	b.WriteString("digraph journey {\n" +
		"  graph [rankdir=TB, nodesep=0.4, ranksep=0.45, bgcolor=white, fontname=\"Helvetica\", fontsize=11, fontcolor=\"#374151\", pad=0.2]\n" +
		"  node [fontname=\"Helvetica\", fontsize=12, style=\"filled,rounded\", penwidth=1.2, margin=\"0.16,0.09\"]\n" +
		"  edge [fontname=\"Helvetica\", fontsize=10, color=\"#4b5563\", fontcolor=\"#374151\", arrowsize=0.7]\n")
	most := 0
	for _, a := range gr.arcs {
		most = max(most, a.passed)
	}
	var aside []string
	for i, n := range gr.nodes {
		ids[n.id] = fmt.Sprintf("n%d", i)
		if n.anytime() {
			aside = append(aside, fmt.Sprintf("    %s [%s]\n", ids[n.id], n.dot()))
			continue
		}
		fmt.Fprintf(&b, "  %s [%s]\n", ids[n.id], n.dot())
	}
	for _, a := range gr.arcs {
		fmt.Fprintf(&b, "  %s -> %s [%s]\n", ids[a.from], ids[a.to], a.dot(gr.counted, most))
	}
	column := ""
	if len(aside) > 0 {
		b.WriteString("  subgraph cluster_anytime {\n" +
			"    label=\"Ends the journey from any state\"; style=\"rounded,dashed\"; color=\"#9ca3af\"; margin=14\n" +
			strings.Join(aside, "") + "  }\n")
		for i, n := range gr.nodes {
			if n.anytime() {
				column += fmt.Sprintf("n%d -> ", i)
			}
		}
	}
	b.WriteString("  legend [shape=plaintext, style=\"\", margin=0, label=<" + gr.legend() + ">]\n")
	if column != "" {
		b.WriteString("  " + column + "legend [style=invis]\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// dot are the node's attributes for Graphviz.
func (n *node) dot() string {
	l := looks[n.kind]
	style, line, fill, font, pen := "filled,rounded", l.line, l.fill, "#111827", ""
	if l.shape != "box" {
		style = "filled"
	}
	if n.kind == entryNode {
		font = "white"
	}
	if n.change != same {
		line, pen = changeColors[n.change], ", penwidth=3"
	}
	if n.change == removed {
		style, fill, font = style+",dashed", "white", "#6b7280"
	}
	s := fmt.Sprintf(`label=%s, shape=%s, style="%s", fillcolor="%s", color="%s", fontcolor="%s"%s`, n.html(), l.shape, style, fill, line, font, pen)
	if n.kind == choiceNode {
		s += `, margin="0.02,0.02"`
	}
	return s
}

// dot are the arc's attributes for Graphviz.
func (a *arc) dot(counted bool, most int) string {
	attrs := []string{"label=" + a.html(counted)}
	if counted && most > 0 && a.change != removed {
		attrs = append(attrs, fmt.Sprintf("penwidth=%.1f", 0.8+4*float64(a.passed)/float64(most)))
		if a.passed == 0 && a.change == same {
			attrs = append(attrs, `color="#c4c8ce"`, `fontcolor="#9ca3af"`)
		}
	}
	if a.change != same {
		attrs = append(attrs, `color="`+changeColors[a.change]+`"`, `fontcolor="`+changeColors[a.change]+`"`)
		if !counted || a.change == removed {
			attrs = append(attrs, "penwidth=2")
		}
	}
	if a.change == removed {
		attrs = append(attrs, "style=dashed")
	}
	return strings.Join(attrs, ", ")
}

// legend says what the kinds and colors in the diagram mean, for Graphviz.
func (g *graph) legend() string {
	var b strings.Builder
	b.WriteString(`<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="2">`)
	row := func(border int, fill, line, text string) {
		fmt.Fprintf(&b, `<TR><TD BORDER="%d" BGCOLOR="%s" COLOR="%s" WIDTH="22" HEIGHT="12" FIXEDSIZE="TRUE"></TD><TD ALIGN="LEFT"><FONT POINT-SIZE="10" COLOR="#374151">%s</FONT></TD></TR>`,
			border, fill, line, escapeHTML(text))
	}
	for kind, l := range looks {
		if slices.ContainsFunc(g.nodes, func(n node) bool { return n.kind == nodeKind(kind) }) {
			row(1, l.fill, l.line, l.legend)
		}
	}
	for c := added; g.changes && c <= removed; c++ {
		row(3, "white", changeColors[c], changeWords[c]+" since the earlier version")
	}
	if g.counted {
		b.WriteString(`<TR><TD><FONT POINT-SIZE="10" COLOR="#374151"><B>12</B></FONT></TD><TD ALIGN="LEFT"><FONT POINT-SIZE="10" COLOR="#374151">how often a way was taken</FONT></TD></TR>`)
	}
	b.WriteString("</TABLE>")
	return b.String()
}

// html is a node's label for Graphviz.
func (n *node) html() string {
	var b strings.Builder
	b.WriteString("<<B>" + escapeHTML(n.mark()) + "</B>")
	for _, line := range n.lines {
		for _, l := range wrap(line, 34) {
			b.WriteString("<BR/><FONT POINT-SIZE=\"10\">" + escapeHTML(l) + "</FONT>")
		}
	}
	for _, f := range n.figure {
		for _, l := range wrap(f, 34) {
			b.WriteString("<BR/><FONT POINT-SIZE=\"10.5\"><I>" + escapeHTML(l) + "</I></FONT>")
		}
	}
	b.WriteString(">")
	return b.String()
}

// mark is the title with a sign for the kind of end and the change.
func (n *node) mark() string {
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

// text are the arc's labels, with a word for the change.
func (a *arc) text() []string {
	if a.change == same || a.change == altered && strings.Contains(a.labels[len(a.labels)-1], "(was: ") {
		return a.labels
	}
	return append(slices.Clone(a.labels), "("+changeWords[a.change]+")")
}

func (a *arc) html(counted bool) string {
	var lines []string
	for _, l := range a.text() {
		for _, part := range wrap(l, 28) {
			lines = append(lines, "\u00a0"+escapeHTML(part)+"\u00a0") // no-break spaces keep it off the arrow
		}
	}
	s := "<" + strings.Join(lines, "<BR/>")
	if counted && a.change != removed {
		s += "<BR/><B>" + grouped(a.passed) + "</B>"
	}
	return s + ">"
}

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// Mermaid is the diagram as a Mermaid flowchart, drawn as DOT is: with its colors,
// its signs of change and its thickness of arrows.
func (g Diagram) Mermaid() string {
	gr := g.graph()
	ids := map[string]string{}
	var b, aside strings.Builder
	b.WriteString(`%%{init: {"theme": "neutral", "flowchart": {"nodeSpacing": 60, "rankSpacing": 42, "wrappingWidth": 300}}}%%` + "\nflowchart TD\n")
	ends, last := "", ""
	for i, n := range gr.nodes {
		ids[n.id] = fmt.Sprintf("n%d", i)
		to := &b
		if !n.anytime() {
			last = ids[n.id]
		} else {
			to = &aside
			ends += ids[n.id] + " ~~~ "
		}
		text := "<b>" + escapeMermaid(n.mark()) + "</b>"
		if rest := slices.Concat(n.lines, n.figure); len(rest) > 0 {
			text += "<br/>" + mermaidText(rest)
		}
		fmt.Fprintf(to, "  %s"+looks[n.kind].mermaid+":::%s\n", ids[n.id], text, kindNames[n.kind])
		if n.change != same {
			fmt.Fprintf(to, "  class %s %s\n", ids[n.id], changeWords[n.change])
		}
	}
	most := 0
	for _, a := range gr.arcs {
		most = max(most, a.passed)
	}
	for i, a := range gr.arcs {
		text := mermaidText(a.text())
		if gr.counted && a.change != removed {
			text += "<br/><b>" + grouped(a.passed) + "</b>"
		}
		paired := slices.ContainsFunc(gr.arcs, func(o arc) bool { return o.from == a.to && o.to == a.from && o.from != o.to })
		line := mermaidLines[a.change == removed][paired]
		fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", ids[a.from], line, text, ids[a.to])
		if style := a.mermaid(gr.counted, most); style != "" {
			fmt.Fprintf(&b, "  linkStyle %d %s\n", i, style)
		}
	}
	frame := "  style %s fill:#ffffff,stroke:#9ca3af,stroke-dasharray:5 4,color:#374151\n"
	if aside.Len() > 0 {
		b.WriteString("  subgraph anytime [\"Ends the journey from any state\"]\n  direction LR\n" + aside.String() + "  " + strings.TrimSuffix(ends, " ~~~ ") + "\n  end\n")
		fmt.Fprintf(&b, frame, "anytime")
		b.WriteString("  anytime ~~~ n0\n")
	}
	var keys []string
	b.WriteString("  subgraph legend [\"Legend\"]\n  direction LR\n")
	for kind, name := range kindNames {
		if slices.ContainsFunc(gr.nodes, func(n node) bool { return n.kind == nodeKind(kind) }) {
			keys = append(keys, fmt.Sprintf("k%d", kind))
			fmt.Fprintf(&b, "  k%d"+looks[kind].mermaid+":::%s\n", kind, looks[kind].legend, name)
		}
	}
	for c := added; gr.changes && c <= removed; c++ {
		keys = append(keys, fmt.Sprintf("c%d", c))
		fmt.Fprintf(&b, "  c%d[\"%s since the earlier version\"]:::%s\n  style c%d fill:#ffffff\n", c, changeWords[c], changeWords[c], c)
	}
	for row := range slices.Chunk(keys, 4) {
		if len(row) > 1 {
			b.WriteString("  " + strings.Join(row, " ~~~ ") + "\n")
		}
	}
	b.WriteString("  end\n")
	fmt.Fprintf(&b, frame, "legend")
	fmt.Fprintf(&b, "  %s ~~~ legend\n", last)
	for kind, name := range kindNames {
		l := looks[kind]
		text := "#111827"
		if nodeKind(kind) == entryNode {
			text = "#ffffff"
		}
		fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:%s\n", name, l.fill, l.line, text)
	}
	for c := added; gr.changes && c <= removed; c++ {
		dash := ""
		if c == removed {
			dash = ",fill:#ffffff,stroke-dasharray:6 4,color:#6b7280"
		}
		fmt.Fprintf(&b, "  classDef %s stroke:%s,stroke-width:3px%s\n", changeWords[c], changeColors[c], dash)
	}
	return b.String()
}

// mermaidLines are the arrows of Mermaid: drawn or dashed, and long where another
// leads back, so that the labels of the two stand apart.
var mermaidLines = map[bool]map[bool]string{false: {false: "-->", true: "--->"}, true: {false: "-.->", true: "-..->"}}

// mermaid is the arc's style for Mermaid; "" is the usual one.
func (a *arc) mermaid(counted bool, most int) string {
	var style []string
	if a.change != same {
		style = append(style, "stroke:"+changeColors[a.change], "color:"+changeColors[a.change])
	} else if counted && a.passed == 0 {
		style = append(style, "stroke:#c4c8ce", "color:#9ca3af")
	}
	switch {
	case counted && most > 0 && a.change != removed:
		style = append(style, fmt.Sprintf("stroke-width:%.1fpx", 0.8+4*float64(a.passed)/float64(most)))
	case a.change != same:
		style = append(style, "stroke-width:2px")
	}
	return strings.Join(style, ",")
}

// mermaidText are lines of a label, each written so that nothing ends it.
func mermaidText(lines []string) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = escapeMermaid(l)
	}
	return strings.Join(out, "<br/>")
}

// escapeMermaid writes the characters that end a Mermaid label as entities.
func escapeMermaid(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ").Replace(s)
}
