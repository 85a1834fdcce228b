package cdnow

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/input"
)

// realFile is the public history; the test is skipped, saying so, where it is absent.
func realFile(t *testing.T) string {
	t.Helper()
	root := os.Getenv("CXKIT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	file := filepath.Join(root, "cdnow", "CDNOW_sample.txt")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no CDNOW history: set CXKIT_DATA or put it at %s", file)
	}
	return file
}

// These were counted from the file with other tools.
var published = Figures{
	Customers: 2357, Orders: 6919, AmountCents: 244_091_94, Discs: 16479,
	RepeatBuyers: 1152, RepeatByDay: 1139, PurchaseDays: 6696, SameDayOrders: 223,
	Points: 239444, FirstDay: "19970101", LastDay: "19980630",
}

func TestTheFileCountsAsPublished(t *testing.T) {
	file := realFile(t)
	d, err := Open(file)
	require.NoError(t, err)
	require.True(t, d.Summary().Clean())
	require.NoError(t, d.Summary().Verdict())
	f, err := Reconcile(file, d.Summary())
	require.NoError(t, err)
	require.Equal(t, published, f)
}

// tally counts a feed the plain way, as the program does through the library.
func tally(t *testing.T, d *Dataset) Figures {
	t.Helper()
	var f Figures
	orders, days, daysOf, ids := map[string]int64{}, map[string]bool{}, map[string]int64{}, map[string]bool{}
	var last feed.Delivery
	for delivery, err := range d.Feed() {
		require.NoError(t, err)
		e := delivery.Event
		require.False(t, delivery.At.Before(last.At), "in order of time")
		require.False(t, ids[e.ID], "every event has an ID of its own")
		ids[e.ID], last = true, delivery
		customer, day := e.Identifiers[0].Value, e.Time.Format("20060102")
		switch e.Name {
		case feed.OrderPlaced:
			f.Orders++
			f.Discs += e.Order.Lines[0].Quantity
			orders[customer]++
			if !days[customer+day] {
				days[customer+day] = true
				daysOf[customer]++
			}
			if f.FirstDay == "" {
				f.FirstDay = day
			}
			f.LastDay = day
		case feed.OrderPaid:
			for _, p := range e.Order.Payments {
				f.AmountCents += p.Amount
				f.Points += p.Amount / CentsPerPoint
			}
		}
	}
	require.Len(t, ids, d.Deliveries())
	f.Customers, f.PurchaseDays = int64(len(orders)), int64(len(days))
	f.SameDayOrders = f.Orders - f.PurchaseDays
	f.RepeatBuyers, f.RepeatByDay = overOne(orders), overOne(daysOf)
	return f
}

func TestTheFeedHoldsWhatTheFileHolds(t *testing.T) {
	d, err := Open(realFile(t))
	require.NoError(t, err)
	checks := Compare(published, tally(t, d))
	for _, c := range checks {
		require.True(t, c.Equal, "%s: file %s, feed %s", c.Figure, c.Files, c.Library)
	}
	require.True(t, input.AllEqual(checks))
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "history.txt")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestBrokenLinesAreLeftOutWithLineAndReason(t *testing.T) {
	sound := " 00004 0001 19970101  2   29.33\r\n"
	for _, c := range []struct{ line, reason string }{
		{" 00004 0001 19970230  2   29.33", `date: "19970230" is no day of the calendar`},
		{" 00004 0001 1997011x  2   29.33", `date: "1997011x" is not 8 digits`},
		{" 00004 0001 19970118  0   29.33", `CDs: "0" is not a number from 1`},
		{" 00004 0001 19970118  2   29.3x", `dollars: "29.3x" is not an amount`},
		{" 00004 0001 19970118  2  -29.33", `dollars: "-29.33" is not an amount`},
		{" 00004 0001 19970118  2   29.33 7", "33 characters instead of 31"},
		{" 00004 0001 19970118  2", "23 characters instead of 31"},
		{"", "0 characters instead of 31"},
		{" 0004x 0001 19970118  2   29.33", `customer in the master set: "0004x" is not 5 digits`},
		{" 00021 0001 19970118  2   29.33", "contradicts an earlier line"},
		{" 00004 0002 19970118  2   29.33", "contradicts an earlier line"},
		{"x00004 0001 19970118  2   29.33", "no blank in column 1"},
	} {
		file := write(t, sound+c.line+"\r\n"+strings.Replace(sound, "0101", "0202", 1))
		d, err := Open(file)
		require.NoError(t, err)
		s := d.Summary()
		require.Len(t, s.Rejects, 1, c.line)
		require.Equal(t, input.Place{File: "history.txt", Line: 2}, s.Rejects[0].Place)
		require.Contains(t, s.Rejects[0].Reason, c.reason)
		require.ErrorIs(t, s.Verdict(), input.ErrUntrusted, "a third of the lines")
		require.Equal(t, 2, d.Orders())
		f, err := Reconcile(file, s)
		require.NoError(t, err)
		require.True(t, input.AllEqual(Compare(f, tally(t, d))), c.line)
	}
}

func TestOneBrokenLineInThousandIsReportedAndTrusted(t *testing.T) {
	var b strings.Builder
	for i := range 999 {
		fmt.Fprintf(&b, " %05d %04d 19970101  1   10.00\n", i+1, i+1)
	}
	d, err := Open(write(t, b.String()+"broken\n"))
	require.NoError(t, err)
	require.False(t, d.Summary().Clean())
	require.NoError(t, d.Summary().Verdict())
	require.Contains(t, d.Summary().String(), "history.txt:1000: 6 characters instead of 31")
}

func TestOrdersOfADayKeepTheOrderOfTheFile(t *testing.T) {
	d, err := Open(write(t, " 00004 0001 19970101  2   29.33\n 00004 0001 19970101  1    0.00\n"))
	require.NoError(t, err)
	var seen []string
	for delivery := range d.Feed() {
		seen = append(seen, delivery.At.Format("15:04 ")+delivery.Event.ID)
	}
	require.Equal(t, []string{
		"12:00 cdnow/00004-19970101-1/order.placed", "12:00 cdnow/00004-19970101-1/order.paid", "12:00 cdnow/00004-19970101-1/order.completed",
		"12:01 cdnow/00004-19970101-2/order.placed", "12:01 cdnow/00004-19970101-2/order.paid", "12:01 cdnow/00004-19970101-2/order.completed",
	}, seen)
}

func TestAMissingOrEmptyFileIsAnError(t *testing.T) {
	var format *input.FormatError
	_, err := Open(filepath.Join(t.TempDir(), "absent.txt"))
	require.ErrorAs(t, err, &format)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "absent.txt: no such file")
	_, err = Open(write(t, "\n"))
	require.ErrorContains(t, err, "history.txt: the file is empty")
}

func FuzzParseLine(f *testing.F) {
	f.Add(" 00004 0001 19970101  2   29.33")
	f.Add(" 00004 0001 19970230 -1   2e933")
	zone, err := time.LoadLocation(Zone)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, line string) {
		o, sample, err := parseLine(line, zone)
		if err != nil {
			return
		}
		again := fmt.Sprintf(" %s %s %s", o.customer, sample, o.at.Format("20060102"))
		require.Equal(t, line[:dateEnd], again)
		require.True(t, o.discs > 0 && o.cents >= 0)
	})
}
