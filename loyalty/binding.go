package loyalty

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Binding ties a profile to a membership for a time. A profile may have
// several memberships, and a membership several profiles (a family card). Two
// bindings of the same pair do not overlap. Bindings stand beside the
// ledger's chains, so that they can be erased.
type Binding struct {
	Profile profile.ID `json:"profile"`
	Account string     `json:"account"`
	From    time.Time  `json:"from"`
	// Until is exclusive; Forever while it is not revoked.
	Until time.Time `json:"until"`
	// Reason and Actor are codes.
	Reason string `json:"reason,omitempty"`
	Actor  string `json:"actor,omitempty"`
	// Version counts the writes of the binding, from 1.
	Version uint64 `json:"version"`
}

// At reports whether the binding is in force at t.
func (b Binding) At(t time.Time) bool { return !t.Before(b.From) && t.Before(b.Until) }

// BindingQuery selects the bindings of a profile or of an account; of both,
// where both are given.
type BindingQuery struct {
	Profile profile.ID
	Account string
}

// Bind ties a profile to a membership from an instant on (zero: now). Where
// that is so already it changes nothing.
func (l *Ledger) Bind(ctx context.Context, b Binding) error {
	if err := firstErr(b.Profile.Validate(), checkKey("Account", b.Account), checkTime("From", b.From),
		checkOptional("Reason", b.Reason), checkOptional("Actor", b.Actor)); err != nil {
		return err
	}
	b.From, b.Until, b.Version = instant(b.From), Forever, 1
	if b.From.IsZero() {
		b.From = l.now()
	}
	return l.rebind(ctx, BindingQuery{b.Profile, b.Account}, func(have []Binding) (*Binding, error) {
		for _, old := range have {
			if old.At(b.From) {
				return nil, nil
			}
			if old.From.After(b.From) {
				return nil, invalid("a later binding of the same pair is there")
			}
		}
		return &b, nil
	})
}

// Revoke ends the binding of a profile to a membership at an instant (zero: now).
// Where none is in force at that instant it gives [ErrNotFound].
func (l *Ledger) Revoke(ctx context.Context, id profile.ID, account string, at time.Time, reason, actor string) error {
	if err := firstErr(id.Validate(), checkKey("Account", account), checkTime("at", at),
		checkOptional("Reason", reason), checkOptional("Actor", actor)); err != nil {
		return err
	}
	at = instant(at)
	if at.IsZero() {
		at = l.now()
	}
	return l.rebind(ctx, BindingQuery{id, account}, func(have []Binding) (*Binding, error) {
		for _, b := range have {
			if b.At(at) {
				b.Until, b.Reason, b.Actor = at, reason, actor
				b.Version++
				return &b, nil
			}
		}
		return nil, fmt.Errorf("%w: no such binding", ErrNotFound)
	})
}

// Bindings lists bindings, ended ones included, by profile, account and start.
func (l *Ledger) Bindings(ctx context.Context, q BindingQuery) ([]Binding, error) {
	if q == (BindingQuery{}) {
		return nil, invalid("neither profile nor account given")
	}
	a, err := l.store.Load(ctx, Query{Program: l.cfg.Program, Bindings: q})
	return a.Bindings, err
}

// Memberships lists the accounts that a profile is bound to at an instant
// (zero: now), in byte order.
func (l *Ledger) Memberships(ctx context.Context, id profile.ID, at time.Time) ([]string, error) {
	if at.IsZero() {
		at = l.now()
	}
	bs, err := l.Bindings(ctx, BindingQuery{Profile: id})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range bs {
		if b.At(at) {
			out = append(out, b.Account)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(out))), nil
}

func (l *Ledger) rebind(ctx context.Context, q BindingQuery, change func([]Binding) (*Binding, error)) error {
	for range maxTries {
		have, err := l.Bindings(ctx, q)
		if err != nil {
			return err
		}
		b, err := change(have)
		if err != nil || b == nil {
			return err
		}
		err = l.store.Commit(ctx, []Posting{{Program: l.cfg.Program, Bindings: []Binding{*b}}})[0]
		if err != ErrConflict || l.bound {
			return err
		}
	}
	return ErrConflict
}

// Record is what a program keeps of a customer.
type Record struct {
	Profile  profile.ID      `json:"profile"`
	Bindings []Binding       `json:"bindings,omitempty"`
	Accounts []AccountRecord `json:"accounts,omitempty"`
}

// AccountRecord is an account with its whole history.
type AccountRecord struct {
	Account      Account       `json:"account"`
	Balances     []Balance     `json:"balances,omitempty"`
	Lots         []Lot         `json:"lots,omitempty"`
	Transactions []Transaction `json:"transactions,omitempty"`
}

// Export gives all that the program keeps of a customer: the bindings, and every
// account that the profile was ever bound to.
func (l *Ledger) Export(ctx context.Context, id profile.ID) (Record, error) {
	if err := id.Validate(); err != nil {
		return Record{}, err
	}
	r := Record{Profile: id}
	var err error
	if r.Bindings, err = l.Bindings(ctx, BindingQuery{Profile: id}); err != nil {
		return Record{}, err
	}
	var accounts []string
	for _, b := range r.Bindings {
		accounts = append(accounts, b.Account)
	}
	for _, account := range slices.Compact(slices.Sorted(slices.Values(accounts))) {
		at := AsOf{}
		s, err := l.stateAt(ctx, account, &at)
		if err != nil {
			return Record{}, err
		}
		a := AccountRecord{Account: s.head()}
		for _, u := range s.units {
			a.Balances = append(a.Balances, s.balance(u.Unit, at.Effective))
			for _, sl := range u.lots {
				a.Lots = append(a.Lots, *sl.lot)
			}
		}
		for t, err := range l.Transactions(ctx, account) {
			if err != nil {
				return Record{}, err
			}
			a.Transactions = append(a.Transactions, t)
		}
		r.Accounts = append(r.Accounts, a)
	}
	return r, nil
}

// Erase removes every trace of the profile: its bindings. The ledger's entries
// stay, as the accounts must; they hold opaque keys only and nothing leads from
// them to the person any more.
func (l *Ledger) Erase(ctx context.Context, id profile.ID) error {
	if err := id.Validate(); err != nil {
		return err
	}
	for range maxTries {
		have, err := l.Bindings(ctx, BindingQuery{Profile: id})
		if err != nil || len(have) == 0 {
			return err
		}
		p := Posting{Program: l.cfg.Program}
		for _, b := range have {
			p.Bindings = append(p.Bindings, Binding{Profile: b.Profile, Account: b.Account, From: b.From, Version: b.Version + 1})
		}
		if err := l.store.Commit(ctx, []Posting{p})[0]; err != ErrConflict || l.bound {
			return err
		}
	}
	return ErrConflict
}
