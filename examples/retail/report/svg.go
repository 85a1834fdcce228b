package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// palette are the colors of lines and parts, told apart also by who does not
// see red and green alike, and printed gray.
var palette = []string{"#2f6bd8", "#e08a00", "#109688", "#b63f73", "#7a56c8", "#5c6b80", "#3aa3cf", "#8d9418"}

func color(i int) string { return palette[i%len(palette)] }

// The colors with a meaning.
const (
	inflow   = "#109688"
	outflow  = "#c8466b"
	balance  = "#2f4a7d"
	gridline = "#e6eaf1"
)

// svg builds one picture. Everything written through it is escaped.
type svg struct {
	b             strings.Builder
	width, height float64
}

func newSVG(width, height float64, label string) *svg {
	s := &svg{width: width, height: height}
	fmt.Fprintf(&s.b, `<svg viewBox="0 0 %s %s" role="img" aria-label="%s">`, num(width), num(height), html.EscapeString(label))
	return s
}

func (s *svg) done() template.HTML {
	s.b.WriteString("</svg>")
	return template.HTML(s.b.String())
}

// num writes a coordinate to a tenth of a pixel.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// tag writes an element with attributes in pairs, and a title that shows on hovering.
func (s *svg) tag(name, title string, attributes ...string) {
	s.b.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		fmt.Fprintf(&s.b, ` %s="%s"`, attributes[i], html.EscapeString(attributes[i+1]))
	}
	if title == "" {
		s.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&s.b, "><title>%s</title></%s>", html.EscapeString(title), name)
}

func (s *svg) line(x1, y1, x2, y2 float64, class string) {
	s.tag("line", "", "x1", num(x1), "y1", num(y1), "x2", num(x2), "y2", num(y2), "class", class)
}

func (s *svg) rect(x, y, w, h float64, fill, title string) {
	s.tag("rect", title, "x", num(x), "y", num(y), "width", num(max(w, 0)), "height", num(max(h, 0)), "rx", "2", "fill", fill)
}

func (s *svg) circle(x, y, r float64, fill, title string) {
	s.tag("circle", title, "cx", num(x), "cy", num(y), "r", num(r), "fill", fill)
}

// The anchors of text.
const (
	atStart  = "start"
	atMiddle = "middle"
	atEnd    = "end"
)

func (s *svg) text(x, y float64, anchor, class, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(&s.b, `<text x="%s" y="%s" text-anchor="%s" class="%s">%s</text>`,
		num(x), num(y), anchor, html.EscapeString(class), html.EscapeString(text))
}

func (s *svg) colored(x, y float64, anchor, class, fill, text string) {
	fmt.Fprintf(&s.b, `<text x="%s" y="%s" text-anchor="%s" class="%s" style="fill:%s">%s</text>`,
		num(x), num(y), anchor, html.EscapeString(class), html.EscapeString(fill), html.EscapeString(text))
}

type point struct{ x, y float64 }

func pathOf(points []point) string {
	var b strings.Builder
	for i, p := range points {
		if i == 0 {
			b.WriteString("M")
		} else {
			b.WriteString("L")
		}
		b.WriteString(num(p.x) + " " + num(p.y))
	}
	return b.String()
}

// measure estimates the width of text of the given size in pixels, on the
// high side, from the proportions of common sans-serif faces.
func measure(text string, size float64) float64 {
	em := 0.0
	for _, r := range text {
		switch {
		case columns.RuneWidth(r) == 2:
			em++
		case strings.ContainsRune("ijlI.,:;'|!()[] ", r):
			em += 0.3
		case strings.ContainsRune("ftr/-", r):
			em += 0.37
		case strings.ContainsRune("mwMW@%", r):
			em += 0.9
		case r >= 'A' && r <= 'Z':
			em += 0.7
		default:
			em += 0.57
		}
	}
	return em * size
}

// clip shortens text that is wider than width.
func clip(text string, size, width float64) string {
	if measure(text, size) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 1 && measure(string(runes)+"…", size) > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRight(string(runes), " ") + "…"
}

// wrap breaks text at spaces into at most n lines of the given width.
func wrap(text string, size, width float64, n int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if last := len(lines) - 1; last >= 0 && (measure(lines[last]+" "+word, size) <= width || len(lines) == n) {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	for i := range lines {
		lines[i] = clip(lines[i], size, width)
	}
	return lines
}

// legend writes names with their colors from the left, in as many rows as they
// need, and returns the height used.
func (s *svg) legend(x, y float64, names, colors []string) float64 {
	at, height := x, 16.0
	for i, name := range names {
		w := 16 + measure(name, 12) + 16
		if at > x && at+w > s.width {
			at = x
			y += 18
			height += 18
		}
		s.rect(at, y-9, 10, 10, colors[i], "")
		s.text(at+15, y, atStart, "label", name)
		at += w
	}
	return height
}

// spread moves positions apart so that neighbors keep a distance, within low…high.
func spread(at []float64, distance, low, high float64) []float64 {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	for i := 1; i < len(order); i++ {
		for j := i; j > 0 && at[order[j]] < at[order[j-1]]; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	out := make([]float64, len(at))
	previous := low - distance
	for _, i := range order {
		out[i] = max(at[i], previous+distance)
		previous = out[i]
	}
	limit := high
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		out[i] = min(out[i], limit)
		limit = out[i] - distance
	}
	return out
}
