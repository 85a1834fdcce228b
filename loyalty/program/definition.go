package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

// ErrDefinition reports a definition that cannot work; its text names the field.
var ErrDefinition = errors.New("program: invalid definition")

// definitionFormat is the version of the JSON form.
const definitionFormat = 1

// Definition configures a program.
type Definition struct {
	Format int `json:"format"` // 1; zero stands for 1
	// Version names this state of the definition; awards carry it. Default: "1".
	Version string `json:"version,omitempty"`
	// Rules give awards; each one that matches adds to the others.
	Rules []Rule `json:"rules,omitempty"`
	// ReturnDays is the return window: an award becomes usable at the end of
	// the local day this many days after the order was received.
	ReturnDays int `json:"return_days,omitempty"`
	// ExcludeTenders are the tenders on which nothing is earned. Default:
	// "voucher", "points".
	ExcludeTenders []string `json:"exclude_tenders,omitempty"`
	// Tiers is the ladder; nil for none.
	Tiers *Ladder `json:"tiers,omitempty"`
	// Merge is the policy for memberships of one person.
	Merge MergePolicy `json:"merge,omitzero"`
	// Units are those of the ledger that New makes where it is given none.
	Units []loyalty.UnitConfig `json:"units,omitempty"`
}

// Basis says what of an order a rule counts.
type Basis string

// The bases.
const (
	// Goods is what the customer paid for the lines that match, without
	// freight. It is the default.
	Goods Basis = ""
	// Paid is all that the customer paid for the order, freight and charges
	// included, as one sum; such a rule names no categories.
	Paid Basis = "paid"
)

// Rule gives Points for every Per minor units that the customer paid for the
// lines that match. The award of an order is rounded down as a whole and then
// split over its lines by largest remainder.
type Rule struct {
	// Name is a key of at most 32 bytes, unique in the definition.
	Name string `json:"name"`
	// Unit is what is earned. Default: loyalty.Points.
	Unit loyalty.Unit `json:"unit,omitempty"`
	// Points per Per minor units of the currency; both positive.
	Points int64 `json:"points"`
	Per    int64 `json:"per"`
	// On is what is counted: Goods, the default, or Paid.
	On Basis `json:"on,omitempty"`
	// Currency restricts the rule to orders in it; empty is any.
	Currency string `json:"currency,omitempty"`
	// Categories restricts the rule to lines of these; empty is all. Exclude
	// leaves lines of these out.
	Categories []string `json:"categories,omitempty"`
	Exclude    []string `json:"exclude,omitempty"`
	// Tiers restricts the rule to members in one of these tiers; empty is all.
	Tiers []string `json:"tiers,omitempty"`
	// From (inclusive) and Until (exclusive) restrict the time of buying.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Max is the greatest award for one order; 0 is no limit.
	Max int64 `json:"max,omitempty"`
	// AtOnce makes the award usable without waiting for receipt and return window.
	AtOnce bool `json:"at_once,omitempty"`
	// Expiry is the policy of the lots; zero is the unit's.
	Expiry loyalty.Expiry `json:"expiry,omitzero"`
	// UnitCost is the cost of one of the unit in millionths of a minor unit.
	UnitCost int64 `json:"unit_cost,omitempty"`
}

// Ladder is the tiers of a program.
type Ladder struct {
	// Unit is what qualifies. It must be one that is neither redeemed nor
	// expires; a rule with one point per minor unit makes it net spend.
	Unit loyalty.Unit `json:"unit"`
	// WindowMonths is how far back the sum looks; 0 is all time. The window
	// begins at the start of the local day that many months before.
	WindowMonths int `json:"window_months,omitempty"`
	// ReviewMonths is how long a tier is kept at least. At the end of the local
	// day that many months after it was reached or confirmed it is reviewed. 0 is never.
	ReviewMonths int `json:"review_months,omitempty"`
	// Tiers are in ascending order of threshold. Who reaches none is in tier "".
	Tiers []Tier `json:"tiers"`
}

// Tier is one rung of a ladder.
type Tier struct {
	Name      string `json:"name"`
	Threshold int64  `json:"threshold"` // of the ladder's unit, inclusive
}

// ParseDefinition reads the JSON form. Unknown fields are errors.
func ParseDefinition(data []byte) (Definition, error) {
	var d Definition
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Definition{}, fmt.Errorf("%w: %w", ErrDefinition, err)
	}
	if dec.More() {
		return Definition{}, invalid("text after the definition")
	}
	if d.Format == 0 {
		return Definition{}, invalid("format is missing")
	}
	if err := d.fill(); err != nil {
		return Definition{}, err
	}
	return d, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDefinition, fmt.Sprintf(format, args...))
}

func (d *Definition) fill() error {
	if d.Format == 0 {
		d.Format = definitionFormat
	}
	if d.Format != definitionFormat {
		return invalid("format %d is not known", d.Format)
	}
	if d.Version == "" {
		d.Version = "1"
	}
	if d.ReturnDays < 0 || d.ReturnDays > 36_500 {
		return invalid("return_days must be from 0 to 36500")
	}
	if d.ExcludeTenders == nil {
		d.ExcludeTenders = []string{"voucher", "points"}
	}
	d.Rules = slices.Clone(d.Rules)
	for i := range d.Rules {
		r := &d.Rules[i]
		if r.Name == "" || len(r.Name) > maxRule || escape(r.Name) != r.Name {
			return invalid("rules[%d].name must be 1 to %d bytes that a URL path needs not escape", i, maxRule)
		}
		if slices.ContainsFunc(d.Rules[:i], func(o Rule) bool { return o.Name == r.Name }) {
			return invalid("rules[%d].name is there twice", i)
		}
		if r.Points <= 0 || r.Per <= 0 || r.Max < 0 || r.UnitCost < 0 {
			return invalid("rules[%d]: points and per must be positive, max and unit_cost not negative", i)
		}
		if !r.Until.IsZero() && !r.From.Before(r.Until) {
			return invalid("rules[%d].until is not after from", i)
		}
		if r.On != Goods && r.On != Paid {
			return invalid("rules[%d].on must be empty or %q", i, Paid)
		}
		if r.On == Paid && len(r.Categories)+len(r.Exclude) > 0 {
			return invalid("rules[%d] counts all that was paid and cannot choose categories", i)
		}
		if r.Unit == "" {
			r.Unit = loyalty.Points
		}
		for _, t := range r.Tiers {
			if t != "" && (d.Tiers == nil || !slices.ContainsFunc(d.Tiers.Tiers, func(o Tier) bool { return o.Name == t })) {
				return invalid("rules[%d].tiers names a tier that is not in the ladder", i)
			}
		}
	}
	if err := d.Merge.fill(d.Rules); err != nil {
		return err
	}
	if d.Tiers == nil {
		return nil
	}
	l := d.Tiers
	if l.Unit == "" || len(l.Tiers) == 0 {
		return invalid("tiers.unit and tiers.tiers must not be empty")
	}
	if l.WindowMonths < 0 || l.WindowMonths > 1200 || l.ReviewMonths < 0 || l.ReviewMonths > 1200 {
		return invalid("tiers.window_months and review_months must be from 0 to 1200")
	}
	for i, t := range l.Tiers {
		if t.Name == "" || t.Threshold <= 0 || i > 0 && t.Threshold <= l.Tiers[i-1].Threshold {
			return invalid("tiers.tiers[%d]: a name and an ascending positive threshold are needed", i)
		}
		if slices.ContainsFunc(l.Tiers[:i], func(o Tier) bool { return o.Name == t.Name }) {
			return invalid("tiers.tiers[%d].name is there twice", i)
		}
	}
	return nil
}

func (m *MergePolicy) fill(rules []Rule) error {
	switch m.Card {
	case "":
		m.Card = CardOlder
	case CardOlder, CardNewer, CardTier, CardLatest:
	default:
		return invalid("merge.card is unknown")
	}
	switch m.Tier {
	case "":
		m.Tier = TierHigher
	case TierHigher, TierRequalify:
	default:
		return invalid("merge.tier is unknown")
	}
	for i, name := range m.Once {
		if !slices.ContainsFunc(rules, func(r Rule) bool { return r.Name == name }) {
			return invalid("merge.once[%d] is not a rule", i)
		}
	}
	return nil
}
