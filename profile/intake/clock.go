package intake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var errTime = errors.New("is not a time of the form that the mapping says")

var defaultLayouts = []string{time.RFC3339, time.DateTime, time.DateOnly}

// Layouts that are no layouts of package time.
const (
	unixSeconds = "unix"
	unixMillis  = "unix_ms"
)

// clock reads times.
type clock struct {
	zone    *time.Location
	layouts []string
}

func newClock(zone string, layouts []string) (clock, error) {
	if zone == "" {
		zone = "UTC"
	}
	if zone == "Local" {
		return clock{}, errors.New("zone: is not the name of a zone")
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return clock{}, errors.New("zone: is not the name of a zone")
	}
	if len(layouts) == 0 {
		layouts = defaultLayouts
	}
	for i, l := range layouts {
		// A layout that reads back what it writes of an instant, to the day, is one.
		sample := time.Date(2021, 11, 23, 0, 0, 0, 0, time.UTC)
		switch back, err := time.Parse(l, sample.Format(l)); {
		case l == unixSeconds || l == unixMillis:
		case strings.Contains(l, "MST"):
			return clock{}, fmt.Errorf("layouts[%d]: letter codes of zones are ambiguous; use an offset or a zone", i)
		case err != nil || !back.Equal(sample):
			return clock{}, fmt.Errorf("layouts[%d]: is not a layout with year, month and day", i)
		}
	}
	return clock{loc, layouts}, nil
}

func (c clock) read(s string) (time.Time, error) {
	for _, l := range c.layouts {
		switch l {
		case unixSeconds, unixMillis:
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				continue
			}
			t := time.Unix(n, 0)
			if l == unixMillis {
				t = time.UnixMilli(n)
			}
			return inRange(t)
		}
		t, err := time.Parse(l, s)
		if err != nil {
			continue
		}
		if !strings.Contains(l, "Z07") && !strings.Contains(l, "-07") {
			t = wallTime(t, c.zone)
		}
		return inRange(t)
	}
	return time.Time{}, errTime
}

func inRange(t time.Time) (time.Time, error) {
	t = t.UTC().Truncate(time.Microsecond)
	if y := t.Year(); y < 1 || y > 9999 || t.IsZero() {
		return time.Time{}, errTime
	}
	return t, nil
}

// wallTime is the instant at which clocks in zone show what wall shows in UTC.
// One that they skip moves forward by the gap, of two the first is meant.
func wallTime(wall time.Time, zone *time.Location) time.Time {
	shown := func(offset int) (time.Time, bool) {
		t := wall.Add(-time.Duration(offset) * time.Second)
		_, at := t.In(zone).Zone()
		return t, at == offset
	}
	_, before := wall.Add(-36 * time.Hour).In(zone).Zone()
	_, after := wall.Add(36 * time.Hour).In(zone).Zone()
	first, ok := shown(before)
	if ok {
		return first
	}
	if second, ok := shown(after); ok {
		return second
	}
	return first
}
