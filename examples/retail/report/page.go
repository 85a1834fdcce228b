package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"tone": func(t Tone) string { return [...]string{"", "good", "warn", "bad"}[t%4] },
	"numeric": func(columns []bool, i int) bool {
		return i < len(columns) && columns[i]
	},
	"anchor": func(i int) string { return fmt.Sprintf("s%d", i+1) },
}).Parse(pageSource))

// The widths of the pictures of a card, in pixels of a full page.
const (
	halfWidth = 520
	fullWidth = 1092
)

// view is a block as the page shows it: what is not empty, from top to bottom.
type view struct {
	Title, Unit, Caption string
	Badge                string
	Tone                 Tone // of the badge, or of the lines
	Wide                 bool
	Figures              []Figure
	Body                 template.HTML
	Table                *Table
	Lines                []string
	Items                []Explanation
	Reconciliation       *Reconciliation

	picture func(width float64) template.HTML
}

// HTML writes the report as one page that needs nothing else: styles and
// pictures are inside. Every text is escaped. A diagram that cannot be drawn,
// or a series whose lines are of unequal length, is an error.
func (r Report) HTML(w io.Writer) error {
	type section struct {
		Title, Lead string
		Blocks      []view
	}
	data := struct {
		Report
		Under    string
		Badge    string
		Tone     Tone
		Sections []section
	}{Report: r, Under: r.under()}
	data.Badge, data.Tone = r.verdict()
	for _, s := range r.Sections {
		out := section{Title: s.Title, Lead: s.Lead}
		for _, b := range s.Blocks {
			v, err := b.html()
			if err != nil {
				return err
			}
			out.Blocks = append(out.Blocks, v)
		}
		arrange(out.Blocks)
		data.Sections = append(data.Sections, out)
	}
	return page.Execute(w, data)
}

// verdict sums up the reconciliations of the report for its head; empty where it has none.
func (r Report) verdict() (string, Tone) {
	lines, unequal, found := 0, 0, false
	for _, s := range r.Sections {
		for _, b := range s.Blocks {
			c, ok := b.(Reconciliation)
			if !ok {
				continue
			}
			found = true
			lines += len(c.Checks)
			for _, check := range c.Checks {
				if !check.Equal {
					unequal++
				}
			}
		}
	}
	switch {
	case !found:
		return "", Neutral
	case unequal > 0 || lines == 0:
		return fmt.Sprintf("%d of %d figures differ from the input files", unequal, lines), Bad
	}
	return fmt.Sprintf("all %d figures equal the input files", lines), Good
}

// arrange lets two narrow blocks share a row, widens those that stay alone, and draws.
func arrange(blocks []view) {
	for i := 0; i < len(blocks); i++ {
		switch {
		case blocks[i].Wide:
		case i+1 < len(blocks) && !blocks[i+1].Wide:
			i++
		default:
			blocks[i].Wide = true
		}
	}
	for i := range blocks {
		if b := &blocks[i]; b.picture != nil {
			width := float64(halfWidth)
			if b.Wide {
				width = fullWidth
			}
			b.Body = b.picture(width)
		}
	}
}

func (f Figures) html() (view, error) { return view{Title: f.Title, Figures: f.Rows}, nil }

func (b Table) html() (view, error) {
	return view{Title: b.Title, Caption: b.Caption, Table: &b, Wide: len(b.Columns) > 4}, nil
}

func (e Explanations) html() (view, error) {
	return view{Title: e.Title, Items: e.Items, Wide: len(e.Items) > 2}, nil
}

func (r Reconciliation) html() (view, error) {
	v := view{Title: r.Title, Caption: r.Caption, Reconciliation: &r, Wide: true, Badge: r.verdict(), Tone: Bad}
	if r.Equal() {
		v.Tone = Good
	}
	return v, nil
}

func (n Notes) html() (view, error) { return view{Title: n.Title, Lines: n.Lines, Tone: n.Tone}, nil }
