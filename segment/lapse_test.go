package segment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// lapses drives one counting segment through a history, a day at a time.
type lapses struct {
	t       *testing.T
	begin   time.Time
	now     time.Time
	history *segment.MemoryHistory
	engine  *segment.Engine
	view    *segment.View
}

func newLapses(t *testing.T, r segment.Rule) *lapses {
	l := &lapses{t: t, begin: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	l.now = l.begin
	l.history = &segment.MemoryHistory{Now: func() time.Time { return l.now }}
	var err error
	l.engine, err = segment.New(segment.Config{History: l.history})
	require.NoError(t, err)
	require.NoError(t, l.engine.Define(t.Context(), l.now, segment.Definition{Name: "s", Rule: r}))
	l.view, err = l.engine.View("s")
	require.NoError(t, err)
	return l
}

func (l *lapses) on(day int) time.Time { return l.begin.AddDate(0, 0, day) }

// happens records an event of a day, today or earlier.
func (l *lapses) happens(id string, day int) {
	l.t.Helper()
	require.NoError(l.t, l.history.Observe("li", profile.Event{ID: id, Name: "a", Time: l.on(day)}))
	l.catchUp()
}

func (l *lapses) catchUp() {
	l.t.Helper()
	require.NoError(l.t, l.engine.CatchUp(l.t.Context()))
}

func (l *lapses) today(day int) { l.now = l.on(day) }

// member checks who is in after a sweep of the day.
func (l *lapses) member(day int, want bool) {
	l.t.Helper()
	require.NoError(l.t, l.engine.Advance(l.t.Context(), l.on(day)))
	require.Equal(l.t, want, l.view.Contains("li"), "on day %d", day)
}

// A retraction leaves older events to count, whose lapse comes sooner than the
// one that was noted.
func TestRetractionBringsALapseForward(t *testing.T) {
	l := newLapses(t, segment.Events("a").Within(segment.Days(10)).AtLeast(1))
	l.today(5)
	l.happens("2", 5)
	l.today(6)
	l.happens("1", 2)
	require.NoError(t, l.history.Retract("2"))
	l.catchUp()
	l.member(11, true)
	l.member(12, false)
}

// A split does so too.
func TestSplitBringsALapseForward(t *testing.T) {
	l := newLapses(t, segment.Events("a").Within(segment.Days(10)).AtLeast(2))
	l.today(6)
	for i, day := range []int{1, 2, 5, 6} {
		l.happens(string(rune('1'+i)), day)
	}
	require.NoError(t, l.history.Split("li", "wu", "3", "4"))
	l.catchUp()
	l.member(10, true)
	l.member(11, false)
}

// Someone who comes back after an erasure lapses by what happened since.
func TestLapseAfterAReturn(t *testing.T) {
	l := newLapses(t, segment.Events("a").Within(segment.Days(10)).AtLeast(1))
	l.today(5)
	l.happens("1", 5)
	l.happens("of another", 5)
	require.NoError(t, l.history.Split("li", "wu", "1", "of another"))
	l.catchUp()
	require.NoError(t, l.history.Merge("wu", "li"))
	l.catchUp()
	l.member(5, false)
	l.happens("2", 1)
	l.member(10, true)
	l.member(11, false)
}
