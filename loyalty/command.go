package loyalty

import "time"

// Command is one of the command types of this package. Each has a Key under
// which it takes effect once: the same key and content give the first receipt
// again, the same key and other content [ErrKeyReused]. A rejected command
// leaves no trace and its key stays free. Keys, accounts, orders, lines, rules,
// reasons and actors are opaque keys: at most [MaxKeyBytes] of UTF-8 without
// white space; a Key holds no "~".
type Command interface {
	kind() Kind
	key() string
	// wants adds what a decision reads, as far as that is known beforehand.
	wants(*wanted)
	content(*encoder)
	check(*Config) error
	decide(*desk, *Transaction) error
}

// Earn gives an award: one lot, or one per line of the order.
type Earn struct {
	Key     string
	Account string
	Unit    Unit // zero: Points
	// Amount is the award; with Lines it may be left zero and is otherwise their sum.
	Amount int64
	// Lines split the award by order line, so that a return by line takes back
	// exactly what the line gave.
	Lines []EarnLine
	// Basis is what the award was earned on where there are no Lines; zero
	// stands for the amount.
	Basis int64
	// At is when it was earned; zero is now. It may be in the past. An award that
	// settles a debt counts from when the debt arose at the earliest.
	At time.Time
	// UsableFrom ends the pending time; zero is At. [Forever] waits for [Vest].
	UsableFrom time.Time
	// Expiry is the policy of these lots; zero is the unit's.
	Expiry Expiry
	// UnitCost is the cost of one of the unit in millionths of a minor unit.
	UnitCost int64
	Order    string
	Rule     string
	Actor    string
}

// EarnLine is the part of an award that one order line gave.
type EarnLine struct {
	Line   string
	Amount int64 // may be zero
	Basis  int64 // minor units or pieces; zero stands for the amount
}

// Vest ends the pending time of an award: the goods were received, and the
// return window is known. Lots that are usable already stay as they are.
type Vest struct {
	Key   string
	Award string   // key of the Earn
	Lines []string // empty: all
	// UsableFrom is when the lots become usable; zero is now.
	UsableFrom time.Time
}

// Redeem spends available lots: by expiry, then time of earning, then ID.
type Redeem struct {
	Key     string
	Account string
	Unit    Unit
	Amount  int64
	Order   string
	Reason  string
	Actor   string
}

// Hold sets an amount aside and pins the lots that a [Redeem] would take.
type Hold struct {
	Key     string
	Account string
	Unit    Unit
	Amount  int64
	// Until is the exclusive time-out; zero is none.
	Until time.Time
	Order string
	Actor string
}

// Capture spends what a hold set aside, whole or in part.
type Capture struct {
	Key    string
	Hold   string
	Amount int64 // zero: all that is left
	Order  string
	Actor  string
}

// Release gives up what a hold set aside, whole or in part. What it frees of a
// lot that has expired meanwhile expires now.
type Release struct {
	Key    string
	Hold   string
	Amount int64 // zero: all that is left
	Actor  string
}

// Cause says who caused a reversal. It decides over points whose lot has expired meanwhile.
type Cause string

// The causes of a reversal.
const (
	// ByMerchant gives them back with at least [Config.MinimumValidity]. What a
	// hold still pins of the same lot lives as long.
	ByMerchant Cause = "merchant"
	// ByCustomer leaves them expired.
	ByCustomer Cause = "customer"
)

// Reverse undoes a transaction. Redeemed points go back to their own lots,
// the last taken first; where a return of the award asked for them while they were
// spent, they settle the debt of then (what [Clamp] forgave is taken back). An
// award is taken back as by a [Return] of all of it.
type Reverse struct {
	Key string
	Of  string
	// Amount is the part of a redemption to give back; zero is all that is left of it.
	Amount int64
	// Cause is required where a lot has expired meanwhile.
	Cause  Cause
	Reason string
	Actor  string
}

// Return takes back what returned order lines had earned, from the recorded
// award and not by today's rule: the award's own lots first, the part of them
// that expired unspent next, then by the unit's [Shortfall] policy.
type Return struct {
	Key   string
	Award string // key of the Earn
	// Lines are what is returned; empty is all that is left of the award.
	Lines []ReturnLine
	// At is when it counts from; zero is now. It may be in the past, but counts
	// neither before the award nor before what it takes was last moved.
	At    time.Time
	Order string
	Actor string
}

// ReturnLine is the part of an order line that is returned.
type ReturnLine struct {
	Line string // empty for an award without lines
	// Basis is the part of the line's basis; zero is all that is left of it.
	// Points are taken back in proportion, rounded down in total until the
	// whole line is returned.
	Basis int64
}

// Transfer moves available points to another membership or pool. Lots keep
// their terms. A contribution to a pool is a transfer, its use a [Redeem] from
// the pool.
type Transfer struct {
	Key    string
	From   string
	To     string
	Unit   Unit
	Amount int64
	Reason string
	Actor  string
}

// OpenPool makes an account a pool: points that several members share.
type OpenPool struct {
	Key     string
	Account string
}

// Merge moves every lot and debt of one account into another, which takes over:
// later commands to the merged account act on it. Open holds stand in the way.
type Merge struct {
	Key    string
	From   string
	Into   string
	Reason string
	Actor  string
}

// Split undoes a merge, once: what remains of the lots and of the debt that it
// moved goes back to the account of origin, which is live again. What was spent
// stays spent; what holds pin, and what came after the merge, stays where it is.
type Split struct {
	Key    string
	Merge  string // key of the Merge
	Reason string
	Actor  string
}

// Adjust gives or takes points by hand. Reason and Actor are required.
type Adjust struct {
	Key     string
	Account string
	Unit    Unit
	Amount  int64 // negative takes available points
	At      time.Time
	Expiry  Expiry
	Reason  string
	Actor   string
}

// Import opens lots of another system with their original terms.
type Import struct {
	Key     string
	Account string
	Unit    Unit
	Lots    []ImportLot
	Actor   string
}

// ImportLot is one opening lot.
type ImportLot struct {
	Amount     int64
	EarnedAt   time.Time
	UsableFrom time.Time // zero: EarnedAt
	Expires    time.Time // exclusive; zero: Forever
	UnitCost   int64
	Order      string
	Line       string
	Basis      int64 // zero: the amount
	Rule       string
}

// Extend moves the expiry of open lots to a later instant. Lots that live longer anyway stay as they are.
type Extend struct {
	Key     string
	Account string
	Unit    Unit
	Lots    []string  // empty: all open lots of the unit
	Until   time.Time // exclusive
	Reason  string
	Actor   string
}

// Reinstate brings back what expired of lots within the unit's
// [UnitConfig.ReinstateDays].
type Reinstate struct {
	Key     string
	Account string
	Lots    []string
	Until   time.Time // exclusive
	Reason  string
	Actor   string
}

// sweep records what is due in an account and nothing else.
type sweep struct {
	account string
	until   time.Time
}

func (sweep) content(*encoder)                 {}
func (sweep) check(*Config) error              { return nil }
func (sweep) decide(*desk, *Transaction) error { return nil }

func (Earn) kind() Kind      { return KindEarn }
func (Vest) kind() Kind      { return KindVest }
func (Redeem) kind() Kind    { return KindRedeem }
func (Hold) kind() Kind      { return KindHold }
func (Capture) kind() Kind   { return KindCapture }
func (Release) kind() Kind   { return KindRelease }
func (Reverse) kind() Kind   { return KindReverse }
func (Return) kind() Kind    { return KindReturn }
func (Transfer) kind() Kind  { return KindTransfer }
func (OpenPool) kind() Kind  { return KindOpenPool }
func (Merge) kind() Kind     { return KindMerge }
func (Split) kind() Kind     { return KindSplit }
func (Adjust) kind() Kind    { return KindAdjust }
func (Import) kind() Kind    { return KindImport }
func (Extend) kind() Kind    { return KindExtend }
func (Reinstate) kind() Kind { return KindReinstate }
func (sweep) kind() Kind     { return KindExpire }

func (c Earn) key() string      { return c.Key }
func (c Vest) key() string      { return c.Key }
func (c Redeem) key() string    { return c.Key }
func (c Hold) key() string      { return c.Key }
func (c Capture) key() string   { return c.Key }
func (c Release) key() string   { return c.Key }
func (c Reverse) key() string   { return c.Key }
func (c Return) key() string    { return c.Key }
func (c Transfer) key() string  { return c.Key }
func (c OpenPool) key() string  { return c.Key }
func (c Merge) key() string     { return c.Key }
func (c Split) key() string     { return c.Key }
func (c Adjust) key() string    { return c.Key }
func (c Import) key() string    { return c.Key }
func (c Extend) key() string    { return c.Key }
func (c Reinstate) key() string { return c.Key }
func (sweep) key() string       { return "" }

func (c Earn) wants(w *wanted)      { w.account(c.Account); w.sums = true }
func (c Vest) wants(w *wanted)      { w.key(c.Award) }
func (c Redeem) wants(w *wanted)    { w.account(c.Account) }
func (c Hold) wants(w *wanted)      { w.account(c.Account) }
func (c Capture) wants(w *wanted)   { w.key(c.Hold) }
func (c Release) wants(w *wanted)   { w.key(c.Hold) }
func (c Reverse) wants(w *wanted)   { w.key(c.Of) }
func (c Return) wants(w *wanted)    { w.key(c.Award) }
func (c Transfer) wants(w *wanted)  { w.account(c.From); w.account(c.To) }
func (c OpenPool) wants(w *wanted)  { w.account(c.Account) }
func (c Merge) wants(w *wanted)     { w.account(c.From); w.account(c.Into) }
func (c Split) wants(w *wanted)     { w.key(c.Merge) }
func (c Adjust) wants(w *wanted)    { w.account(c.Account) }
func (c Import) wants(w *wanted)    { w.account(c.Account) }
func (c Extend) wants(w *wanted)    { w.account(c.Account) }
func (c Reinstate) wants(w *wanted) { w.account(c.Account) }
func (c sweep) wants(w *wanted)     { w.account(c.account) }

// wanted is the accounts and the transaction that a command names.
type wanted struct {
	accounts [2]string
	n        int
	of       string
	// sums says that the sums of the accounts do, as long as nothing is due.
	sums bool
}

func (w *wanted) account(id string) {
	w.accounts[w.n] = id
	w.n++
}

func (w *wanted) key(k string) { w.of = k }

// first names what the command is about.
func (w *wanted) first() string {
	if w.n > 0 {
		return w.accounts[0]
	}
	return w.of
}

// firstErr returns the first error.
func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// orPoints is the unit of a command that may leave it out.
func orPoints(u Unit) Unit {
	if u == "" {
		return Points
	}
	return u
}
