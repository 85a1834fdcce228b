package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/examples/retail/report"
)

func page(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.HTML(&b))
	return b.String()
}

func text(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.Text(&b))
	return b.String()
}

// one is a report of a single block.
func one(b report.Block) report.Report {
	return report.Report{Title: "T", Sections: []report.Section{{Title: "S", Blocks: []report.Block{b}}}}
}

var picture = regexp.MustCompile(`(?s)<svg.*?</svg>`)

func TestThePageNeedsNoNetwork(t *testing.T) {
	html := page(t, sample())
	for _, banned := range []string{"http:", "https:", "//www", "src=", "@import", "url(", "<link", "<script", "<img", "<iframe", "xlink", "javascript:"} {
		require.NotContains(t, html, banned)
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		require.True(t, strings.HasPrefix(m[1], "#"), m[1])
	}
}

func TestEveryPictureIsWellFormed(t *testing.T) {
	pictures := picture.FindAllString(page(t, sample()), -1)
	require.Len(t, pictures, 8)
	for _, p := range pictures {
		d := xml.NewDecoder(strings.NewReader(p))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, p)
			if e, ok := token.(xml.StartElement); ok {
				for _, a := range e.Attr {
					require.NotContains(t, a.Value, "NaN")
					require.False(t, strings.HasPrefix(a.Name.Local, "on"), a.Name.Local)
				}
			}
		}
	}
}

func TestTextsAreEscaped(t *testing.T) {
	const evil = `<script>alert("x")</script>&`
	r := report.Report{
		Title: evil, Subtitle: evil, Headline: []report.Figure{{Name: evil, Value: evil, Note: evil}},
		Sections: []report.Section{{Title: evil, Lead: evil, Blocks: []report.Block{
			report.Figures{Title: evil, Rows: []report.Figure{{Name: evil, Value: evil, Note: evil}}},
			report.Table{Columns: []string{evil}, Rows: [][]string{{evil}}, Caption: evil},
			report.Bars{Unit: evil, Rows: []report.Bar{{Name: evil, Value: 1, Note: evil}}},
			report.Funnel{Steps: []report.Step{{Name: evil, Count: 1}}},
			report.Journey{Title: evil, DOT: `digraph { a [label="<script>alert(1)</script>"] }`},
			report.Movement{Steps: []report.Flow{{Name: evil, Delta: 1}}, Closing: 1},
			report.Explanations{Items: []report.Explanation{{Question: evil, Answer: []string{evil}}}},
			report.Reconciliation{Checks: []input.Check{{Figure: evil, Files: evil, Library: evil, Note: evil}}},
			report.Notes{Lines: []string{evil}},
			report.Series{Title: evil, At: []time.Time{time.Unix(0, 0)}, Lines: []report.Line{{Name: evil, Values: []float64{1}}}},
		}}},
	}
	html := page(t, r)
	require.NotContains(t, strings.ToLower(html), "<script")
	require.Contains(t, html, "&lt;script&gt;")
}

func TestTheSameReportIsTheSameBytes(t *testing.T) {
	require.Equal(t, page(t, sample()), page(t, sample()))
	require.Equal(t, text(t, sample()), text(t, sample()))
}

func TestAnEmptyReportAndEmptyBlocksAreDrawn(t *testing.T) {
	page(t, report.Report{})
	text(t, report.Report{})
	for _, b := range []report.Block{
		report.Figures{},
		report.Table{},
		report.Series{},
		report.Bars{},
		report.Funnel{},
		report.Scores{},
		report.Movement{},
		report.Flows{},
		report.Explanations{},
		report.Reconciliation{},
		report.Notes{},
		report.Journey{DOT: "digraph {}"},
		report.Scores{Points: []report.Score{{}}},
		report.Series{At: []time.Time{{}}, Lines: []report.Line{{Values: []float64{0}}}},
		report.Bars{Rows: []report.Bar{{}}},
		report.Funnel{Steps: []report.Step{{}, {}}},
	} {
		page(t, one(b))
		text(t, one(b))
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	at := []time.Time{time.Unix(0, 0), time.Unix(1, 0)}
	for _, b := range []report.Block{
		report.Series{Title: "sizes", At: at, Lines: []report.Line{{Name: "vip", Values: []float64{1}}}},
		report.Flows{Title: "points", At: at, Lines: []report.FlowLine{{Name: "earned", Deltas: []int64{1, 2, 3}}}},
	} {
		require.ErrorContains(t, one(b).HTML(io.Discard), "report: ")
		require.ErrorContains(t, one(b).Text(io.Discard), "report: ")
	}
}

// The layout engine takes a syntax error badly, so this one has a process of its own.
func TestADiagramThatCannotBeReadIsAnError(t *testing.T) {
	const child = "CXKIT_REPORT_BROKEN_DIAGRAM"
	if os.Getenv(child) == "" {
		c := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		c.Env = append(os.Environ(), child+"=1")
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	require.ErrorContains(t, one(report.Journey{Title: "cart", DOT: "digraph {"}).HTML(io.Discard), `report: journey "cart"`)
}

func TestAMovementThatDoesNotTieSaysSo(t *testing.T) {
	m := report.Movement{Opening: 100, Steps: []report.Flow{{Name: "earned", Delta: 50}}, Closing: 150}
	require.True(t, m.Ties())
	require.Contains(t, text(t, one(m)), "ties: opening and movements make the closing balance")
	m.Closing = 149
	require.False(t, m.Ties())
	require.Contains(t, text(t, one(m)), "DOES NOT TIE")
	require.Contains(t, page(t, one(m)), `<span class="badge bad">does not tie</span>`)
}

func TestTheHeadSumsUpTheReconciliation(t *testing.T) {
	check := input.Check{Figure: "Orders", Files: "8,135", Library: "8,135", Equal: true}
	equal := report.Reconciliation{Checks: []input.Check{check}}
	require.Contains(t, page(t, one(equal)), "all 1 figures equal the input files")
	require.Contains(t, text(t, one(equal)), "All 1 figures are equal.")
	check.Equal = false
	differ := report.Reconciliation{Checks: append(equal.Checks, check)}
	require.Contains(t, page(t, one(differ)), "1 of 2 figures differ from the input files")
	require.Contains(t, text(t, one(differ)), "1 of 2 figures DIFFER.")
	require.NotContains(t, page(t, one(report.Notes{})), "figures equal")
}

func TestTextIsAligned(t *testing.T) {
	r := one(report.Figures{Rows: []report.Figure{
		{Name: "Orders", Value: report.Count(8135), Note: "net"},
		{Name: "会员", Value: report.Count(12), Note: "Chinese takes two columns"},
	}})
	require.Contains(t, text(t, r), "\n  Orders  8,135  net\n  会员       12  Chinese takes two columns\n")
}

func TestTextKeepsToItsWidth(t *testing.T) {
	for line := range strings.Lines(text(t, sample())) {
		require.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 110, line)
	}
}

func TestLeftOutSaysTheVerdictFirst(t *testing.T) {
	s := input.Summary{Orders: 10, Files: []input.FileCount{{File: "orders.csv", Rows: 10}}}
	n := report.LeftOut("Input", s)
	require.Equal(t, report.Neutral, n.Tone)
	require.Equal(t, []string{"orders.csv 10 rows, 10 used, 0 broken, 0 left out with their order"}, n.Lines)
	s.Files[0].Rejected = 1
	s.Rejects = []input.Reject{{Place: input.Place{File: "orders.csv", Line: 3}, Reason: "broken"}}
	n = report.LeftOut("Input", s)
	require.Equal(t, report.Bad, n.Tone)
	require.Contains(t, n.Lines[0], "too much was left out")
	require.Contains(t, n.Lines, "left out orders.csv:3: broken")
}

// failing refuses every write.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAWriteErrorComesBack(t *testing.T) {
	require.ErrorContains(t, sample().Text(failing{}), "disk full")
	require.ErrorContains(t, sample().HTML(failing{}), "disk full")
}
