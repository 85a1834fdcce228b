package report

import (
	"html/template"
)

func (b Bars) html() (view, error) {
	return view{
		Title: b.Title, Unit: b.Unit, Caption: b.Caption,
		picture: func(width float64) template.HTML { return b.draw(width) },
	}, nil
}

func (b Bars) draw(width float64) template.HTML {
	const row = 27
	g := newSVG(width, float64(max(1, len(b.Rows)))*row+8, titled(b.Title, b.Unit))
	if len(b.Rows) == 0 {
		g.text(width/2, 20, atMiddle, "label", "none")
		return g.done()
	}
	names, values, greatest := 0.0, 0.0, int64(0)
	for _, r := range b.Rows {
		names = max(names, measure(r.Name, 12.5))
		values = max(values, measure(Count(r.Value)+"  "+r.Note, 12))
		greatest = max(greatest, r.Value)
	}
	names, values = min(names, width*0.4)+10, min(values, width*0.35)+10
	for i, r := range b.Rows {
		y := float64(i)*row + 6
		length := share(r.Value, greatest) * (width - names - values)
		g.text(names-10, y+14, atEnd, "label", clip(r.Name, 12.5, names-10))
		g.rect(names, y, width-names-values, 19, "#f2f5fa", "")
		g.rect(names, y, max(length, 1.5), 19, palette[0], r.Name+": "+Count(r.Value))
		g.text(width-values+8, y+14, atStart, "value", Count(r.Value))
		g.text(width-values+8+measure(Count(r.Value)+" ", 12.5), y+14, atStart, "tick", r.Note)
	}
	return g.done()
}

func (f Funnel) html() (view, error) {
	return view{
		Title: f.Title, Caption: f.Caption,
		picture: func(width float64) template.HTML { return f.draw(width) },
	}, nil
}

// draw shows each step as a bar centered under the one before, with the share
// that went on between them.
func (f Funnel) draw(width float64) template.HTML {
	const row, gap = 34.0, 22.0
	n := float64(max(1, len(f.Steps)))
	g := newSVG(width, n*row+(n-1)*gap+6, f.Title)
	if len(f.Steps) == 0 {
		g.text(width/2, 20, atMiddle, "label", "no steps")
		return g.done()
	}
	names, greatest := 0.0, int64(0)
	for _, s := range f.Steps {
		names = max(names, measure(s.Name, 13))
		greatest = max(greatest, s.Count)
	}
	names = min(names, width*0.34) + 14
	const figures = 118.0
	room := width - names - figures
	center := names + room/2
	length := func(s Step) float64 { return max(share(s.Count, greatest)*room, 3) }
	for i, s := range f.Steps {
		y := float64(i)*(row+gap) + 3
		w := length(s)
		if i > 0 {
			previous := f.Steps[i-1]
			p := length(previous)
			g.tag("path", "", "d", pathOf([]point{
				{center - p/2, y - gap}, {center + p/2, y - gap}, {center + w/2, y}, {center - w/2, y},
			})+"Z", "fill", palette[0], "fill-opacity", "0.10")
			g.text(center, y-gap/2+4, atMiddle, "tick", percentShort(s.Count, previous.Count)+" go on")
		}
		g.text(names-14, y+row/2+5, atEnd, "label", clip(s.Name, 13, names-14))
		g.rect(center-w/2, y, w, row, palette[0], s.Name+": "+Count(s.Count))
		g.text(names+room+12, y+row/2+5, atStart, "value", Count(s.Count))
		g.text(width, y+row/2+5, atEnd, "tick", percentShort(s.Count, f.Steps[0].Count))
	}
	return g.done()
}
