package intake

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMoneyIsReadDigitByDigit(t *testing.T) {
	plain, german := numerals{point: "."}, numerals{point: ",", thousands: "."}
	for _, c := range []struct {
		n      numerals
		text   string
		places int
		want   int64
		err    error
	}{
		{plain, "0.29", 2, 29, nil},
		{plain, "1.10", 2, 110, nil},
		{plain, "19.9", 2, 1990, nil},
		{plain, "100", 2, 10000, nil},
		{plain, "-5.05", 2, -505, nil},
		{plain, "+5.05", 2, 505, nil},
		{plain, "7.000000000000000000000000", 0, 7, nil},
		{plain, "90071992547409.93", 2, 9007199254740993, nil}, // no float holds it
		{plain, "92233720368547758.07", 2, 9223372036854775807, nil},
		{plain, "92233720368547758.08", 2, 0, errRange},
		{plain, "92233720368547759", 2, 0, errRange},
		{plain, "1.005", 2, 0, errPlaces},
		{plain, "1.5", 0, 0, errPlaces},
		{plain, "1,000", 2, 0, errNumber},
		{plain, "", 2, 0, errNumber},
		{plain, ".5", 2, 0, errNumber},
		{plain, "5.", 2, 0, errNumber},
		{plain, "--5", 2, 0, errNumber},
		{plain, "1e3", 2, 0, errNumber},
		{plain, "0x10", 2, 0, errNumber},
		{plain, "１２", 2, 0, errNumber},
		{plain, "1.2.3", 2, 0, errNumber},
		{german, "1.234.567,89", 2, 123456789, nil},
		{german, "1234,5", 2, 123450, nil},
		{german, "1.23,4", 2, 0, errNumber},
		{german, "1234.567", 2, 0, errNumber},
		{german, ".123", 2, 0, errNumber},
		{german, "1,234.567", 2, 0, errNumber},
	} {
		got, err := c.n.money(c.text, c.places)
		assert.ErrorIs(t, err, c.err, c.text)
		assert.Equal(t, c.want, got, c.text)
	}
}

func TestLocalTimesFollowTheZone(t *testing.T) {
	for _, c := range []struct{ zone, layout, text, want string }{
		{"", "", "2026-03-01", "2026-03-01T00:00:00Z"},
		{"Asia/Shanghai", "", "2026-03-01 08:30:00", "2026-03-01T00:30:00Z"},
		{"Asia/Shanghai", "", "2026-03-01T08:30:00+01:00", "2026-03-01T07:30:00Z"},
		{"America/New_York", "", "2026-03-08 02:30:00", "2026-03-08T07:30:00Z"}, // skipped: an hour later
		{"America/New_York", "", "2026-03-08 01:59:59", "2026-03-08T06:59:59Z"},
		{"America/New_York", "", "2026-03-08 03:00:00", "2026-03-08T07:00:00Z"},
		{"America/New_York", "", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z"}, // twice: the first
		{"America/New_York", "", "2026-11-01 02:30:00", "2026-11-01T07:30:00Z"},
		{"America/Asuncion", "", "2023-10-01", "2023-10-01T04:00:00Z"}, // midnight does not exist
		{"Asia/Shanghai", "02.01.2006 15h04", "24.12.2026 18h05", "2026-12-24T10:05:00Z"},
		{"Asia/Shanghai", "unix", "1767225600", "2026-01-01T00:00:00Z"},
		{"Asia/Shanghai", "unix_ms", "1767225600123", "2026-01-01T00:00:00.123Z"},
		{"", "2006-01-02 15:04:05.999999999", "2026-01-01 00:00:00.123456789", "2026-01-01T00:00:00.123456Z"},
	} {
		var layouts []string
		if c.layout != "" {
			layouts = []string{c.layout}
		}
		clock, err := newClock(c.zone, layouts)
		require.NoError(t, err)
		got, err := clock.read(c.text)
		require.NoError(t, err, c.text)
		assert.Equal(t, c.want, got.Format(time.RFC3339Nano), c.text)
	}
	clock, err := newClock("", nil)
	require.NoError(t, err)
	for _, text := range []string{"", "yesterday", "2026-02-30", "2026-13-01", "0000-01-01", "0001-01-01"} {
		_, err := clock.read(text)
		assert.ErrorIs(t, err, errTime, text)
	}
	for _, zone := range []string{"Mars/Olympus", "Local"} {
		_, err := newClock(zone, nil)
		assert.Error(t, err, zone)
	}
}

// Every hour of wall time of two years, in zones with every kind of change.
func TestWallTimeIsTheFirstInstantThatShowsIt(t *testing.T) {
	for _, name := range []string{"America/New_York", "Australia/Lord_Howe", "Europe/Lisbon", "Africa/Casablanca", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for wall := time.Date(2024, 12, 31, 0, 15, 0, 0, time.UTC); wall.Year() < 2027; wall = wall.Add(30 * time.Minute) {
			got := wallTime(wall, zone)
			shows := func(t time.Time) bool { return t.In(zone).Format(time.DateTime) == wall.Format(time.DateTime) }
			if !shows(got) {
				// Skipped: the instant lies after the gap by as much as the wall time lies in it.
				require.False(t, shows(got.Add(-time.Hour)) || shows(got.Add(-30*time.Minute)), "%s %s", name, wall)
				_, before := got.Add(-3 * time.Hour).In(zone).Zone()
				require.True(t, got.Equal(wall.Add(-time.Duration(before)*time.Second)), "%s %s", name, wall)
				continue
			}
			for _, earlier := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
				require.False(t, shows(got.Add(-earlier)), "%s %s has an earlier instant", name, wall)
			}
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"1,234.50", "-0.00", "9223372036854775807", "1e5", "١"} {
		f.Add(s, 2)
	}
	f.Fuzz(func(t *testing.T, s string, places int) {
		n := numerals{point: ".", thousands: ","}
		places = int(uint(places) % 7)
		got, err := n.money(s, places)
		if err != nil {
			return
		}
		// What was read writes back to the same number.
		plain := strings.TrimLeft(strings.ReplaceAll(strings.TrimPrefix(s, "+"), ",", ""), "-")
		whole, fraction, _ := strings.Cut(plain, ".")
		fraction = (fraction + "000000")[:max(len(strings.TrimRight(fraction, "0")), places)]
		want, err := strconv.ParseInt(whole+fraction, 10, 64)
		if err != nil || want != max(got, -got) {
			t.Fatalf("%q with %d places is %d, expected %d (%v)", s, places, got, want, err)
		}
	})
}

func FuzzSplitCSV(f *testing.F) {
	for _, s := range []string{"a,b", `"a","b""c",`, "\"a\nb\",c", `a"b`, `"`, `""`, ",,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cells, fault := splitCSV(s, ',')
		open := scan(cellStart, []byte(s), ',') == inQuotes
		if fault == "" && open {
			t.Fatalf("%q splits, though a quote is open", s)
		}
		if fault != "" {
			return
		}
		quoted := make([]string, len(cells))
		for i, c := range cells {
			quoted[i] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		again, fault := splitCSV(strings.Join(quoted, ","), ',')
		if fault != "" || strings.Join(again, "\x00") != strings.Join(cells, "\x00") {
			t.Fatalf("%q does not survive quoting: %q, %s", s, again, fault)
		}
	})
}
