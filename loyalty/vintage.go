package loyalty

import (
	"cmp"
	"context"
	"math/big"
	"slices"
	"time"
)

// Vintage is what was issued of a unit in one calendar month, and what became
// of it. At all times
//
//	Issued = Redeemed + Expired + Returned + Adjusted + Outstanding
type Vintage struct {
	Unit Unit `json:"unit"`
	// Month is the first day, as a date in UTC, of the month of earning in the
	// program's zone.
	Month       time.Time `json:"month"`
	Issued      int64     `json:"issued"`
	Redeemed    int64     `json:"redeemed"`
	Expired     int64     `json:"expired"`
	Returned    int64     `json:"returned"` // taken back, debts settled included
	Adjusted    int64     `json:"adjusted"` // taken by hand
	Outstanding int64     `json:"outstanding"`
	// Cost is what the outstanding part costs at its unit costs, in minor units
	// of the currency, rounded down in total.
	Cost int64 `json:"cost"`
}

// Vintages reports every unit by month of earning, as of two times, oldest
// first. It reads every transaction of the program.
func (l *Ledger) Vintages(ctx context.Context, at AsOf) ([]Vintage, error) {
	if err := l.fix(ctx, &at); err != nil {
		return nil, err
	}
	type key struct {
		unit  Unit
		month time.Time
	}
	byMonth, costs := map[key]*Vintage{}, map[key]*big.Int{}
	for a, err := range l.Accounts(ctx) {
		if err != nil {
			return nil, err
		}
		s, err := l.stateAt(ctx, a.ID, &at)
		if err != nil {
			return nil, err
		}
		for _, set := range []*lotSet{&s.open, &s.closed} {
			for _, lot := range set.lots {
				d := dateOf(lot.EarnedAt, l.cfg.Zone)
				k := key{lot.Unit, time.Date(d.year, d.month, 1, 0, 0, 0, 0, time.UTC)}
				v := byMonth[k]
				if v == nil {
					v = &Vintage{Unit: k.unit, Month: k.month}
					byMonth[k], costs[k] = v, new(big.Int)
				}
				// What moved to another account is part of the other's Original.
				v.Issued += lot.Original - lot.Transferred
				v.Redeemed += lot.Redeemed
				v.Expired += lot.Expired
				v.Returned += lot.Clawed
				v.Adjusted += lot.Adjusted
				v.Outstanding += lot.Remaining
				costs[k].Add(costs[k], new(big.Int).Mul(big.NewInt(lot.Remaining), big.NewInt(lot.UnitCost)))
			}
		}
	}
	out := make([]Vintage, 0, len(byMonth))
	for k, v := range byMonth {
		cost := costs[k].Quo(costs[k], big.NewInt(1_000_000))
		if !cost.IsInt64() {
			return nil, ErrOverflow
		}
		v.Cost = cost.Int64()
		out = append(out, *v)
	}
	slices.SortFunc(out, func(a, b Vintage) int { return cmp.Or(a.Month.Compare(b.Month), cmp.Compare(a.Unit, b.Unit)) })
	return out, nil
}
