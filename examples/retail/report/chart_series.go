package report

import (
	"fmt"
	"html/template"
	"time"
)

// frame is the plotting area of a chart over time.
type frame struct {
	*svg
	x, y   scale
	bottom float64
	top    float64
}

// timeAxis draws month labels, the year below where it changes, and marks.
func (f *frame) timeAxis(from, to time.Time, marks []Mark, position func(time.Time) float64) {
	year := 0
	for _, m := range months(from, to, int((f.x.to-f.x.from)/44)) {
		x := position(m)
		f.line(x, f.bottom, x, f.bottom+4, "axis")
		f.text(x, f.bottom+17, atMiddle, "tick", m.Format("Jan"))
		if m.Year() != year {
			year = m.Year()
			f.text(x, f.bottom+31, atMiddle, "tick strong", m.Format("2006"))
		}
	}
	f.marks(from, to, marks, position)
}

func (f *frame) marks(from, to time.Time, marks []Mark, position func(time.Time) float64) {
	for _, m := range marks {
		if m.At.Before(from) || m.At.After(to) {
			continue
		}
		x := position(m.At)
		f.line(x, f.top-4, x, f.bottom, "mark")
		anchor := atMiddle
		if half := measure(m.Name, 11) / 2; x-half < f.x.from {
			anchor = atStart
		} else if x+half > f.x.to {
			anchor = atEnd
		}
		f.text(x, f.top-8, anchor, "tick", m.Name)
	}
}

// grid draws the value axis.
func (f *frame) grid(ticks []float64, write func(float64) string) {
	for _, v := range ticks {
		y := f.y.at(v)
		class := "grid"
		if v == 0 {
			class = "axis"
		}
		f.line(f.x.from, y, f.x.to, y, class)
		f.text(f.x.from-7, y+4, atEnd, "tick", write(v))
	}
}

func (s Series) check() error {
	for _, l := range s.Lines {
		if len(l.Values) != len(s.At) {
			return fmt.Errorf("report: series %q: line %q has %d values for %d instants", s.Title, l.Name, len(l.Values), len(s.At))
		}
	}
	return nil
}

func (s Series) html() (view, error) {
	if err := s.check(); err != nil {
		return view{}, err
	}
	return view{
		Title: s.Title, Unit: s.Unit, Caption: s.Caption,
		picture: func(width float64) template.HTML { return s.draw(width) },
	}, nil
}

func (s Series) draw(width float64) template.HTML {
	const height = 290
	g := newSVG(width, height, titled(s.Title, s.Unit))
	if len(s.At) == 0 || len(s.Lines) == 0 {
		g.text(width/2, height/2, atMiddle, "label", "no data")
		return g.done()
	}
	names := 0.0
	for _, l := range s.Lines {
		names = max(names, measure(l.Name, 12))
	}
	names = min(names+14, width*0.3)
	from, to := s.At[0], s.At[len(s.At)-1]

	// Lines as they are drawn: stacked ones stand on those before them.
	tops := make([][]float64, len(s.Lines))
	low, high := 0.0, 0.0
	sum := make([]float64, len(s.At))
	for i, l := range s.Lines {
		tops[i] = make([]float64, len(s.At))
		for j, v := range l.Values {
			if s.Stacked {
				sum[j] += v
				v = sum[j]
			}
			tops[i][j] = v
			low, high = min(low, v), max(high, v)
		}
	}
	low, high, ticks := nice(low, high, 5)
	f := &frame{svg: g, bottom: height - 36, top: 22}
	f.x = scale{float64(from.Unix()), float64(to.Unix()), 46, width - names}
	f.y = scale{low, high, f.bottom, f.top}
	position := func(t time.Time) float64 { return f.x.at(float64(t.Unix())) }
	f.grid(ticks, compact)

	ends := make([]float64, len(s.Lines))
	lower := make([]float64, len(s.At))
	for i := range s.Lines {
		points := make([]point, len(s.At))
		for j, t := range s.At {
			points[j] = point{position(t), f.y.at(tops[i][j])}
		}
		if s.Stacked {
			area := append([]point(nil), points...)
			for j := len(s.At) - 1; j >= 0; j-- {
				area = append(area, point{points[j].x, f.y.at(lower[j])})
			}
			g.tag("path", s.Lines[i].Name, "d", pathOf(area)+"Z", "fill", color(i), "fill-opacity", "0.82")
			last := len(s.At) - 1
			ends[i] = (points[last].y + f.y.at(lower[last])) / 2
			copy(lower, tops[i])
			continue
		}
		g.tag("path", "", "d", pathOf(points), "class", "curve", "stroke", color(i))
		ends[i] = points[len(points)-1].y
	}
	f.timeAxis(from, to, s.Marks, position)
	for i, y := range spread(ends, 15, f.top, f.bottom) {
		g.colored(f.x.to+8, y+4, atStart, "label strong", color(i), clip(s.Lines[i].Name, 12, names-10))
	}
	// Values show on hovering, where there are not too many.
	if len(s.At)*len(s.Lines) <= 400 {
		for i, l := range s.Lines {
			for j, t := range s.At {
				title := fmt.Sprintf("%s, %s: %s", l.Name, t.Format("2 Jan 2006"), decimal(l.Values[j], 1))
				g.circle(position(t), f.y.at(tops[i][j]), 5, "transparent", title)
			}
		}
	}
	return g.done()
}

// bounds are those of the scale, or of the intervals where none are given.
func (s Scores) bounds() (low, high float64) {
	if s.Low < s.High {
		return s.Low, s.High
	}
	first := true
	for _, p := range s.Points {
		if p.N == 0 {
			continue
		}
		if first {
			low, high, first = p.Low, p.High, false
		}
		low, high = min(low, p.Low), max(high, p.High)
	}
	if low == high {
		high = low + 1
	}
	return low, high
}

func (s Scores) html() (view, error) {
	return view{
		Title: s.Title, Unit: s.Unit, Caption: s.Caption,
		picture: func(width float64) template.HTML { return s.draw(width) },
	}, nil
}

func (s Scores) draw(width float64) template.HTML {
	const height = 290
	g := newSVG(width, height, titled(s.Title, s.Unit))
	if len(s.Points) == 0 {
		g.text(width/2, height/2, atMiddle, "label", "no answers")
		return g.done()
	}
	// The picture shows the part of the scale on which something happens.
	low, high := Scores{Points: s.Points}.bounds()
	low, high, ticks := nice(low, high, 5)
	if s.Low < s.High {
		low, high = max(low, s.Low), min(high, s.High)
	}
	f := &frame{svg: g, bottom: height - 52, top: 22}
	slot := (width - 46 - 10) / float64(len(s.Points))
	f.x = scale{0, float64(len(s.Points)), 46, width - 10}
	f.y = scale{low, high, f.bottom, f.top}
	for _, v := range ticks {
		if v < low || v > high {
			continue
		}
		class := "grid"
		if v == 0 {
			class = "axis"
		}
		f.line(f.x.from, f.y.at(v), f.x.to, f.y.at(v), class)
		f.text(f.x.from-7, f.y.at(v)+4, atEnd, "tick", decimal(v, 2))
	}
	middle := func(i int) float64 { return f.x.at(float64(i) + 0.5) }

	// Runs of periods with answers are joined; one without breaks the line.
	var run []int
	flush := func() {
		if len(run) > 0 {
			var curve, band []point
			for _, i := range run {
				curve = append(curve, point{middle(i), f.y.at(s.Points[i].Value)})
				band = append(band, point{middle(i), f.y.at(s.Points[i].High)})
			}
			for k := len(run) - 1; k >= 0; k-- {
				band = append(band, point{middle(run[k]), f.y.at(s.Points[run[k]].Low)})
			}
			g.tag("path", "", "d", pathOf(band)+"Z", "fill", palette[0], "fill-opacity", "0.14")
			g.tag("path", "", "d", pathOf(curve), "class", "curve", "stroke", palette[0])
		}
		run = run[:0]
	}
	for i, p := range s.Points {
		if p.N == 0 {
			flush()
			continue
		}
		run = append(run, i)
	}
	flush()
	every := 1
	for float64(every)*slot < 34 {
		every++
	}
	year := 0
	for i, p := range s.Points {
		x := middle(i)
		if p.N > 0 {
			g.line(x, f.y.at(p.Low), x, f.y.at(p.High), "whisker")
			title := fmt.Sprintf("%s: %s, 95 %% interval %s to %s, %s answers", p.At.Format("January 2006"),
				fixed(p.Value, s.Decimals), fixed(p.Low, s.Decimals), fixed(p.High, s.Decimals), Count(p.N))
			g.circle(x, f.y.at(p.Value), 4, palette[0], title)
			if slot >= 30 {
				g.text(x+7, f.y.at(p.Value)-6, atStart, "value", fixed(p.Value, s.Decimals))
			}
		}
		if i%every != 0 {
			continue
		}
		g.text(x, f.bottom+16, atMiddle, "tick", p.At.Format("Jan"))
		g.text(x, f.bottom+45, atMiddle, "tick faint", Count(p.N))
		if p.At.Year() != year {
			year = p.At.Year()
			g.text(x, f.bottom+30, atMiddle, "tick strong", p.At.Format("2006"))
		}
	}
	g.text(f.x.from-7, f.bottom+45, atEnd, "tick faint", "n =")
	first, last := s.Points[0].At, s.Points[len(s.Points)-1].At.AddDate(0, 1, 0)
	f.marks(first, last, s.Marks, func(t time.Time) float64 {
		for i := len(s.Points) - 1; i >= 0; i-- {
			if start := s.Points[i].At; !t.Before(start) {
				return f.x.at(float64(i) + min(1, t.Sub(start).Hours()/(30.5*24)))
			}
		}
		return f.x.from
	})
	return g.done()
}
