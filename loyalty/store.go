package loyalty

import (
	"context"
	"time"
)

// AccountKind says what an account is.
type AccountKind string

// The kinds of account that hold lots.
const (
	Membership AccountKind = "membership"
	Pool       AccountKind = "pool"
)

// Account is the head of an account's chain with what is known of it as a whole.
type Account struct {
	ID   string      `json:"id"`
	Kind AccountKind `json:"kind"`
	// Seq counts the account's transactions; Head is the hash of the last one.
	Seq  uint64 `json:"seq"`
	Head Hash   `json:"head"`
	// Opened and Recorded are when the first and the last one were recorded.
	Opened   time.Time `json:"opened"`
	Recorded time.Time `json:"recorded"`
	// Due is the instant at which the next lot expires or hold times out;
	// Forever for none.
	Due time.Time `json:"due"`
	// MergedInto is the account that took over, empty for a live one.
	MergedInto string `json:"merged_into,omitempty"`
	// Holds counts the open holds.
	Holds int `json:"holds,omitempty"`
	// Standings are the account's figures that no lot carries, by unit.
	Standings []Standing `json:"standings,omitempty"`
}

// Standing is what an account owes in a unit, since when, and when it was last active in it.
type Standing struct {
	Unit     Unit      `json:"unit"`
	Debt     int64     `json:"debt,omitempty"`
	Activity time.Time `json:"activity,omitzero"`
	// DebtAt is the latest effective instant of a change of the debt.
	DebtAt time.Time `json:"debt_at,omitzero"`
}

// Contents is an account with its open lots (Remaining above zero) and open holds, in any order.
type Contents struct {
	Account
	Lots  []Lot
	Holds []Reservation

	home *memoryAccount
}

// Recorded is a transaction with those that continue it.
type Recorded struct {
	Transaction
	// Followers are the transactions whose Of is this one's key, in the order of
	// their first link.
	Followers []Transaction
}

// Query says what [Store.Load] is to read.
type Query struct {
	Program string
	// Accounts are wanted unless the store has them at the sequence that the
	// caller has.
	Accounts []Want
	// Keys are the transactions wanted.
	Keys []string
	// Lots are lots wanted one by one, open or not.
	Lots []LotKey
	// Bindings selects bindings; the zero value wants none.
	Bindings BindingQuery
}

// Want is an account wanted, unless its sequence is Have. Sequence 0 has nothing.
type Want struct {
	Account string
	Have    uint64
}

// LotKey names a lot in an account.
type LotKey struct {
	Account string
	Lot     string
}

// Answer is what [Store.Load] found. What does not exist is left out, and so is
// an account that is at the sequence that the caller has; Missing lists, in
// the order of the query, the accounts that do not exist.
type Answer struct {
	Accounts     []Contents
	Missing      []string
	Transactions []Recorded
	Lots         []Lot
	Bindings     []Binding
}

// Posting is one atomic change: the transactions of one command (with the
// expiries that were due before it), and the rows as they are after it.
type Posting struct {
	Program string
	// Accounts are the heads after the posting, each with the sequence and
	// hash that it must have before; zero for an account that must not exist.
	Accounts []AccountChange
	// Transactions are to be recorded in this order.
	Transactions []Transaction
	// Lots and Holds are the rows that changed, complete.
	Lots  []Lot
	Holds []Reservation
	// Bindings are to be added where their Version is 1, else to replace the
	// row of the same profile, account and start that has the version before.
	// One whose Until is zero is to be deleted.
	Bindings []Binding

	// contents are the transactions as they were sealed, for a store of this package.
	contents [][]byte
}

// content is the n-th transaction as its seal hashes it.
func (p *Posting) content(n int, buf *encoder) []byte {
	if n < len(p.contents) {
		return p.contents[n]
	}
	buf.b = buf.b[:0]
	buf.transaction(&p.Transactions[n])
	return buf.b
}

// AccountChange is the head of an account after a posting.
type AccountChange struct {
	// Expect and Before are Seq and Head before the posting. The sequence alone
	// does not do: a posting may rest on one before it in the batch that failed.
	Expect uint64
	Before Hash
	Account

	// home is where a store of this package has the account, as far as is known.
	home *memoryAccount
}

// Store keeps the ledgers of any number of programs. Its methods are safe for
// concurrent use. A store that passes loyaltytest.TestStore is correct.
type Store interface {
	// Load reads accounts, transactions and bindings as of one moment. The
	// caller owns what it gets.
	Load(ctx context.Context, q Query) (Answer, error)
	// Commit records the postings of one program in order. Each is recorded as
	// a whole or not at all, and later ones see earlier ones. The errors are by
	// posting: [ErrConflict] where an account or binding is not as it
	// must be before, [ErrDuplicate] where a key is already recorded, both without effect
	// on the others; any other error leaves it open whether that posting was recorded. The
	// store keeps nothing of the slices that it is given.
	Commit(ctx context.Context, postings []Posting) []error
	// Entries is a page of an account's transactions with a sequence above
	// after, in order, each with all its entries.
	Entries(ctx context.Context, program, account string, after uint64, limit int) ([]Transaction, error)
	// Due is a page of the accounts whose Due is not after now, by (Due, ID),
	// behind the account given; the zero account begins.
	Due(ctx context.Context, program string, now time.Time, after Account, limit int) ([]Account, error)
	// Accounts is a page of accounts with an ID above after, by ID in byte order.
	Accounts(ctx context.Context, program, after string, limit int) ([]Account, error)
}
