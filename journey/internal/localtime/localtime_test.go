package localtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func zone(t testing.TB, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

func TestGapsResolveForwardAndFoldsToTheFirst(t *testing.T) {
	for _, c := range []struct{ zone, date, clock, want string }{
		{"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00:00Z"}, // skipped: 03:00 summer time
		{"Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00Z"}, // twice: summer time first
		{"America/New_York", "2026-03-08", "02:00", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-11-01", "01:59", "2026-11-01T05:59:00Z"},
		{"America/Asuncion", "2023-10-01", "00:00", "2023-10-01T04:00:00Z"}, // no midnight
		{"Pacific/Apia", "2011-12-30", "09:00", "2011-12-30T10:00:00Z"},     // no such day
		{"Asia/Shanghai", "2026-11-11", "09:00", "2026-11-11T01:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00Z"}, // half an hour of summer time
	} {
		d, err := ParseDate(c.date)
		require.NoError(t, err)
		m, err := Parse(c.clock)
		require.NoError(t, err)
		require.Equal(t, c.want, d.At(m, zone(t, c.zone)).UTC().Format(time.RFC3339), "%+v", c)
	}
}

// Every hour of seven years in zones with and without summer time: Next is
// later than now, shows the clock asked for or ends a gap, and comes within
// a day and the hour that the clocks may shift.
func TestNextOverEveryChangeOfClock(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"} {
		loc := zone(t, name)
		for at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2031; at = at.Add(time.Hour) {
			for _, minute := range []int{0, 150, 540} {
				next := Next(at, minute, loc)
				if !next.After(at) || next.Sub(at) > 25*time.Hour {
					t.Fatalf("%s: next %s after %s is %s", name, Format(minute), at, next)
				}
				if got := MinuteOf(next, loc); got != minute {
					start, _ := next.ZoneBounds()
					if !start.Equal(next) || got < minute {
						t.Fatalf("%s: next %s after %s shows %s", name, Format(minute), at, Format(got))
					}
				}
			}
		}
	}
}

// Where the clocks do not change, Next does not try the days: the answer is the same.
func TestNextWithoutTryingTheDays(t *testing.T) {
	steady, changing := 0, 0
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Pacific/Apia", "America/Asuncion"} {
		loc := zone(t, name)
		for _, year := range []int{1927, 2011, 2026} {
			for at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == year; at = at.Add(59*time.Minute + time.Microsecond) {
				for _, minute := range []int{0, 150, 540, 1439} {
					got, ok := nextSteady(at, minute, loc)
					if !ok {
						changing++
						continue
					}
					steady++
					if want := nextByDay(at, minute, loc); !got.Equal(want) {
						t.Fatalf("%s: next %s after %s is %s, not %s", name, Format(minute), at, want, got)
					}
				}
			}
		}
	}
	t.Logf("%d without, %d by day", steady, changing)
	require.Greater(t, steady, 100*changing)
	require.Positive(t, changing)
}

func TestMonthsEndWhereTheDayDoesNotExist(t *testing.T) {
	for start := (Date{2024, 1, 1}); start.Year < 2027; start = start.Plus(1) {
		for n := 1; n <= 36; n++ {
			got := start.AddMonths(n)
			month := (int(start.Month)-1+n)%12 + 1
			if int(got.Month) != month || got.Day > start.Day {
				t.Fatalf("%s plus %d months is %s", start, n, got)
			}
		}
	}
	require.Equal(t, "2025-02-28", Date{2024, 2, 29}.AddMonths(12).String())
}

func TestWrongTextIsRefused(t *testing.T) {
	for _, s := range []string{"", "9:00", "24:00", "09:60", "0900", "09:00 "} {
		_, err := Parse(s)
		require.ErrorIs(t, err, ErrFormat, s)
	}
	for _, s := range []string{"", "2026-02-30", "26-01-01", "2026-1-1"} {
		_, err := ParseDate(s)
		require.ErrorIs(t, err, ErrFormat, s)
	}
}
