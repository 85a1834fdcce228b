package journey

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

func TestRecurrences(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	festival := map[string]Calendar{"festival": func(_ profile.Value, after time.Time, zone *time.Location) (time.Time, bool) {
		for _, day := range []string{"2026-02-17 09:00", "2027-02-06 09:00"} {
			at, err := time.ParseInLocation("2006-01-02 15:04", day, zone)
			if err == nil && at.After(after) {
				return at, true
			}
		}
		return time.Time{}, false
	}}
	for _, c := range []struct {
		when  Recurrence
		after string
		want  []string
	}{
		{Daily("09:00"), "2026-03-27 09:00", []string{"2026-03-28 09:00 +0100", "2026-03-29 09:00 +0200", "2026-03-30 09:00 +0200"}},
		{Daily("02:30"), "2026-03-28 00:00", []string{"2026-03-28 02:30 +0100", "2026-03-29 03:00 +0200", "2026-03-30 02:30 +0200"}},
		{Daily("02:30"), "2026-10-24 12:00", []string{"2026-10-25 02:30 +0200", "2026-10-26 02:30 +0100"}},
		{Weekly("10:00", time.Friday, time.Monday), "2026-11-10 00:00", []string{"2026-11-13 10:00 +0100", "2026-11-16 10:00 +0100", "2026-11-20 10:00 +0100"}},
		{Monthly(31, "08:00"), "2026-01-31 08:00", []string{"2026-02-28 08:00 +0100", "2026-03-31 08:00 +0200", "2026-04-30 08:00 +0200"}},
		{Monthly(1, "08:00"), "2026-12-01 07:59", []string{"2026-12-01 08:00 +0100", "2027-01-01 08:00 +0100"}},
		{Yearly(time.February, 29, "08:00"), "2026-03-01 00:00", []string{"2027-02-28 08:00 +0100", "2028-02-29 08:00 +0100", "2029-02-28 08:00 +0100"}},
		{OnCalendar("festival"), "2026-01-01 00:00", []string{"2026-02-17 09:00 +0100", "2027-02-06 09:00 +0100", "never"}},
	} {
		require.Empty(t, c.when.check(), c.when)
		at, err := time.ParseInLocation("2006-01-02 15:04", c.after, berlin)
		require.NoError(t, err)
		for _, want := range c.want {
			next, ok := c.when.next(at, berlin, festival)
			if want == "never" {
				require.False(t, ok)
				break
			}
			require.True(t, ok)
			require.Equal(t, want, next.In(berlin).Format("2006-01-02 15:04 -0700"), "%s after %s", c.when, at)
			at = next
		}
	}
	for _, bad := range []Recurrence{
		{}, Daily("9"), Weekly("09:00"), Weekly("09:00", 8), Monthly(0, "09:00"), Monthly(32, "09:00"), Yearly(13, 1, "09:00"), {Every: everyDay, Calendar: "x", Clock: "09:00"},
	} {
		require.NotEmpty(t, bad.check(), "%+v", bad)
	}
}

// Every change of the clocks of four zones in seven years: a daily wait at any
// quarter of an hour fires once a day, when the clocks first show it or have
// skipped it.
func TestLocalWaitsOverEveryChangeOfClock(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for _, clock := range []string{"00:00", "01:30", "02:00", "02:15", "02:30", "03:00", "09:00", "23:45"} {
			j := Define("j")
			j.Enter(Event("go")).To("a")
			j.State("a").AtLocal(clock).To("b").OnDeadline(10_000 * time.Hour).End("e")
			j.State("b").AtLocal(clock).To("a").OnDeadline(20_000 * time.Hour).End("f")
			d, err := j.Build()
			require.NoError(t, err)
			at := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
			facts := Facts{Zone: zone}
			in, _, err := d.Step(Instance{}, Input{Name: "go", Customer: "c", Facts: facts}, at, nil)
			require.NoError(t, err)
			day := in.Due.In(zone).YearDay()
			for in.Due.Year() < 2031 {
				due := in.Due
				if in, _, err = d.Step(in, Input{Kind: TimerInput, Facts: facts}, due, nil); err != nil {
					t.Fatal(err)
				}
				in.StartedAt = due // the deadlines never come
				in.Due, _ = func() (time.Time, bool) {
					r := run{d: d}
					return r.over(&in, &Input{Facts: facts}, &d.states[d.stateOf(&in)].waits[0].wait)
				}()
				next := in.Due.In(zone).YearDay()
				if want := firstShown(in.Due, 0, clock, zone, 15*time.Minute); !in.Due.Equal(want) {
					t.Fatalf("%s %s: at %s, not %s", name, clock, in.Due.In(zone), want)
				}
				if gap := in.Due.Sub(due); gap < 22*time.Hour || gap > 26*time.Hour || next == day {
					t.Fatalf("%s %s: from %s to %s", name, clock, due.In(zone), in.Due.In(zone))
				}
				day = next
			}
		}
	}
}

func TestDatesInWaits(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	entered := time.Date(2026, 11, 10, 4, 0, 0, 0, time.UTC)
	lunar := map[string]Calendar{"lunar": func(v profile.Value, after time.Time, _ *time.Location) (time.Time, bool) {
		return after.Add(240 * time.Hour), v == profile.Text("1-1")
	}}
	for _, c := range []struct {
		value profile.Value
		shift Shift
		want  string // in Shanghai; "" is never
	}{
		{profile.Text("2026-12-24"), Shift{}, "2026-12-24 00:00"},
		{profile.Text("2026-12-24"), Shift{Days: -3, Clock: "10:00"}, "2026-12-21 10:00"},
		{profile.Text("2026-12-24T23:30:00Z"), Shift{}, "2026-12-25 07:30"},
		{profile.Text("2026-12-24T23:30:00Z"), Shift{Days: 1}, "2026-12-26 07:30"},
		{profile.Text("2026-12-24T23:30:00Z"), Shift{Clock: "09:00", Plus: -time.Minute}, "2026-12-25 08:59"},
		{profile.Time(entered), Shift{Plus: time.Hour}, "2026-11-10 13:00"},
		{profile.Text("1990-11-10"), Shift{Yearly: true}, "2027-11-10 00:00"},
		{profile.Text("1990-11-10"), Shift{Yearly: true, Clock: "18:00"}, "2026-11-10 18:00"},
		{profile.Text("1992-02-29"), Shift{Yearly: true, Clock: "09:00"}, "2027-02-28 09:00"},
		{profile.Text("1990-11-12"), Shift{Yearly: true, Days: -3}, "2027-11-09 00:00"},
		{profile.Text("2030-01-01"), Shift{Yearly: true}, "2030-01-01 00:00"},
		{profile.Text("1-1"), Shift{Calendar: "lunar", Clock: "09:00"}, "2026-11-20 09:00"},
		{profile.Text("2-2"), Shift{Calendar: "lunar"}, ""},
		{profile.Text("1-1"), Shift{Calendar: "martian"}, ""},
		{profile.Text("soon"), Shift{}, ""},
		{profile.Int(5), Shift{}, ""},
		{profile.Value{}, Shift{Yearly: true}, ""},
	} {
		j := Define("j")
		j.Enter(Event("go")).To("a")
		j.State("a").OnDate(Data("d"), c.shift).End("e").OnDeadline(50_000 * time.Hour).End("never")
		d, err := j.Build()
		require.NoError(t, err)
		x := Input{Name: "go", Customer: "c", Props: profile.Values{"d": c.value}, Facts: Facts{Zone: shanghai, Calendars: lunar}}
		in, _, err := d.Step(Instance{}, x, entered, nil)
		require.NoError(t, err)
		got := in.Due.In(shanghai).Format("2006-01-02 15:04")
		if in.Due.Equal(entered.Add(50_000 * time.Hour)) {
			got = ""
		}
		require.Equal(t, c.want, got, "%v %+v", c.value, c.shift)
	}
}
