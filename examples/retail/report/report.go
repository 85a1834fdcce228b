// Package report turns what the retail example computed into something that a
// shop's marketing lead reads at a glance: aligned text for the terminal and
// one self-contained HTML page with pictures, which needs no network.
//
// A [Report] is a value: sections with typed blocks. The renderers compute
// scales, shares and checks from it and add no figure of their own.
//
//	r := report.Report{Title: "Twelve months", Sections: []report.Section{{
//		Title:  "Orders",
//		Blocks: []report.Block{report.Figures{Rows: []report.Figure{{Name: "Orders", Value: report.Count(8135)}}}},
//	}}}
//	err := r.Text(os.Stdout)
//	err = r.HTML(file)
package report

import (
	"strings"
	"time"

	"github.com/cxkit/cxkit/examples/retail/input"
)

// Report is the whole: headline figures, then sections in order.
type Report struct {
	Title    string
	Subtitle string
	// From and To bound the data; zero leaves the period out.
	From, To time.Time
	// Headline are the three to six figures that are read first.
	Headline []Figure
	Sections []Section
}

// Section is one subject: a title, a sentence that says what to see, blocks.
type Section struct {
	Title  string
	Lead   string
	Blocks []Block
}

// Block is one typed piece of a section: [Figures], [Table], [Series], [Bars],
// [Funnel], [Journey], [Scores], [Movement], [Flows], [Explanations],
// [Reconciliation], [Notes].
type Block interface {
	text(w *textWriter)
	html() (view, error)
}

// Figure is one named value, written out: see [Count], [Cents], [Percent].
type Figure struct {
	Name  string
	Value string
	Note  string
	// Tone colors the value where it is a judgment.
	Tone Tone
}

// Tone says how a value is to be taken.
type Tone uint8

// The tones.
const (
	Neutral Tone = iota
	Good
	Warn
	Bad
)

// Count writes a whole number with thousands separated.
func Count[N ~int | ~int64 | ~uint64](n N) string { return input.Count(int64(n)) }

// Cents writes an amount of minor units with two decimals.
func Cents(n int64) string { return input.Cents(n) }

// Percent writes part of whole to two decimals; a dash where whole is zero.
func Percent(part, whole int64) string { return input.Percent(part, whole) }

// Figures is a list of named values.
type Figures struct {
	Title string
	Rows  []Figure
}

// Table is rows of cells. Columns named in Numeric are set right.
type Table struct {
	Title   string
	Columns []string
	Numeric []bool // by column; missing is text
	Rows    [][]string
	Caption string
}

// Series is quantities over time: segment sizes, active members, messages.
type Series struct {
	Title string
	Unit  string // of the values: "customers"
	// At are the instants, ascending; every line has one value for each.
	At    []time.Time
	Lines []Line
	// Stacked draws the lines as areas on top of one another, for parts of a whole.
	Stacked bool
	// Marks are moments worth naming: the spring festival, a sales day.
	Marks   []Mark
	Caption string
}

// Line is one quantity of a [Series].
type Line struct {
	Name   string
	Values []float64
}

// Mark is a named moment of a [Series] or of [Scores].
type Mark struct {
	At   time.Time
	Name string
}

// Bars compares quantities of one kind: messages by reason of suppression.
type Bars struct {
	Title   string
	Unit    string
	Rows    []Bar
	Caption string
}

// Bar is one row of [Bars].
type Bar struct {
	Name  string
	Value int64
	Note  string
}

// Funnel is how many went on from step to step.
type Funnel struct {
	Title   string
	Steps   []Step
	Caption string
}

// Step is one step of a [Funnel].
type Step struct {
	Name  string
	Count int64
}

// Journey is a diagram from DOT, with live counts in its labels, and the
// counts as figures for who reads text. A DOT that cannot be read is an error
// of [Report.HTML], after which the process draws no other.
type Journey struct {
	Title   string
	DOT     string
	Figures []Figure
	Caption string
}

// Scores is a score over time with its interval: NPS by month.
type Scores struct {
	Title  string
	Unit   string
	Points []Score
	// Low and High bound the scale: −100 and 100 for NPS, 1 and 5 for stars.
	Low, High float64
	Decimals  int // in text
	Marks     []Mark
	Caption   string
}

// Score is one month of [Scores].
type Score struct {
	At        time.Time // the beginning of the month
	N         int64     // responses; 0 leaves a gap
	Value     float64
	Low, High float64 // the interval
}

// Movement is a waterfall: what there was, what came and went, what there is.
// A closing balance that is not the opening plus the steps is shown as a fault.
type Movement struct {
	Title   string
	Unit    string
	Opening int64
	Steps   []Flow
	Closing int64
	Caption string
}

// Ties reports whether the closing balance is the opening plus the steps.
func (m Movement) Ties() bool {
	sum := m.Opening
	for _, s := range m.Steps {
		sum += s.Delta
	}
	return sum == m.Closing
}

// Flow is one step of a [Movement].
type Flow struct {
	Name  string
	Delta int64
}

// Flows is what came and went by month: inflows stacked above zero, outflows below.
type Flows struct {
	Title   string
	Unit    string
	At      []time.Time // the beginning of each month
	Lines   []FlowLine
	Caption string
}

// FlowLine is one kind of flow by month; negative values flow out.
type FlowLine struct {
	Name   string
	Deltas []int64
}

// Explanations is the answers of the library to "why", at their most telling.
type Explanations struct {
	Title string
	Items []Explanation
}

// Explanation is one question and its answer, line by line.
type Explanation struct {
	Question string
	Answer   []string
}

// Reconciliation is the same figures counted twice.
type Reconciliation struct {
	Title   string
	Checks  []input.Check
	Caption string
}

// Equal reports whether there is at least one line and all are equal.
func (r Reconciliation) Equal() bool { return input.AllEqual(r.Checks) }

// Notes is plain lines: what was left out, what was assumed.
type Notes struct {
	Title string
	Lines []string
	Tone  Tone
}

// LeftOut is what a reader left out and kept, as [Notes]: the verdict first
// where the rest cannot be trusted, then every reject that the summary lists.
func LeftOut(title string, s input.Summary) Notes {
	n := Notes{Title: title}
	if err := s.Verdict(); err != nil {
		n.Tone = Bad
		n.Lines = append(n.Lines, err.Error())
	} else if !s.Clean() {
		n.Tone = Warn
	}
	for line := range strings.Lines(s.String()) {
		n.Lines = append(n.Lines, strings.Join(strings.Fields(line), " "))
	}
	return n
}
