package world

import (
	"math/rand/v2"
	"time"
)

// Zone is the local time of the group, Asia/Shanghai.
var Zone = shanghai()

func shanghai() *time.Location {
	if z, err := time.LoadLocation("Asia/Shanghai"); err == nil {
		return z
	}
	return time.FixedZone("Asia/Shanghai", 8*60*60) // without daylight saving since 1991
}

// newYears are the first days of the lunar year, 2020 to 2035, as month and day.
var newYears = [...][2]int{
	{1, 25},
	{2, 12},
	{2, 1},
	{1, 22},
	{2, 10},
	{1, 29},
	{2, 17},
	{2, 6},
	{1, 26},
	{2, 13},
	{2, 3},
	{1, 23},
	{2, 11},
	{1, 31},
	{2, 19},
	{2, 8},
}

// SpringFestival returns the first day of the lunar year that begins in the
// given year, at its local midnight; the zero time outside 2020 to 2035.
func SpringFestival(year int) time.Time {
	if year < 2020 || year-2020 >= len(newYears) {
		return time.Time{}
	}
	md := newYears[year-2020]
	return time.Date(year, time.Month(md[0]), md[1], 0, 0, 0, 0, Zone)
}

const day = 24 * time.Hour

// daysFromFestival is how many days t's date lies after the first day of its
// year's lunar year, negative before.
func daysFromFestival(t time.Time) int {
	t = t.In(Zone)
	f := SpringFestival(t.Year())
	return int(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, Zone).Sub(f) / day)
}

// calendar holds how busy each day is, as cumulative weights.
type calendar struct {
	start        time.Time
	online, shop []float64 // [i] is the sum of the weights before day i
}

func newCalendar(start, end time.Time) *calendar {
	c := &calendar{start: start, online: []float64{0}, shop: []float64{0}}
	var on, in float64
	for d := start; d.Before(end); d = d.AddDate(0, 0, 1) {
		on += onlineWeight(d)
		in += shopWeight(d)
		c.online = append(c.online, on)
		c.shop = append(c.shop, in)
	}
	return c
}

func onlineWeight(d time.Time) float64 {
	w := 1.0
	if wd := d.Weekday(); wd == time.Saturday || wd == time.Sunday {
		w = 1.15
	}
	switch m, n := d.Month(), d.Day(); {
	case m == time.November && n == 11: // the sales day
		w = 14
	case m == time.November && n <= 10:
		w *= 1.8
	case m == time.November && n == 12:
		w = 3
	case m == time.November && n <= 20:
		w *= 0.7
	case m == time.October && n >= 20:
		w *= 1.3
	case m == time.December && n == 12:
		w = 3
	case m == time.June && n == 18:
		w = 6
	case m == time.June && n >= 16 && n < 18:
		w = 3
	}
	switch f := daysFromFestival(d); {
	case f >= -28 && f < -7: // gifts
		w *= 1.9
	case f >= -2 && f <= 6: // couriers are at home
		w *= 0.25
	case f > 6 && f <= 12:
		w *= 0.6
	}
	return w
}

func shopWeight(d time.Time) float64 {
	w := 1.0
	if wd := d.Weekday(); wd == time.Saturday || wd == time.Sunday {
		w = 1.8
	}
	switch m, n := d.Month(), d.Day(); {
	case m == time.November && n == 11:
		w *= 1.6
	case m == time.October && n <= 7: // national holiday
		w *= 2.2
	}
	switch f := daysFromFestival(d); {
	case f >= -20 && f < -1:
		w *= 2
	case f >= -1 && f <= 3:
		w *= 0.2
	}
	return w
}

// Shares of the hours of a day.
var (
	onlineHours = cumulate(2, 1, 1, 1, 1, 1, 2, 4, 5, 6, 7, 7, 8, 7, 6, 6, 6, 6, 7, 9, 12, 13, 11, 6)
	saleHours   = cumulate(20, 9, 3, 1, 1, 1, 2, 4, 6, 7, 8, 7, 7, 6, 6, 6, 6, 6, 7, 9, 12, 13, 12, 14)
	shopHours   = cumulate(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 8, 8, 7, 8, 9, 10, 10, 11, 12, 9, 4, 0, 0)
)

func cumulate(weights ...float64) []float64 {
	out := make([]float64, len(weights)+1)
	for i, w := range weights {
		out[i+1] = out[i] + w
	}
	return out
}

// pick draws an index of the weights behind cum, among those in [from, to).
func pick(r *rand.Rand, cum []float64, from, to int) int {
	x := cum[from] + r.Float64()*(cum[to]-cum[from])
	lo, hi := from, to-1
	for lo < hi {
		mid := (lo + hi) / 2
		if cum[mid+1] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// moment draws an instant in [from, until) as busy as the channel's days and hours are.
func (c *calendar) moment(r *rand.Rand, ch channel, from, until time.Time) time.Time {
	days := len(c.online) - 1
	first := min(max(int(from.Sub(c.start)/day), 0), days-1)
	last := min(max(int((until.Sub(c.start)-1)/day), first), days-1)
	cum, hours := c.online, onlineHours
	if ch == till || ch == tablet {
		cum, hours = c.shop, shopHours
	}
	d := c.start.AddDate(0, 0, pick(r, cum, first, last+1))
	if ch != till && ch != tablet && d.Month() == time.November && d.Day() == 11 {
		hours = saleHours
	}
	t := d.Add(time.Duration(pick(r, hours, 0, 24))*time.Hour + time.Duration(r.Int64N(int64(time.Hour))))
	t = t.Truncate(time.Millisecond)
	if t.Before(from) {
		t = from.Add(time.Duration(r.Int64N(int64(time.Hour))))
	}
	return t.Truncate(time.Millisecond)
}
