package program

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

// TierState is the tier of an account.
type TierState struct {
	Account string `json:"account"`
	Tier    string `json:"tier"`
	// Since is when it was reached.
	Since time.Time `json:"since"`
	// ReviewAt is the exclusive end of the time for which it is certain;
	// loyalty.Forever where it is never reviewed.
	ReviewAt time.Time `json:"review_at"`
	// Version counts the changes, from 1; 0 has no tier on record.
	Version uint64 `json:"version"`
}

// TierChange is a move up or down, with its reason.
type TierChange struct {
	Account string    `json:"account"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	At      time.Time `json:"at"`
	// Qualifying is the sum that decided, WindowFrom the start of its window.
	Qualifying int64        `json:"qualifying"`
	Unit       loyalty.Unit `json:"unit"`
	WindowFrom time.Time    `json:"window_from,omitzero"`
	// Review says that it happened at a review and not by reaching a threshold.
	Review bool `json:"review,omitempty"`
	// Merged is the account whose tier came with a merge.
	Merged string `json:"merged,omitempty"`
}

// String says the change in words.
func (c TierChange) String() string {
	how := "reached"
	switch {
	case c.Merged != "":
		return fmt.Sprintf("merge of %s: tier %q to %q on %s", c.Merged, c.From, c.To, c.At.Format(time.DateOnly))
	case c.Review:
		how = "review"
	}
	return fmt.Sprintf("%s: tier %q to %q on %s, %d %s in the window", how, c.From, c.To, c.At.Format(time.DateOnly), c.Qualifying, c.Unit)
}

// ErrConflict is what a [Store] answers where a row is not at the expected version.
var ErrConflict = errors.New("program: tier was changed meanwhile")

// TierUpdate is a new state with the changes that led to it.
type TierUpdate struct {
	Program string
	// State replaces the row whose Version is one less.
	State   TierState
	Changes []TierChange
}

// Store keeps tiers and their history. Its methods are safe for concurrent use.
type Store interface {
	// Tier reads the state of an account; the zero Version for none.
	Tier(ctx context.Context, program, account string) (TierState, error)
	// Commit writes one update as a whole, or gives [ErrConflict].
	Commit(ctx context.Context, u TierUpdate) error
	// History is a page of the changes of an account, oldest first, behind the first after.
	History(ctx context.Context, program, account string, after, limit int) ([]TierChange, error)
	// Reviews is a page of the states whose ReviewAt is not after now, by
	// (ReviewAt, Account), behind the state given; the zero state begins.
	Reviews(ctx context.Context, program string, now time.Time, after TierState, limit int) ([]TierState, error)
}

// Tier reads the tier of an account.
func (p *Program) Tier(ctx context.Context, account string) (TierState, error) {
	return p.store.Tier(ctx, p.ledger.Program(), account)
}

// Review brings the tier of an account up to now: reviews that have come due
// are held as of their instants, and a threshold reached counts at once. It
// returns the last change, nil for none. [Program.Apply] calls it; a program
// with reviews also runs [Program.RunReviews].
func (p *Program) Review(ctx context.Context, account string, now time.Time) (*TierChange, error) {
	ladder := p.cfg.Definition.Tiers
	if ladder == nil {
		return nil, nil
	}
	for {
		state, err := p.Tier(ctx, account)
		if err != nil {
			return nil, err
		}
		u := TierUpdate{Program: p.ledger.Program(), State: state}
		u.State.Account = account
		if state.Version == 0 {
			u.State.ReviewAt = loyalty.Forever
		}
		for !u.State.ReviewAt.After(now) {
			if err := p.step(ctx, &u, u.State.ReviewAt, true); err != nil {
				return nil, err
			}
		}
		if err := p.step(ctx, &u, now, false); err != nil {
			return nil, err
		}
		if u.State == state || state.Version == 0 && len(u.Changes) == 0 {
			return nil, nil
		}
		u.State.Version++
		err = p.store.Commit(ctx, u)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil || len(u.Changes) == 0 {
			return nil, err
		}
		return &u.Changes[len(u.Changes)-1], nil
	}
}

// step decides the tier at an instant: at a review whatever the sum gives, else
// only a higher one.
func (p *Program) step(ctx context.Context, u *TierUpdate, at time.Time, review bool) error {
	ladder := p.cfg.Definition.Tiers
	sum, from, err := p.qualifying(ctx, u.State.Account, at)
	if err != nil {
		return err
	}
	rank, to := 0, ""
	for i, t := range ladder.Tiers {
		if sum >= t.Threshold {
			rank, to = i+1, t.Name
		}
	}
	if !review && rank <= ladder.rank(u.State.Tier) {
		return nil
	}
	if to != u.State.Tier {
		u.Changes = append(u.Changes, TierChange{
			Account: u.State.Account, From: u.State.Tier, To: to, At: at,
			Qualifying: sum, Unit: ladder.Unit, WindowFrom: from, Review: review,
		})
		u.State.Since = at
	}
	u.State.Tier = to
	u.State.ReviewAt = loyalty.Forever
	if ladder.ReviewMonths > 0 && to != "" {
		day := loyalty.AddMonths(at, ladder.ReviewMonths, p.cfg.Zone)
		u.State.ReviewAt = loyalty.EndOfDay(noon(day, p.cfg.Zone), p.cfg.Zone)
	}
	return nil
}

func (l *Ladder) rank(tier string) int {
	for i, t := range l.Tiers {
		if t.Name == tier {
			return i + 1
		}
	}
	return 0
}

// noon is a moment of a date's local day: noon exists on every day.
func noon(day time.Time, zone *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, zone)
}

// qualifying is what the account earned and kept in the window that ends at an instant.
func (p *Program) qualifying(ctx context.Context, account string, at time.Time) (int64, time.Time, error) {
	ladder := p.cfg.Definition.Tiers
	var from time.Time
	if ladder.WindowMonths > 0 {
		day := loyalty.AddMonths(at, -ladder.WindowMonths, p.cfg.Zone)
		from = loyalty.EndOfDay(noon(day.AddDate(0, 0, -1), p.cfg.Zone), p.cfg.Zone)
	}
	var asOf loyalty.AsOf
	if at.Before(p.now()) {
		asOf.Effective = at.Add(-time.Microsecond)
	}
	lots, err := p.ledger.Lots(ctx, account, ladder.Unit, asOf)
	if err != nil {
		return 0, from, err
	}
	var sum int64
	for i := range lots {
		if !lots[i].EarnedAt.Before(from) {
			sum += lots[i].Remaining
		}
	}
	return sum, from, nil
}

// RunReviews holds the reviews that are due at now, of at most limit accounts
// (0: all), and returns the changes.
func (p *Program) RunReviews(ctx context.Context, now time.Time, limit int) ([]TierChange, error) {
	var out []TierChange
	var after TierState
	for done := 0; ; {
		n := 256
		if limit > 0 {
			n = min(n, limit-done)
		}
		states, err := p.store.Reviews(ctx, p.ledger.Program(), now, after, n)
		if err != nil || len(states) == 0 {
			return out, err
		}
		for _, s := range states {
			after = s
			change, err := p.Review(ctx, s.Account, now)
			if err != nil {
				return out, err
			}
			if change != nil {
				out = append(out, *change)
			}
			done++
		}
		if limit > 0 && done >= limit {
			return out, nil
		}
	}
}

// TierHistory is every change of an account's tier, oldest first.
func (p *Program) TierHistory(ctx context.Context, account string) ([]TierChange, error) {
	var out []TierChange
	for {
		part, err := p.store.History(ctx, p.ledger.Program(), account, len(out), 256)
		if err != nil || len(part) == 0 {
			return out, err
		}
		out = append(out, part...)
	}
}
