package loyalty

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Kind says what a transaction did.
type Kind string

// The kinds of transaction.
const (
	KindOpenPool  Kind = "open_pool"
	KindEarn      Kind = "earn"
	KindVest      Kind = "vest"
	KindRedeem    Kind = "redeem"
	KindHold      Kind = "hold"
	KindCapture   Kind = "capture"
	KindRelease   Kind = "release"
	KindTimeout   Kind = "timeout" // a hold ran out
	KindExpire    Kind = "expire"  // lots ran out
	KindReverse   Kind = "reverse"
	KindReturn    Kind = "return"
	KindTransfer  Kind = "transfer"
	KindMerge     Kind = "merge"
	KindSplit     Kind = "split"
	KindAdjust    Kind = "adjust"
	KindImport    Kind = "import"
	KindExtend    Kind = "extend"
	KindReinstate Kind = "reinstate"
)

// Book is a side of an entry: whose the amount is.
type Book string

// The books. Member, pool and debt are per account; the others are the
// program's, and their balance is the sum of their entries: no row is shared.
const (
	BookMember   Book = "member"   // lots of a membership
	BookPool     Book = "pool"     // lots of a pool
	BookDebt     Book = "debt"     // what an account owes: its balance is not positive
	BookIssuer   Book = "issuer"   // where points come from and returned ones go to
	BookRedeemed Book = "redeemed" // spent
	BookExpired  Book = "expired"  // lost by time
	BookAdjusted Book = "adjusted" // given or taken by hand
)

// Entry is one side of a movement. Entries come in pairs: 2k and 2k+1 are two
// sides of one movement of the same unit and sum to zero.
type Entry struct {
	Book Book `json:"book"`
	// Account is the account concerned; a program's book keeps it to say whose
	// points moved.
	Account string `json:"account"`
	Unit    Unit   `json:"unit"`
	// Lot is the lot concerned; empty for a debt.
	Lot    string `json:"lot,omitempty"`
	Amount int64  `json:"amount"`
}

// LotChange is what a transaction did to a lot other than move an amount.
type LotChange struct {
	Account string `json:"account"`
	Lot     string `json:"lot"`
	// Held is pinned (positive) or freed (negative) by the hold concerned.
	Held int64 `json:"held,omitempty"`
	// Basis and Returned add to BasisReturned and Returned.
	Basis    int64 `json:"basis,omitempty"`
	Returned int64 `json:"returned,omitempty"`
	// UsableFrom and Expires replace the terms unless zero.
	UsableFrom time.Time `json:"usable_from,omitzero"`
	Expires    time.Time `json:"expires,omitzero"`
}

// Transaction is one immutable record of the ledger.
type Transaction struct {
	// Key is the idempotency key of the command; what the ledger writes on its
	// own account (expiry, time-out) has a key that begins with "~".
	Key  string `json:"key"`
	Kind Kind   `json:"kind"`
	// Of is the transaction that this one continues: the award returned, the
	// hold captured, what was reversed.
	Of string `json:"of,omitempty"`
	// Effective is when it counts, Recorded when the ledger learned of it.
	Effective time.Time `json:"effective"`
	Recorded  time.Time `json:"recorded"`
	// Order is the order that caused it.
	Order string `json:"order,omitempty"`
	// Reason and Actor are codes.
	Reason string `json:"reason,omitempty"`
	Actor  string `json:"actor,omitempty"`
	// Unit is that of the command; empty where a command concerns every unit.
	Unit Unit `json:"unit,omitempty"`
	// Amount is the amount of a hold.
	Amount int64 `json:"amount,omitempty"`
	// Until is the time-out of a hold.
	Until time.Time `json:"until,omitzero"`
	// Forgiven is what a return could not take back and wrote off.
	Forgiven int64 `json:"forgiven,omitempty"`
	// Activity says that the transaction restarts the clock of idle policies.
	Activity bool `json:"activity,omitempty"`
	// Fingerprint identifies the content of the command.
	Fingerprint Fingerprint `json:"fingerprint"`

	Entries []Entry `json:"entries,omitempty"`
	// Opens are the lots that it opened, empty, with their terms. Each is named
	// by an entry or a change too.
	Opens   []Lot       `json:"opens,omitempty"`
	Changes []LotChange `json:"changes,omitempty"`
	// Links are the places in the chains of the accounts concerned, the
	// command's account first.
	Links []Link `json:"links"`
}

// Link is the place of a transaction in the chain of one account.
type Link struct {
	Account string `json:"account"`
	Seq     uint64 `json:"seq"` // from 1, without gaps
	Hash    Hash   `json:"hash"`
}

// link returns the transaction's place in the account's chain, nil for none.
func (t *Transaction) link(account string) *Link {
	for i := range t.Links {
		if t.Links[i].Account == account {
			return &t.Links[i]
		}
	}
	return nil
}

// move appends the two sides of a movement.
func (t *Transaction) move(from, to Book, account string, unit Unit, lot string, amount int64) {
	t.Entries = append(t.Entries,
		Entry{Book: from, Account: account, Unit: unit, Lot: lot, Amount: -amount},
		Entry{Book: to, Account: account, Unit: unit, Lot: lot, Amount: amount})
}

// Hash is the SHA-256 of a link of an account's chain.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash in hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(b []byte) error { return unhex(h[:], b) }

// Fingerprint is the first half of the SHA-256 of a command's content.
type Fingerprint [16]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText writes the fingerprint in hexadecimal digits.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (f *Fingerprint) UnmarshalText(b []byte) error { return unhex(f[:], b) }

func unhex(to, digits []byte) error {
	if len(digits) != 2*len(to) {
		return invalid("%d hexadecimal digits wanted, %d found", 2*len(to), len(digits))
	}
	if _, err := hex.Decode(to, digits); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}
