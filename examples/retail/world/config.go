package world

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig reports a [Config] that cannot be used; the text names the field.
var ErrConfig = errors.New("world: invalid configuration")

// Config says which world to make. The zero Config is the world that the
// retail example shows.
type Config struct {
	// Seed chooses the world; 0 means 1.
	Seed uint64
	// Customers is the number of persons who make themselves known in some
	// channel; a fifth as many visitors, the staff and some guests come on
	// top. 0 means 4,000; at most 200,000.
	Customers int
	// Start is the first day, at its local midnight in Asia/Shanghai; the
	// world lasts twelve months. The zero time means 2025-07-01, so that the
	// sales day is 2025-11-11 and the spring festival 2026-02-17. From 2020 to 2034.
	Start time.Time
	// Earn is how memberships earn points.
	Earn Earn
}

// Rounding says where the rule of [Earn] drops the fraction of a yuan.
type Rounding uint8

const (
	// ByLine drops it for each line. It is the default.
	ByLine Rounding = iota
	// ByOrder drops it once for the order; the award is then split over the
	// lines in proportion to their base, by largest remainder, ties to the
	// earlier line. A returned line takes its share back, some pieces of it
	// their part of the share, rounded down.
	ByOrder
)

// Earn is the rule by which the truth computes points. The base of a line is
// its Net (after every discount, whoever funds it) less its share of what was
// paid by the tender "voucher", which is spread over the lines in proportion to
// Net by largest remainder, ties to the earlier line. Freight earns nothing.
//
// A line earns when the order is received, PerYuan points for each whole yuan
// of its base. The points are pending until Window after receipt and usable
// from that instant on. A return takes the points of its lines back, at the
// time of the return, in whichever state they are: before receipt nothing is
// earned, after the window the balance falls, below zero if the points were
// spent. Refunds without lines (freight, goodwill) and even exchanges change
// nothing. The points go to the card on the order and to nobody otherwise.
type Earn struct {
	// PerYuan is points for a whole yuan; 0 means 1.
	PerYuan int64
	// Rounding is ByLine or ByOrder.
	Rounding Rounding
	// Window is the time for returns, counted from receipt; 0 means 7 days of
	// 24 hours.
	Window time.Duration
	// Silver and Gold are the qualifying points, usable and not taken back,
	// at which a membership reaches the tier. Redeeming does not lower them,
	// and a tier once reached is kept to the end of the year. 0 means 1,000
	// and 5,000.
	Silver, Gold int64
}

func (c Config) withDefaults() (Config, error) {
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.Customers == 0 {
		c.Customers = 4000
	}
	if c.Customers < 0 || c.Customers > 200_000 {
		return c, fmt.Errorf("%w: Customers is %d, want 1 to 200000", ErrConfig, c.Customers)
	}
	if c.Start.IsZero() {
		c.Start = time.Date(2025, 7, 1, 0, 0, 0, 0, Zone)
	}
	local := c.Start.In(Zone)
	c.Start = time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, Zone)
	if y := c.Start.Year(); y < 2020 || y > 2034 {
		return c, fmt.Errorf("%w: Start is in %d, want 2020 to 2034", ErrConfig, y)
	}
	e := &c.Earn
	if e.PerYuan == 0 {
		e.PerYuan = 1
	}
	if e.Window == 0 {
		e.Window = 7 * 24 * time.Hour
	}
	if e.Silver == 0 {
		e.Silver = 1000
	}
	if e.Gold == 0 {
		e.Gold = 5000
	}
	switch {
	case e.PerYuan < 0 || e.PerYuan > 1000:
		return c, fmt.Errorf("%w: Earn.PerYuan is %d, want 1 to 1000", ErrConfig, e.PerYuan)
	case e.Rounding > ByOrder:
		return c, fmt.Errorf("%w: Earn.Rounding is %d, want ByLine or ByOrder", ErrConfig, e.Rounding)
	case e.Window < 0:
		return c, fmt.Errorf("%w: Earn.Window is negative", ErrConfig)
	case e.Silver < 0 || e.Gold < e.Silver:
		return c, fmt.Errorf("%w: Earn.Gold is %d, want at least Silver, which is %d", ErrConfig, e.Gold, e.Silver)
	}
	return c, nil
}
