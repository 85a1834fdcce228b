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

// Rounding says where the rule of [Earn] rounds down to whole points.
type Rounding uint8

const (
	// ByOrder rounds once for the order; the award is then split over the
	// lines in proportion to their base, by largest remainder, ties to the
	// earlier line. It is the default.
	ByOrder Rounding = iota
	// ByLine rounds for each line.
	ByLine
)

// Earn is the rule by which the truth computes points. The base of a line is
// its Net (after every discount, whoever funds it) less its share of what was
// paid by the tender "voucher", which is spread over the lines in proportion to
// Net by largest remainder, ties to the earlier line. Freight earns nothing.
//
// An order earns PerYuan points for a yuan of base, rounded down, when it is
// paid. The points are pending until the goods have been received and the local
// day ReturnDays later is over; from that midnight on they are usable. A refund
// for a line takes the points of the line back, that for some of its pieces
// their part, rounded down; the closing of an order takes all. Once usable
// points are spent, that makes the balance negative. What is sent back and not
// yet refunded, refunds of freight alone and even exchanges change nothing. The
// points go to the card on the order and to nobody otherwise.
type Earn struct {
	// PerYuan is points for a yuan; 0 means 1.
	PerYuan int64
	// Rounding is ByOrder or ByLine.
	Rounding Rounding
	// ReturnDays is the time for returns, in local days after receipt; 0 means 7.
	ReturnDays int
	// Silver and Gold are the points, usable and pending, earned and not taken
	// back, at which a membership reaches the tier. Redeeming does not lower
	// them, and a tier once reached is kept to the end of the year. 0 means
	// 1,000 and 5,000.
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
	if e.ReturnDays == 0 {
		e.ReturnDays = 7
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
	case e.Rounding > ByLine:
		return c, fmt.Errorf("%w: Earn.Rounding is %d, want ByOrder or ByLine", ErrConfig, e.Rounding)
	case e.ReturnDays < 0 || e.ReturnDays > 365:
		return c, fmt.Errorf("%w: Earn.ReturnDays is %d, want 1 to 365", ErrConfig, e.ReturnDays)
	case e.Silver < 0 || e.Gold < e.Silver:
		return c, fmt.Errorf("%w: Earn.Gold is %d, want at least Silver, which is %d", ErrConfig, e.Gold, e.Silver)
	}
	return c, nil
}
