// Package progress shows how far a run is: bars on a terminal, a few plain
// lines elsewhere, so that a log file stays readable.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/cxkit/cxkit/examples/retail/input"
)

// Progress shows the stages of one run. Start stages one after another and
// end with Close.
type Progress struct {
	out  io.Writer
	bars *mpb.Progress // nil where out is not a terminal
}

// New shows progress on out: with bars where out is a terminal, else with plain lines.
func New(out io.Writer) *Progress {
	p := &Progress{out: out}
	if f, ok := out.(*os.File); ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())) {
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(48), mpb.WithRefreshRate(100*time.Millisecond))
	}
	return p
}

// Stage is one part of the run. Its methods do nothing on a nil Stage.
type Stage struct {
	p       *Progress
	name    string
	unit    string
	total   int64
	done    atomic.Int64
	started time.Time
	bar     *mpb.Bar
}

// Stage begins a part of total units; 0 where nobody knows how many.
func (p *Progress) Stage(name, unit string, total int64) *Stage {
	s := &Stage{p: p, name: name, unit: unit, total: total, started: time.Now()}
	if p.bars != nil {
		s.bar = p.bars.AddBar(total,
			mpb.PrependDecorators(decor.Name(name, decor.WC{W: 24, C: decor.DindentRight})),
			mpb.AppendDecorators(decor.CountersNoUnit("%d / %d "+unit, decor.WC{W: 26}), decor.Elapsed(decor.ET_STYLE_GO, decor.WC{W: 7})),
		)
	}
	return s
}

// Add counts n more units. It is safe for concurrent use. Without a terminal a
// line is written for each half of the total.
func (s *Stage) Add(n int64) {
	if s == nil || n <= 0 {
		return
	}
	after := s.done.Add(n)
	if s.bar != nil {
		s.bar.IncrInt64(n)
		return
	}
	if half := s.total / 2; s.total >= plainFrom && after-n < half && after >= half {
		fmt.Fprintf(s.p.out, "%-24s %12s of %s %s\n", s.name, input.Count(after), input.Count(s.total), s.unit)
	}
}

// plainFrom is the total from which a plain stage reports its half as well.
const plainFrom = 20_000

// Done ends the stage; the total becomes what was counted.
func (s *Stage) Done() {
	if s == nil {
		return
	}
	done := s.done.Load()
	if s.bar != nil {
		s.bar.SetTotal(done, true)
		return
	}
	took := time.Since(s.started)
	round := time.Millisecond
	if took > 10*time.Second {
		round = 100 * time.Millisecond
	}
	fmt.Fprintf(s.p.out, "%-24s %12s %s in %s\n", s.name, input.Count(done), s.unit, took.Round(round))
}

// Close waits until the bars are drawn to their end. A stage that was not done
// is shown as far as it came.
func (p *Progress) Close() {
	if p.bars != nil {
		p.bars.Shutdown()
	}
}
