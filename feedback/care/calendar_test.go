package care_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback/care"
)

func calendar(t testing.TB, h care.Hours) *care.Calendar {
	t.Helper()
	c, err := care.NewCalendar(h)
	require.NoError(t, err)
	return c
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// goldenWeek is a Chinese office with split shifts: 2026-10-01 to 10-07 off,
// Saturday 10-10 a make-up workday.
func goldenWeek(t testing.TB) *care.Calendar {
	days := map[string]string{"2026-10-10": "09:00-12:00 13:30-18:00"}
	for d := 1; d <= 7; d++ {
		days[fmt.Sprintf("2026-10-%02d", d)] = ""
	}
	return calendar(t, care.Hours{Zone: "Asia/Shanghai", Week: care.MondayToFriday("09:00-12:00 13:30-18:00"), Days: days})
}

func TestBusinessTimeSkipsLunchHolidaysAndCountsMakeUpDays(t *testing.T) {
	c := goldenWeek(t)
	sh := zone(t, "Asia/Shanghai")
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, sh)
		require.NoError(t, err)
		return v
	}
	for _, x := range []struct {
		from  string
		add   time.Duration
		until string
	}{
		{"2026-09-30 11:00", 2 * time.Hour, "2026-09-30 14:30"},         // over lunch
		{"2026-09-30 16:00", 2 * time.Hour, "2026-09-30 18:00"},         // ends with the shift, not with the next
		{"2026-09-30 16:00", 3 * time.Hour, "2026-10-08 10:00"},         // over the holidays
		{"2026-10-03 12:00", time.Hour, "2026-10-08 10:00"},             // opened on a holiday
		{"2026-10-09 17:00", 2 * time.Hour, "2026-10-10 10:00"},         // the make-up Saturday works
		{"2026-10-10 17:00", 2 * time.Hour, "2026-10-12 10:00"},         // the Sunday does not
		{"2026-10-08 07:00", time.Microsecond, "2026-10-08 09:00"},      // within a microsecond
		{"2026-10-08 12:30", -time.Hour, "2026-10-08 12:30"},            // nothing to wait for
		{"2026-09-30 18:00", 7*time.Hour + 30*60e9, "2026-10-08 18:00"}, // a whole workday
	} {
		got := c.Add(at(x.from), x.add).In(sh).Truncate(time.Minute)
		assert.Equal(t, x.until, got.Format("2006-01-02 15:04"), "%s + %s", x.from, x.add)
	}
	assert.Equal(t, 5*time.Hour, c.Between(at("2026-09-30 11:00"), at("2026-09-30 17:30")))
	assert.Equal(t, -5*time.Hour, c.Between(at("2026-09-30 17:30"), at("2026-09-30 11:00")))
	assert.True(t, c.Open(at("2026-10-10 09:00")))
	assert.False(t, c.Open(at("2026-10-10 12:00")), "a shift ends before its end")
	assert.Equal(t, at("2026-10-08 09:00").UTC(), c.Next(at("2026-09-30 18:00")))
	assert.Equal(t, at("2026-10-10 18:00").UTC(), c.AddDays(at("2026-09-30 20:00"), 3))
}

func TestShiftsWhereTheClockJumps(t *testing.T) {
	whole := calendar(t, care.Hours{Zone: "Europe/Berlin", Week: care.EveryDay("00:00-24:00")})
	night := calendar(t, care.Hours{Zone: "Europe/Berlin", Week: care.EveryDay("22:00-06:00")})
	early := calendar(t, care.Hours{Zone: "Europe/Berlin", Week: care.EveryDay("02:00-03:00")})
	half := calendar(t, care.Hours{Zone: "Europe/Berlin", Week: care.EveryDay("01:00-02:30")})
	berlin := zone(t, "Europe/Berlin")
	day := func(m time.Month, d int) (time.Time, time.Time) {
		return time.Date(2026, m, d, 12, 0, 0, 0, berlin), time.Date(2026, m, d+1, 12, 0, 0, 0, berlin)
	}
	a, b := day(time.March, 28) // 02:00 → 03:00 on the 29th
	assert.Equal(t, 23*time.Hour, whole.Between(a, b))
	assert.Equal(t, 7*time.Hour, night.Between(a, b))
	assert.Equal(t, time.Duration(0), early.Between(a, b), "a shift within a skipped hour is empty")
	assert.Equal(t, time.Hour, half.Between(a, b))
	a, b = day(time.October, 24) // 03:00 → 02:00 on the 25th
	assert.Equal(t, 25*time.Hour, whole.Between(a, b))
	assert.Equal(t, 9*time.Hour, night.Between(a, b))
	assert.Equal(t, 2*time.Hour, early.Between(a, b))
	assert.Equal(t, 90*time.Minute, half.Between(a, b), "the first 02:30 ends it")

	apia := calendar(t, care.Hours{Zone: "Pacific/Apia", Week: care.EveryDay("09:00-17:00")})
	from := time.Date(2011, 12, 29, 12, 0, 0, 0, zone(t, "Pacific/Apia"))
	assert.Equal(t, 8*time.Hour, apia.Between(from, from.Add(24*time.Hour)), "2011-12-30 did not exist")
}

func TestNightShiftRunsIntoAHolidayAndOverlapsCountOnce(t *testing.T) {
	c := calendar(t, care.Hours{
		Week: [7]string{time.Thursday: "22:00-06:00", time.Friday: "05:00-09:00"},
		Days: map[string]string{"2026-05-01": ""}, // a Friday
	})
	thursday := time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)
	assert.Equal(t, 8*time.Hour, c.Between(thursday, thursday.Add(24*time.Hour)))
	before := thursday.AddDate(0, 0, -7)
	assert.Equal(t, 11*time.Hour, c.Between(before, before.Add(24*time.Hour)))
}

func TestACalendarMayRunOutOfWorkdays(t *testing.T) {
	c := calendar(t, care.Hours{Days: map[string]string{"2026-05-01": "09:00-10:00"}})
	from := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	assert.Equal(t, time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC), c.Add(from, time.Hour))
	assert.True(t, c.Add(from, time.Hour+1).IsZero())
	assert.True(t, c.AddDays(from, 2).IsZero())
	assert.True(t, c.Next(from.AddDate(0, 2, 0)).IsZero())
	assert.True(t, calendar(t, care.Hours{}).Add(from, 1).IsZero())
}

// oracle decides every minute by the definition: the greatest wall time shown
// so far lies in a shift. It knows nothing of offsets or transitions.
type oracle struct {
	zone   *time.Location
	shifts map[string][][2]int // by date, minutes from its start
	wall   time.Time           // greatest wall time shown, as if in UTC
}

func (o *oracle) open(t time.Time) bool {
	l := t.In(o.zone)
	wall := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	if wall.After(o.wall) {
		o.wall = wall
	}
	for back := range 3 {
		day := o.wall.Truncate(24*time.Hour).AddDate(0, 0, -back)
		minutes := int(o.wall.Sub(day) / time.Minute)
		for _, s := range o.shifts[day.Format(time.DateOnly)] {
			if s[0] <= minutes && minutes < s[1] {
				return true
			}
		}
	}
	return false
}

func TestCalendarAgreesWithAMinuteByMinuteCount(t *testing.T) {
	seed := uint64(20260510)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	starts := []struct {
		zone string
		at   time.Time
	}{
		{"Asia/Shanghai", time.Date(2026, 9, 25, 0, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2026, 3, 24, 0, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)},
		{"America/New_York", time.Date(2027, 3, 9, 0, 0, 0, 0, time.UTC)},
		{"America/Asuncion", time.Date(2023, 9, 27, 0, 0, 0, 0, time.UTC)}, // midnight skipped
		{"America/Havana", time.Date(2026, 10, 28, 0, 0, 0, 0, time.UTC)},  // midnight repeated
		{"Australia/Lord_Howe", time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)},
		{"Pacific/Apia", time.Date(2011, 12, 26, 0, 0, 0, 0, time.UTC)}, // a day skipped
		{"Asia/Kathmandu", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	const days = 9
	for round := range 30 {
		s := starts[round%len(starts)]
		h := care.Hours{Zone: s.zone, Days: map[string]string{}}
		for d := range h.Week {
			h.Week[d] = randomDay(rng)
		}
		for range 3 {
			h.Days[s.at.AddDate(0, 0, rng.IntN(days)).Format(time.DateOnly)] = randomDay(rng)
		}
		c := calendar(t, h)

		o := &oracle{zone: zone(t, s.zone), shifts: map[string][][2]int{}}
		for d := -3; d < days+3; d++ {
			day := s.at.AddDate(0, 0, d)
			text, dated := h.Days[day.Format(time.DateOnly)]
			if !dated {
				text = h.Week[day.Weekday()]
			}
			o.shifts[day.Format(time.DateOnly)] = readShifts(text)
		}
		begin := s.at.AddDate(0, 0, -2)
		passed := []int{0} // open minutes before each minute from begin
		var open []bool
		for m := range days * 1440 {
			is := o.open(begin.Add(time.Duration(m) * time.Minute))
			open = append(open, is)
			n := passed[m]
			if is {
				n++
			}
			passed = append(passed, n)
		}
		for range 200 {
			// Two days of run-up let the oracle see every fold before it counts.
			i := 2*1440 + rng.IntN((days-3)*1440)
			j := i + rng.IntN(days*1440-i)
			a, b := begin.Add(time.Duration(i)*time.Minute), begin.Add(time.Duration(j)*time.Minute)
			want := time.Duration(passed[j]-passed[i]) * time.Minute
			require.Equal(t, want, c.Between(a, b), "round %d %s: %v between %v and %v", round, s.zone, h, a, b)
			require.Equal(t, open[i], c.Open(a), "round %d %s: %v open at %v", round, s.zone, h, a)
			if want == 0 {
				continue
			}
			// Add is the first instant by which that much has passed.
			end := i
			for passed[end]-passed[i] < passed[j]-passed[i] {
				end++
			}
			require.Equal(t, begin.Add(time.Duration(end)*time.Minute), c.Add(a, want), "round %d %s: %v from %v add %v", round, s.zone, h, a, want)
			// And it takes apart.
			part := time.Duration(rng.Int64N(int64(want)))
			require.Equal(t, c.Add(a, want), c.Add(c.Add(a, part), want-part))
		}
	}
}

func randomDay(rng *rand.Rand) string {
	var parts []string
	for from := rng.IntN(900); from < 1440 && len(parts) < 3; {
		to := from + 15*(1+rng.IntN(40))
		if to >= from+1440 {
			break
		}
		parts = append(parts, fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, to%1440/60, to%60))
		from = to + 15*rng.IntN(20)
	}
	if rng.IntN(4) == 0 {
		return ""
	}
	return strings.Join(parts, " ")
}

func readShifts(text string) [][2]int {
	var out [][2]int
	for _, part := range strings.Fields(text) {
		var a, b, c, d int
		if _, err := fmt.Sscanf(part, "%d:%d-%d:%d", &a, &b, &c, &d); err != nil {
			panic(err)
		}
		from, to := a*60+b, c*60+d
		if to <= from {
			to += 1440
		}
		out = append(out, [2]int{from, to})
	}
	return out
}

func TestHoursRoundTripAndRefuseNonsense(t *testing.T) {
	h := goldenWeek(t).Hours()
	b, err := json.Marshal(h)
	require.NoError(t, err)
	var back care.Hours
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, h, back)

	for text, says := range map[string]string{
		`{"format":2,"week":{}}`:                                          "format 2",
		`{"format":1,"week":{"mo":"09:00-10:00"}}`:                        `"mo" is no weekday`,
		`{"format":1,"week":{"mon":"9-10"}}`:                              "Monday",
		`{"format":1,"week":{"mon":"09:00-12:00 11:00-13:00"}}`:           "before the one before it ends",
		`{"format":1,"week":{"mon":"24:00-01:00"}}`:                       "Monday",
		`{"format":1,"week":{},"days":{"2026-02-30":""}}`:                 "no date",
		`{"format":1,"week":{},"zone":"Mars/Olympus"}`:                    "zone",
		`{"format":1,"week":{},"holidays":{}}`:                            "unknown field",
		`{"format":1,"week":{},"days":{"2026-02-03":"09:00-25:00"}}`:      "2026-02-03",
		`{"format":1,"week":{"mon":"22:00-06:00 05:00-07:00"},"days":{}}`: "before the one before it ends",
	} {
		err := json.Unmarshal([]byte(text), &back)
		require.ErrorIs(t, err, care.ErrInvalid, text)
		assert.ErrorContains(t, err, says, text)
	}
}

func FuzzHours(f *testing.F) {
	f.Add([]byte(`{"format":1,"zone":"Asia/Shanghai","week":{"mon":"09:00-12:00 13:30-18:00"},"days":{"2026-10-01":""}}`))
	f.Add([]byte(`{"format":1,"week":{"sun":"22:00-06:00","mon":"00:00-24:00"}}`))
	f.Add([]byte(`{"format":1,"zone":"America/Asuncion","week":{"sat":"23:00-01:00"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h care.Hours
		if json.Unmarshal(b, &h) != nil {
			return
		}
		out, err := json.Marshal(h)
		require.NoError(t, err)
		var again care.Hours
		require.NoError(t, json.Unmarshal(out, &again))
		c := calendar(t, h)
		from := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
		if end := c.Add(from, 5*time.Hour); !end.IsZero() {
			require.Equal(t, 5*time.Hour, c.Between(from, end))
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	c := goldenWeek(b)
	from := time.Date(2026, 9, 28, 3, 0, 0, 0, time.UTC)
	for b.Loop() {
		c.Add(from, 16*time.Hour)
	}
}
