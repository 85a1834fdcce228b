package loyalty_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
)

func day(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02", s, time.UTC)
	if err != nil {
		panic(err)
	}
	return t
}

func TestExpiryPolicies(t *testing.T) {
	start := day("2024-02-29").Add(15 * time.Hour)
	born := day("2000-02-29")
	for _, c := range []struct {
		policy loyalty.Expiry
		start  time.Time
		last   string // the last valid day
	}{
		{loyalty.Expiry{Kind: loyalty.ExpireDays, N: 1}, start, "2024-03-01"},
		{loyalty.Expiry{Kind: loyalty.ExpireDays, N: 366}, start, "2025-03-01"},
		{loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 12}, start, "2025-02-28"},
		{loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 48}, start, "2028-02-29"},
		{loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 1}, day("2026-01-31"), "2026-02-28"},
		{loyalty.Expiry{Kind: loyalty.ExpireEndOfMonth}, start, "2024-02-29"},
		{loyalty.Expiry{Kind: loyalty.ExpireEndOfMonth, N: 1}, day("2026-12-01"), "2027-01-31"},
		{loyalty.Expiry{Kind: loyalty.ExpireEndOfQuarter}, start, "2024-03-31"},
		{loyalty.Expiry{Kind: loyalty.ExpireEndOfQuarter, N: 2}, day("2026-10-01"), "2027-06-30"},
		{loyalty.Expiry{Kind: loyalty.ExpireEndOfYear}, day("2026-12-31"), "2026-12-31"},
		{loyalty.Expiry{Kind: loyalty.ExpireEndOfYear, N: 1}, start, "2025-12-31"},
		{loyalty.Expiry{Kind: loyalty.ExpireOnDate, Date: day("2026-06-18")}, start, "2026-06-18"},
		{loyalty.Expiry{Kind: loyalty.ExpireAnniversary, N: 1, Date: born}, day("2026-02-27"), "2026-02-28"},
		{loyalty.Expiry{Kind: loyalty.ExpireAnniversary, N: 1, Date: born}, day("2026-02-28"), "2027-02-28"},
		{loyalty.Expiry{Kind: loyalty.ExpireAnniversary, N: 2, Date: born}, day("2026-03-01"), "2028-02-29"},
		{loyalty.Expiry{Kind: loyalty.ExpireIdleMonths, N: 18}, day("2026-08-31"), "2028-02-29"},
	} {
		end := c.policy.Instant(c.start, time.UTC)
		require.Equal(t, c.last, loyalty.LastDay(end, time.UTC).Format(time.DateOnly), "%v from %v", c.policy, c.start)
		require.Equal(t, day(c.last).AddDate(0, 0, 1), end, "it ends with its last day")
	}
	require.Equal(t, loyalty.Forever, loyalty.Expiry{}.Instant(start, time.UTC))
	require.True(t, loyalty.LastDay(loyalty.Forever, time.UTC).IsZero())
}

func TestTheEndOfADayWhereClocksChange(t *testing.T) {
	for _, c := range []struct{ zone, day, end, why string }{
		{"America/Asuncion", "2023-09-30", "2023-10-01T04:00:00Z", "midnight does not exist: the day ends with the gap"},
		{"America/Sao_Paulo", "2018-11-03", "2018-11-04T03:00:00Z", "the same"},
		{"America/Havana", "2023-11-05", "2023-11-06T05:00:00Z", "01:00 is set back to 00:00: the day has 25 hours"},
		{"America/Havana", "2023-11-04", "2023-11-05T04:00:00Z", "and its midnight is the first one"},
		{"America/St_Johns", "2010-11-06", "2010-11-07T03:30:00Z", "00:01 is set back to 23:01: the day ends twice, the last time counts"},
		{"Pacific/Apia", "2011-12-29", "2011-12-30T10:00:00Z", "the next day is left out"},
		{"Asia/Shanghai", "2026-02-28", "2026-02-28T16:00:00Z", "nothing happens"},
	} {
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		noon := day(c.day)
		noon = time.Date(noon.Year(), noon.Month(), noon.Day(), 12, 0, 0, 0, zone)
		end := loyalty.EndOfDay(noon, zone)
		require.Equal(t, c.end, end.Format(time.RFC3339), "%s %s: %s", c.zone, c.day, c.why)
		require.Equal(t, c.day, loyalty.LastDay(end, zone).Format(time.DateOnly))
		require.NotEqual(t, c.day, end.In(zone).Format(time.DateOnly), "at its end it is another day")
	}
}

// zones lists the zones of the system's database, one of each set that behaves
// the same in the years concerned.
func zones(t *testing.T) map[string]*time.Location {
	t.Helper()
	root := "/usr/share/zoneinfo"
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no time zone database: %v", err)
	}
	found := map[string]*time.Location{}
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil || d.IsDir() || strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") {
			return err
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil // not a zone but a table
		}
		var b strings.Builder
		for at := time.Date(2019, 12, 1, 0, 0, 0, 0, zone); at.Year() < 2037; {
			_, offset := at.Zone()
			_, end := at.ZoneBounds()
			fmt.Fprint(&b, offset, " ", end.Unix(), ";")
			if end.IsZero() {
				break
			}
			at = end.In(zone)
		}
		if !seen[b.String()] {
			seen[b.String()] = true
			found[name] = zone
		}
		return nil
	})
	require.NoError(t, err)
	return found
}

// TestNoMonthIsMissed takes every start day from 2020 to 2032, 1 to 36 months
// and every zone: the last valid day is in the right month, on the same day of it
// or on its last, and it ends where the next local day begins.
func TestNoMonthIsMissed(t *testing.T) {
	all := zones(t)
	step := 1
	if testing.Short() || underRace {
		step = 29
	}
	for name, zone := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for y, m, d := 2020, time.January, 1; y <= 2032; {
				start := time.Date(y, m, d, 18, 30, 0, 0, zone)
				for n := 1; n <= 36; n++ {
					end := loyalty.Expiry{Kind: loyalty.ExpireMonths, N: n}.Instant(start, zone)
					last := end.Add(-time.Microsecond).In(zone)
					gotY, gotM, gotD := last.Date()
					first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
					wantD := min(d, first.AddDate(0, 1, -1).Day())
					if gotY != first.Year() || gotM != first.Month() || gotD != wantD {
						t.Fatalf("%v and %d months end with %v", start, n, last)
					}
					if nextY, nextM, nextD := end.In(zone).Date(); nextY == gotY && nextM == gotM && nextD == gotD {
						t.Fatalf("%v and %d months end at %v, within the day", start, n, end.In(zone))
					}
				}
				next := time.Date(y, m, d+step, 12, 0, 0, 0, time.UTC)
				y, m, d = next.Date()
			}
		})
	}
}
