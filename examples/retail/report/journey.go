package report

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"html"
	"html/template"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-graphviz"
)

// dotDefaults come before the statements of a diagram, so that what it says
// itself still holds.
const dotDefaults = `
graph [bgcolor="transparent", pad="0.1", nodesep="0.35", ranksep="0.45", fontname="Helvetica", fontsize="12", fontcolor="#1d2a44"];
node [shape="box", style="rounded,filled", fillcolor="#f1f5fc", color="#9fb3d4", fontname="Helvetica", fontsize="11", fontcolor="#1d2a44", margin="0.16,0.08", penwidth="1.1"];
edge [color="#7d8ca5", fontname="Helvetica", fontsize="10", fontcolor="#4a5872", arrowsize="0.7"];
`

func (j Journey) html() (view, error) {
	body, err := drawDOT(j.DOT, j.Title)
	if err != nil {
		return view{}, fmt.Errorf("report: journey %q: %w", j.Title, err)
	}
	return view{Title: j.Title, Caption: j.Caption, Figures: j.Figures, Body: body, Wide: true}, nil
}

// withDefaults puts the defaults behind the brace that opens the graph.
func withDefaults(dot string) string {
	quoted := false
	for i := 0; i < len(dot); i++ {
		switch {
		case quoted && dot[i] == '\\':
			i++
		case dot[i] == '"':
			quoted = !quoted
		case dot[i] == '{' && !quoted:
			return dot[:i+1] + dotDefaults + dot[i+1:]
		}
	}
	return dot
}

// drawing guards the layout engine, of which a process has one.
var drawing sync.Mutex

// drawDOT lays a diagram out and keeps of the picture only shapes and text.
// What the engine reports on closing is not looked at: it repeats warnings
// about the layout, such as a label wider than its node. After a syntax error
// the engine reads no other diagram in the same process.
func drawDOT(dot, label string) (template.HTML, error) {
	drawing.Lock()
	defer drawing.Unlock()
	ctx := context.Background()
	g, err := graphviz.New(ctx)
	if err != nil {
		return "", err
	}
	defer g.Close()
	graph, err := graphviz.ParseBytes([]byte(withDefaults(dot)))
	if err != nil {
		return "", err
	}
	defer graph.Close()
	var out bytes.Buffer
	if err := g.Render(ctx, graph, graphviz.SVG, &out); err != nil {
		return "", err
	}
	return sanitize(&out, label)
}

// What is taken over from a drawn diagram: no link, no image, no script, no style sheet.
var (
	keptElements   = map[string]bool{"svg": true, "g": true, "path": true, "polygon": true, "polyline": true, "ellipse": true, "text": true, "title": true}
	keptAttributes = map[string]bool{
		"viewBox": true, "transform": true, "d": true, "points": true, "cx": true, "cy": true, "rx": true, "ry": true, "x": true, "y": true,
		"fill": true, "fill-opacity": true, "stroke": true, "stroke-width": true, "stroke-dasharray": true, "stroke-opacity": true,
		"text-anchor": true, "font-size": true, "font-weight": true, "font-style": true,
	}
)

func sanitize(r io.Reader, label string) (template.HTML, error) {
	d := xml.NewDecoder(r)
	d.Strict = true
	var b strings.Builder
	skip := 0 // depth inside an element that is dropped
	for {
		token, err := d.Token()
		if err == io.EOF {
			return template.HTML(b.String()), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading the drawn diagram: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			if skip > 0 || !keptElements[name] && name != "a" {
				skip++
				continue
			}
			if name == "a" { // the shapes inside a link stay
				b.WriteString("<g>")
				continue
			}
			b.WriteString("<" + name)
			for _, a := range token.Attr {
				switch {
				case name == "svg" && a.Name.Local == "width":
					fmt.Fprintf(&b, ` style="width:%spx"`, num(points(a.Value)*4/3))
				case keptAttributes[a.Name.Local] && a.Name.Space == "" && !strings.Contains(a.Value, "url("):
					fmt.Fprintf(&b, ` %s="%s"`, a.Name.Local, html.EscapeString(a.Value))
				}
			}
			if name == "svg" {
				fmt.Fprintf(&b, ` class="diagram" role="img" aria-label="%s"`, html.EscapeString(label))
			}
			b.WriteString(">")
		case xml.EndElement:
			switch {
			case skip > 0:
				skip--
			case token.Name.Local == "a":
				b.WriteString("</g>")
			default:
				b.WriteString("</" + token.Name.Local + ">")
			}
		case xml.CharData:
			if skip == 0 {
				b.WriteString(html.EscapeString(string(token)))
			}
		}
	}
}

// points reads "612pt".
func points(s string) float64 {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "pt"), 64)
	if err != nil {
		return 0
	}
	return v
}
