package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/cxkit/cxkit/examples/retail/input"
)

// textWidth is the number of columns that the text keeps to where its content allows.
const textWidth = 100

// columns measures text as a terminal shows it: Chinese characters take two.
var columns = &runewidth.Condition{}

// Text writes the report as aligned plain text, without escape sequences. A
// series or flow whose lines are of unequal length is an error.
func (r Report) Text(w io.Writer) error {
	t := &textWriter{w: bufio.NewWriter(w)}
	t.line(r.Title)
	t.line(strings.Repeat("═", columns.StringWidth(r.Title)))
	if under := r.under(); under != "" {
		t.line(under)
	}
	if len(r.Headline) > 0 {
		t.line("")
		t.figures(r.Headline)
	}
	for _, s := range r.Sections {
		t.line("")
		t.line("── " + s.Title + " " + strings.Repeat("─", max(3, textWidth-4-columns.StringWidth(s.Title))))
		if s.Lead != "" {
			t.paragraph("", s.Lead)
		}
		for _, b := range s.Blocks {
			t.line("")
			b.text(t)
		}
	}
	if t.err != nil {
		return t.err
	}
	return t.w.Flush()
}

// under is the subtitle with the period that the data cover.
func (r Report) under() string {
	period := ""
	if !r.From.IsZero() && !r.To.IsZero() {
		period = r.From.Format("2 January 2006") + " to " + r.To.Format("2 January 2006")
	}
	if r.Subtitle != "" && period != "" {
		return r.Subtitle + " · " + period
	}
	return r.Subtitle + period
}

// textWriter keeps the first error.
type textWriter struct {
	w   *bufio.Writer
	err error
}

func (t *textWriter) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *textWriter) line(s string) {
	if _, err := t.w.WriteString(strings.TrimRight(s, " ") + "\n"); err != nil {
		t.fail(err)
	}
}

func (t *textWriter) title(s string) {
	if s != "" {
		t.line(s)
	}
}

// caption closes a block with what there is to know about it.
func (t *textWriter) caption(s string) {
	if s != "" {
		t.paragraph("  ", s)
	}
}

// paragraph wraps words at the width of the text.
func (t *textWriter) paragraph(indent, s string) {
	for _, l := range wrapText(s, textWidth-len(indent)) {
		t.line(indent + l)
	}
}

func left(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-columns.StringWidth(s)))
}

func right(s string, width int) string {
	return strings.Repeat(" ", max(0, width-columns.StringWidth(s))) + s
}

// table sets cells in columns; numeric says which are set right. A last column
// of text that goes beyond the width is wrapped under itself.
func (t *textWriter) table(head []string, rows [][]string, numeric []bool) {
	var widths []int
	measure := func(row []string) {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns.StringWidth(cell))
		}
	}
	measure(head)
	for _, row := range rows {
		measure(row)
	}
	last, before := len(widths)-1, 2
	for i := 0; i < last; i++ {
		before += widths[i] + 2
	}
	room := max(textWidth-before, 24)
	set := func(row []string) {
		line := "  "
		for i, cell := range row {
			if i > 0 {
				line += "  "
			}
			switch {
			case i < len(numeric) && numeric[i]:
				line += right(cell, widths[i])
			case i == last && columns.StringWidth(cell) > room:
				for k, part := range wrapText(cell, room) {
					if k > 0 {
						t.line(line)
						line = strings.Repeat(" ", before)
					}
					line += part
				}
			default:
				line += left(cell, widths[i])
			}
		}
		t.line(line)
	}
	if len(head) > 0 {
		set(head)
		rule := make([]string, len(head))
		for i := range head {
			rule[i] = strings.Repeat("─", widths[i])
			if i == last {
				rule[i] = strings.Repeat("─", min(widths[i], room))
			}
		}
		set(rule)
	}
	for _, row := range rows {
		set(row)
	}
}

// wrapText breaks text at spaces into lines of at most width columns.
func wrapText(s string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(s) {
		if last := len(lines) - 1; last >= 0 && columns.StringWidth(lines[last])+1+columns.StringWidth(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

func (t *textWriter) figures(rows []Figure) {
	cells := make([][]string, len(rows))
	for i, f := range rows {
		cells[i] = []string{f.Name, f.Value, f.Note}
	}
	t.table(nil, cells, []bool{false, true})
}

// bar is a bar of eighths of a column, full at share 1.
func bar(share float64, width int) string {
	eighths := int(math.Round(min(max(share, 0), 1) * float64(width) * 8))
	if eighths == 0 && share > 0 {
		eighths = 1
	}
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}

func (f Figures) text(t *textWriter) {
	t.title(f.Title)
	t.figures(f.Rows)
}

func (b Table) text(t *textWriter) {
	t.title(b.Title)
	t.table(b.Columns, b.Rows, b.Numeric)
	t.caption(b.Caption)
}

// sparkWidth is the number of columns of a line drawn in text.
const sparkWidth = 48

func (s Series) text(t *textWriter) {
	if err := s.check(); err != nil {
		t.fail(err)
		return
	}
	t.title(titled(s.Title, s.Unit))
	var rows [][]string
	for _, l := range s.Lines {
		if len(l.Values) == 0 {
			continue
		}
		rows = append(rows, []string{l.Name, spark(l.Values), decimal(l.Values[0], 1), "→", decimal(l.Values[len(l.Values)-1], 1)})
	}
	t.table(nil, rows, []bool{false, false, true, false, true})
	if n := len(s.At); n > 0 {
		t.line("  " + s.At[0].Format("2 Jan 2006") + " to " + s.At[n-1].Format("2 Jan 2006"))
	}
	t.caption(s.Caption)
}

// spark draws values between zero (or their minimum below it) and their maximum.
func spark(values []float64) string {
	low, high := 0.0, 0.0
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	width := min(sparkWidth, len(values))
	var b strings.Builder
	for i := range width {
		v := values[(i*(len(values)-1))/max(1, width-1)]
		level := 0
		if high > low {
			level = int(math.Round((v - low) / (high - low) * 7))
		}
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[level])
	}
	return b.String()
}

func (b Bars) text(t *textWriter) {
	t.title(titled(b.Title, b.Unit))
	greatest := int64(0)
	for _, r := range b.Rows {
		greatest = max(greatest, r.Value)
	}
	rows := make([][]string, len(b.Rows))
	for i, r := range b.Rows {
		rows[i] = []string{r.Name, Count(r.Value), left(bar(share(r.Value, greatest), 30), 30) + "  " + r.Note}
	}
	t.table(nil, rows, []bool{false, true})
	t.caption(b.Caption)
}

func (f Funnel) text(t *textWriter) {
	t.title(f.Title)
	rows := make([][]string, len(f.Steps))
	for i, s := range f.Steps {
		of := ""
		if i > 0 {
			of = percentShort(s.Count, f.Steps[i-1].Count) + " of the step before"
		}
		rows[i] = []string{s.Name, Count(s.Count), percentShort(s.Count, f.Steps[0].Count), left(bar(share(s.Count, f.Steps[0].Count), 30), 30), of}
	}
	t.table(nil, rows, []bool{false, true, true})
	t.caption(f.Caption)
}

func (j Journey) text(t *textWriter) {
	t.title(j.Title)
	if len(j.Figures) > 0 {
		t.figures(j.Figures)
	}
	t.line("  (the diagram is in the HTML report)")
	t.caption(j.Caption)
}

func (s Scores) text(t *textWriter) {
	const width = 41
	t.title(titled(s.Title, s.Unit))
	low, high := s.bounds()
	at := func(v float64) int {
		return min(width-1, max(0, int(math.Round((v-low)/(high-low)*float64(width-1)))))
	}
	var rows [][]string
	for _, p := range s.Points {
		if p.N == 0 {
			rows = append(rows, []string{p.At.Format("Jan 2006"), "0", "", "", strings.Repeat(" ", width)})
			continue
		}
		plot := []rune(strings.Repeat(" ", width))
		if low < 0 && high > 0 {
			plot[at(0)] = '·'
		}
		for i := at(p.Low); i <= at(p.High); i++ {
			plot[i] = '─'
		}
		plot[at(p.Value)] = '●'
		rows = append(rows, []string{
			p.At.Format("Jan 2006"), Count(p.N), fixed(p.Value, s.Decimals),
			fixed(p.Low, s.Decimals) + " to " + fixed(p.High, s.Decimals), string(plot),
		})
	}
	scale := decimal(low, s.Decimals)
	scale += right(decimal(high, s.Decimals), width-columns.StringWidth(scale))
	t.table([]string{"", "answers", "score", "95 % interval", scale}, rows, []bool{false, true, true, true})
	t.caption(s.Caption)
}

func (m Movement) text(t *textWriter) {
	t.title(titled(m.Title, m.Unit))
	rows := [][]string{{"Opening", Count(m.Opening)}}
	for _, s := range m.Steps {
		rows = append(rows, []string{s.Name, signed(s.Delta)})
	}
	rows = append(rows, []string{"Closing", Count(m.Closing), m.verdict()})
	t.table(nil, rows, []bool{false, true})
	t.caption(m.Caption)
}

func (m Movement) verdict() string {
	if m.Ties() {
		return "ties: opening and movements make the closing balance"
	}
	return "DOES NOT TIE to opening and movements"
}

func (f Flows) text(t *textWriter) {
	if err := f.check(); err != nil {
		t.fail(err)
		return
	}
	t.title(titled(f.Title, f.Unit))
	head, numeric := []string{""}, []bool{false}
	for _, l := range f.Lines {
		head, numeric = append(head, l.Name), append(numeric, true)
	}
	var rows [][]string
	for i, at := range f.At {
		row := []string{at.Format("Jan 2006")}
		for _, l := range f.Lines {
			row = append(row, signed(l.Deltas[i]))
		}
		rows = append(rows, row)
	}
	t.table(head, rows, numeric)
	t.caption(f.Caption)
}

func (e Explanations) text(t *textWriter) {
	t.title(e.Title)
	for _, item := range e.Items {
		t.paragraph("  ", "? "+item.Question)
		for _, a := range item.Answer {
			t.paragraph("    ", a)
		}
	}
}

func (r Reconciliation) text(t *textWriter) {
	t.title(r.Title)
	rows := make([][]string, len(r.Checks))
	for i, c := range r.Checks {
		rows[i] = []string{c.Figure, c.Files, c.Library, equalMark(c), c.Note}
	}
	t.table([]string{"Figure", "Input files", "Library", "Equal", "Definition"}, rows, []bool{false, true, true})
	t.line("  " + r.verdict())
	t.caption(r.Caption)
}

func (r Reconciliation) verdict() string {
	unequal := 0
	for _, c := range r.Checks {
		if !c.Equal {
			unequal++
		}
	}
	switch {
	case len(r.Checks) == 0:
		return "Nothing was compared."
	case unequal > 0:
		return fmt.Sprintf("%d of %d figures DIFFER.", unequal, len(r.Checks))
	}
	return fmt.Sprintf("All %d figures are equal.", len(r.Checks))
}

func equalMark(c input.Check) string {
	if c.Equal {
		return "yes"
	}
	return "NO"
}

func (n Notes) text(t *textWriter) {
	t.title(n.Title)
	for _, l := range n.Lines {
		t.paragraph("  ", "- "+l)
	}
}
