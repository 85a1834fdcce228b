package main

import "time"

// counts are what the loop itself notes; everything else is asked of the
// packages at the end.
type counts struct {
	deliveries int
	cost       int64
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// earliest is the first of some instants, of which the zero time is none.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
