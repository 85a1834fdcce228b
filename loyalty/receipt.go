package loyalty

import (
	"fmt"
	"strings"
	"time"
)

// Receipt is the outcome of a command.
type Receipt struct {
	Transaction Transaction
	// Balances are those after it, of each account concerned, the command's
	// account first, in its unit; of merges and splits in the units that moved.
	Balances []Balance
	// Replayed says that the command had been carried out before.
	Replayed bool
}

// Move is an amount that a transaction moved into (positive) or out of a lot.
type Move struct {
	Account string
	Lot     string
	Amount  int64
	// Against is the book on the other side.
	Against Book
}

// Moves lists the movements of lots.
func (r Receipt) Moves() []Move {
	var out []Move
	es := r.Transaction.Entries
	for i := range es {
		e, other := &es[i], &es[i^1]
		if e.Lot != "" && (e.Book == BookMember || e.Book == BookPool) {
			out = append(out, Move{e.Account, e.Lot, e.Amount, other.Book})
		}
	}
	return out
}

// Balance is the balance after the command of the account that it names first.
func (r Receipt) Balance() Balance {
	if len(r.Balances) == 0 {
		return Balance{}
	}
	return r.Balances[0]
}

// String says what happened in words that a shop assistant understands.
func (r Receipt) String() string {
	t := &r.Transaction
	var b strings.Builder
	fmt.Fprintf(&b, "%s", verbs[t.Kind])
	into := map[Book]int64{}
	var lots int64
	for _, m := range r.Moves() {
		into[m.Against] += m.Amount
		lots++
	}
	var debt int64
	for i := range t.Entries {
		if t.Entries[i].Book == BookDebt {
			debt -= t.Entries[i].Amount
		}
	}
	switch t.Kind {
	case KindEarn, KindImport:
		fmt.Fprintf(&b, " %d %s", into[BookIssuer], t.Unit)
		if len(t.Opens) > 0 {
			b.WriteString(whenUsable(t.Opens[0].UsableFrom, t.Effective))
		}
	case KindRedeem, KindCapture:
		fmt.Fprintf(&b, " %d %s from %s", -into[BookRedeemed], t.Unit, lotsOf(lots))
	case KindHold:
		fmt.Fprintf(&b, " %d %s", t.Amount, t.Unit)
	case KindAdjust:
		fmt.Fprintf(&b, " by %+d %s, reason %s", into[BookAdjusted], t.Unit, t.Reason)
	case KindReturn:
		fmt.Fprintf(&b, " %d %s", -into[BookIssuer], t.Unit)
	case KindReverse:
		fmt.Fprintf(&b, " %s: %+d %s", t.Of, into[BookRedeemed]+into[BookAdjusted]+into[BookIssuer], t.Unit)
	}
	if debt > 0 {
		fmt.Fprintf(&b, ", %d more owed because they were spent", debt)
	}
	if debt < 0 {
		fmt.Fprintf(&b, ", %d of it settles a debt", -debt)
	}
	if t.Forgiven > 0 {
		fmt.Fprintf(&b, ", %d forgiven because they were spent", t.Forgiven)
	}
	for i, bal := range r.Balances {
		if i == 0 {
			b.WriteString("; ")
		} else {
			fmt.Fprintf(&b, "; %s: ", bal.Account)
		}
		b.WriteString(bal.String())
	}
	return b.String()
}

func whenUsable(from, earned time.Time) string {
	switch {
	case !from.Before(Forever):
		return ", pending until received"
	case from.After(earned):
		return ", pending until " + from.Format(time.DateOnly)
	}
	return ""
}

var verbs = map[Kind]string{
	KindOpenPool: "pool opened", KindEarn: "earned", KindVest: "vesting set", KindRedeem: "redeemed",
	KindHold: "held", KindCapture: "captured", KindRelease: "hold released", KindTimeout: "hold timed out",
	KindExpire: "expired", KindReverse: "reversed", KindReturn: "taken back", KindTransfer: "transferred",
	KindMerge: "merged", KindSplit: "split", KindAdjust: "adjusted", KindImport: "imported",
	KindExtend: "extended", KindReinstate: "reinstated",
}

func lotsOf(n int64) string {
	if n == 1 {
		return "1 lot"
	}
	return fmt.Sprintf("%d lots", n)
}
