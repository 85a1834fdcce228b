package input

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
)

func TestCentsAreExact(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "0.0": 0, "541.0": 541_00, "141.46": 141_46, "99.9": 99_90, "13664.08": 13664_08,
		"92233720368547758.07": 9223372036854775807,
	} {
		got, err := ParseCents(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", ".", ".5", "5.", "1.234", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0x1", "1.2.3", "NaN", "92233720368547758.08", "99999999999999999999"} {
		_, err := ParseCents(s)
		require.ErrorIs(t, err, ErrMoney, s)
	}
}

func TestLocalTimeInGapsAndFolds(t *testing.T) {
	loc, err := time.LoadLocation("America/Sao_Paulo")
	require.NoError(t, err)
	for _, c := range []struct{ why, wall, want string }{
		{"plain summer time", "2018-01-10 12:00:00", "2018-01-10T14:00:00Z"},
		{"plain winter time", "2018-07-10 12:00:00", "2018-07-10T15:00:00Z"},
		{"midnight that was skipped: one hour on", "2017-10-15 00:00:00", "2017-10-15T03:00:00Z"},
		{"the first instant after the gap", "2017-10-15 01:00:00", "2017-10-15T03:00:00Z"},
		{"inside the gap", "2017-10-15 00:30:00", "2017-10-15T03:30:00Z"},
		{"occurs twice: the first", "2018-02-17 23:30:00", "2018-02-18T01:30:00Z"},
	} {
		got, err := ParseLocal(time.DateTime, c.wall, loc)
		require.NoError(t, err, c.why)
		require.Equal(t, c.want, got.UTC().Format(time.RFC3339), c.why)
	}
	_, err = ParseLocal(time.DateTime, "2018-02-30 10:00:00", loc)
	require.Error(t, err)
}

func TestVerdict(t *testing.T) {
	s := Summary{Orders: 200, Files: []FileCount{{File: "a.csv", Rows: 200, Rejected: 2}}, LeftOut: map[string]bool{"1": true, "2": true}}
	require.NoError(t, s.Verdict(), "one per cent is still trusted")
	s.Files[0].Rejected = 3
	require.ErrorIs(t, s.Verdict(), ErrUntrusted)
	require.ErrorContains(t, s.Verdict(), "3 of 200 rows of a.csv")
	s = Summary{Orders: 0, Files: []FileCount{{File: "a.csv"}}}
	require.ErrorContains(t, s.Verdict(), "a.csv has no rows")
}

func TestSummaryListsTheFirstRejectsAndCountsTheRest(t *testing.T) {
	var s Summary
	for i := range 25 {
		s.Rejects = append(s.Rejects, Reject{Place: Place{"a.csv", i + 2}, Reason: "broken"})
	}
	text := s.String()
	require.Equal(t, 20, strings.Count(text, ": broken"))
	require.Contains(t, text, "left out  and 5 more rows")
}

func FuzzParseCents(f *testing.F) {
	f.Add("12.34")
	f.Add("0.5")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseCents(s)
		if err == nil && n < 0 {
			t.Fatalf("%q gave %d", s, n)
		}
	})
}
