package report

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// titled is a title with the unit of what it shows.
func titled(title, unit string) string {
	if title == "" || unit == "" {
		return title + unit
	}
	return title + " (" + unit + ")"
}

// signed writes a movement: +1,200, −300, 0.
func signed(n int64) string {
	if n > 0 {
		return "+" + Count(n)
	}
	return Count(n)
}

// decimal writes a value with at most that many decimals; whole numbers with
// thousands separated and none.
func decimal(v float64, places int) string {
	if places == 0 || v == math.Trunc(v) {
		return Count(int64(math.Round(v)))
	}
	return strings.Replace(strconv.FormatFloat(v, 'f', places, 64), "-", "−", 1)
}

// fixed writes a value with exactly that many decimals, for columns and scores.
func fixed(v float64, places int) string {
	s := strings.Replace(strconv.FormatFloat(v, 'f', places, 64), "-", "−", 1)
	if strings.Trim(s, "−0.") == "" {
		return strings.TrimPrefix(s, "−")
	}
	return s
}

// compact writes an axis value: 950, 1.5k, 20k, 3M.
func compact(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.size {
			return strings.Replace(strconv.FormatFloat(v/u.size, 'g', 4, 64), "-", "−", 1) + u.name
		}
	}
	return strings.Replace(strconv.FormatFloat(v, 'g', 4, 64), "-", "−", 1)
}

// roundTo keeps that many significant digits.
func roundTo(v float64, digits int) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-float64(digits-1))
	return math.Round(v/unit) * unit
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// percentShort is a share without decimals, with one below ten per cent.
func percentShort(part, whole int64) string {
	if whole <= 0 {
		return "–"
	}
	p := 100 * float64(part) / float64(whole)
	if p > 0 && p < 9.95 {
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

// scale maps low…high to pixels.
type scale struct {
	low, high float64
	from, to  float64
}

func (s scale) at(v float64) float64 {
	if s.high == s.low {
		return (s.from + s.to) / 2
	}
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}

// nice widens low…high to round numbers and returns about n of them between.
func nice(low, high float64, n int) (float64, float64, []float64) {
	if high <= low {
		high = low + 1
	}
	raw := (high - low) / float64(n)
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if step*m >= raw*0.999 {
			step *= m
			break
		}
	}
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	var ticks []float64
	for i := first; i <= last; i++ {
		ticks = append(ticks, i*step)
	}
	return first * step, last * step, ticks
}

// months are the first instants of the months within from…to, thinned to at most n.
func months(from, to time.Time, n int) []time.Time {
	var all []time.Time
	for m := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, from.Location()); !m.After(to); m = m.AddDate(0, 1, 0) {
		if !m.Before(from) {
			all = append(all, m)
		}
	}
	every := 1
	for _, e := range []int{1, 2, 3, 6, 12} {
		if every = e; len(all) <= n*e {
			break
		}
	}
	var kept []time.Time
	for i, m := range all {
		if i%every == 0 {
			kept = append(kept, m)
		}
	}
	return kept
}
