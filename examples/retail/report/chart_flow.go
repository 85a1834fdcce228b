package report

import (
	"fmt"
	"html/template"
)

func (m Movement) html() (view, error) {
	v := view{
		Title: m.Title, Unit: m.Unit, Caption: m.Caption, Badge: "ties", Tone: Good,
		picture: func(width float64) template.HTML { return m.draw(width) },
	}
	if !m.Ties() {
		v.Badge, v.Tone = "does not tie", Bad
	}
	return v, nil
}

func (m Movement) draw(width float64) template.HTML {
	const height = 290
	g := newSVG(width, height, titled(m.Title, m.Unit))
	running := float64(m.Opening)
	low, high := min(0, running), max(0, running)
	for _, s := range m.Steps {
		running += float64(s.Delta)
		low, high = min(low, running), max(high, running)
	}
	low, high = min(low, float64(m.Closing)), max(high, float64(m.Closing))
	low, high, ticks := nice(low, high, 5)
	f := &frame{svg: g, bottom: height - 44, top: 20}
	n := len(m.Steps) + 2
	f.x = scale{0, float64(n), 46, width - 4}
	f.y = scale{low, high, f.bottom, f.top}
	f.grid(ticks, compact)

	slot := (f.x.to - f.x.from) / float64(n)
	breadth := min(slot*0.66, 84)
	column := func(i int, name string, from, to float64, fill, value string) {
		x := f.x.at(float64(i)+0.5) - breadth/2
		top, bottom := f.y.at(max(from, to)), f.y.at(min(from, to))
		g.rect(x, top, breadth, max(bottom-top, 1.5), fill, name+": "+value)
		g.text(x+breadth/2, top-5, atMiddle, "value", shortened(value, from, to, slot))
		for k, text := range wrap(name, 11.5, slot-4, 2) {
			g.text(x+breadth/2, f.bottom+17+float64(k)*14, atMiddle, "tick", text)
		}
	}
	running = float64(m.Opening)
	column(0, "Opening", 0, running, balance, Count(m.Opening))
	for i, s := range m.Steps {
		y := f.y.at(running)
		g.line(f.x.at(float64(i)+0.5)+breadth/2, y, f.x.at(float64(i)+1.5)-breadth/2, y, "link")
		fill := inflow
		if s.Delta < 0 {
			fill = outflow
		}
		column(i+1, s.Name, running, running+float64(s.Delta), fill, signed(s.Delta))
		running += float64(s.Delta)
	}
	y := f.y.at(running)
	g.line(f.x.at(float64(n)-1.5)+breadth/2, y, f.x.at(float64(n)-0.5)-breadth/2, y, "link")
	column(n-1, "Closing", 0, float64(m.Closing), balance, Count(m.Closing))
	return g.done()
}

// shortened is the value as it is, or compact where its column is too narrow.
func shortened(value string, from, to, width float64) string {
	if measure(value, 12) <= width-2 {
		return value
	}
	delta := to - from
	if from == 0 {
		return compact(roundTo(to, 4))
	}
	if delta > 0 {
		return "+" + compact(roundTo(delta, 4))
	}
	return compact(roundTo(delta, 4))
}

func (f Flows) check() error {
	for _, l := range f.Lines {
		if len(l.Deltas) != len(f.At) {
			return fmt.Errorf("report: flows %q: line %q has %d values for %d periods", f.Title, l.Name, len(l.Deltas), len(f.At))
		}
	}
	return nil
}

func (f Flows) html() (view, error) {
	if err := f.check(); err != nil {
		return view{}, err
	}
	return view{
		Title: f.Title, Unit: f.Unit, Caption: f.Caption,
		picture: func(width float64) template.HTML { return f.draw(width) },
	}, nil
}

func (f Flows) draw(width float64) template.HTML {
	const height = 290
	g := newSVG(width, height, titled(f.Title, f.Unit))
	if len(f.At) == 0 {
		g.text(width/2, height/2, atMiddle, "label", "no data")
		return g.done()
	}
	low, high := 0.0, 0.0
	for i := range f.At {
		up, down := 0.0, 0.0
		for _, l := range f.Lines {
			if d := float64(l.Deltas[i]); d > 0 {
				up += d
			} else {
				down += d
			}
		}
		low, high = min(low, down), max(high, up)
	}
	low, high, ticks := nice(low, high, 5)
	names, colors := make([]string, len(f.Lines)), make([]string, len(f.Lines))
	for i, l := range f.Lines {
		names[i], colors[i] = l.Name, color(i)
	}
	used := g.legend(46, 12, names, colors)
	a := &frame{svg: g, bottom: height - 36, top: used + 14}
	a.x = scale{0, float64(len(f.At)), 46, width - 4}
	a.y = scale{low, high, a.bottom, a.top}
	a.grid(ticks, compact)
	slot := (a.x.to - a.x.from) / float64(len(f.At))
	breadth := min(slot*0.7, 46)
	every := 1
	for float64(every)*slot < 34 {
		every++
	}
	year := 0
	for i, at := range f.At {
		x := a.x.at(float64(i) + 0.5)
		up, down := 0.0, 0.0
		for k, l := range f.Lines {
			d := float64(l.Deltas[i])
			if d == 0 {
				continue
			}
			title := fmt.Sprintf("%s, %s: %s", l.Name, at.Format("January 2006"), signed(l.Deltas[i]))
			if d > 0 {
				g.rect(x-breadth/2, a.y.at(up+d), breadth, a.y.at(up)-a.y.at(up+d), color(k), title)
				up += d
			} else {
				g.rect(x-breadth/2, a.y.at(down), breadth, a.y.at(down+d)-a.y.at(down), color(k), title)
				down += d
			}
		}
		if i%every != 0 {
			continue
		}
		g.text(x, a.bottom+17, atMiddle, "tick", at.Format("Jan"))
		if at.Year() != year {
			year = at.Year()
			g.text(x, a.bottom+31, atMiddle, "tick strong", at.Format("2006"))
		}
	}
	a.line(a.x.from, a.y.at(0), a.x.to, a.y.at(0), "axis")
	return g.done()
}
