package shop

import (
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
)

// Qualifying is the unit that makes a tier: earned beside the points, never
// redeemed and never expired.
const Qualifying loyalty.Unit = "qualifying"

// Club is the loyalty program of a brand.
type Club struct {
	Program  string
	Currency string
	Zone     string
	// Card is the kind of identifier that names the account.
	Card string
	// On is what of an order earns; ReturnDays is how long it can be returned.
	On         program.Basis
	ReturnDays int
	// ExpireMonths is how long points live; 0 is for ever.
	ExpireMonths int
	// Silver and Gold are the qualifying points of the tiers, TierMonths the
	// time over which they count and after which a tier is reviewed; 0 is all
	// time and never.
	Silver, Gold int64
	TierMonths   int
}

// Ledger is the configuration of the club's ledger on a store that all clubs share.
func (c Club) Ledger(store loyalty.Store, now func() time.Time) (loyalty.Config, error) {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return loyalty.Config{}, err
	}
	expiry := loyalty.Expiry{Kind: loyalty.ExpireNever}
	if c.ExpireMonths > 0 {
		expiry = loyalty.Expiry{Kind: loyalty.ExpireMonths, N: c.ExpireMonths}
	}
	return loyalty.Config{
		Program: c.Program, Store: store, Now: now, Zone: zone,
		Units: []loyalty.UnitConfig{
			{Unit: loyalty.Points, Expiry: expiry},
			{Unit: Qualifying},
		},
	}, nil
}

// Rules are one point for each whole unit of the currency that was paid other
// than by voucher or points, and the tiers that follow within twelve months.
func (c Club) Rules() program.Definition {
	return program.Definition{
		Version: "2025-07",
		Rules: []program.Rule{
			{Name: "purchase", Points: 1, Per: 100, Currency: c.Currency, On: c.On},
			{Name: "tier", Unit: Qualifying, Points: 1, Per: 100, Currency: c.Currency, On: c.On, AtOnce: true},
		},
		ReturnDays: c.ReturnDays,
		Tiers: &program.Ladder{
			Unit: Qualifying, WindowMonths: c.TierMonths, ReviewMonths: c.TierMonths,
			Tiers: []program.Tier{{Name: "silver", Threshold: c.Silver}, {Name: "gold", Threshold: c.Gold}},
		},
	}
}
