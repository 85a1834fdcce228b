package program

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// Config configures a [Program].
type Config struct {
	// Ledger is where the points are. Default: a new one in memory.
	Ledger *loyalty.Ledger
	// Store keeps the tiers. Default: a new [MemoryStore].
	Store Store
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Zone is the calendar of the return window and the reviews. Default: UTC.
	Zone *time.Location
	// Definition is the program.
	Definition Definition
}

// Program awards orders and keeps tiers. It is safe for concurrent use.
type Program struct {
	cfg    Config
	ledger *loyalty.Ledger
	store  Store
}

// New makes a program.
func New(cfg Config) (*Program, error) {
	if err := cfg.Definition.fill(); err != nil {
		return nil, err
	}
	if cfg.Ledger == nil {
		l, err := loyalty.New(loyalty.Config{Now: cfg.Now, Zone: cfg.Zone, Units: cfg.Definition.Units})
		if err != nil {
			return nil, err
		}
		cfg.Ledger = l
	} else if len(cfg.Definition.Units) > 0 {
		return nil, invalid("units are configured by the ledger that is given")
	}
	if cfg.Store == nil {
		cfg.Store = NewMemoryStore()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	return &Program{cfg: cfg, ledger: cfg.Ledger, store: cfg.Store}, nil
}

// Ledger is the program's ledger.
func (p *Program) Ledger() *loyalty.Ledger { return p.ledger }

func (p *Program) now() time.Time { return p.cfg.Now().UTC().Truncate(time.Microsecond) }

// OrderRef is the opaque key by which the ledger knows an order: its parts,
// escaped, so that different orders have different keys; of a long one the hash.
func OrderRef(k commerce.Key) string {
	return opaque(escape(k.Source)+"/"+escape(k.Outlet)+"/"+escape(k.Number), maxRef)
}

// maxRef and maxRule leave room for what the program's keys put around them.
const (
	maxRef  = 64
	maxRule = 32
)

func escape(s string) string { return strings.ReplaceAll(url.PathEscape(s), "~", "%7E") }

func opaque(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// lineRef is the opaque key of an order line.
func lineRef(id string) string { return opaque(escape(id), loyalty.MaxKeyBytes) }

// Applied is what [Program.Apply] did, or what was done before for the same facts.
type Applied struct {
	// Awarded, Vested and Returned are receipts, replayed ones included for awards.
	Awarded  []loyalty.Receipt
	Vested   []loyalty.Receipt
	Returned []loyalty.Receipt
	// Skipped says why nothing was awarded, where that is so.
	Skipped Skip
	// Tier is the change of tier that followed, nil for none.
	Tier *TierChange
}

// Skip is a reason for which an order earns nothing.
type Skip string

// The reasons for which an order earns nothing.
const (
	NotBought  Skip = "not bought yet"
	Historic   Skip = "history is filled in"
	NoRule     Skip = "no rule matches"
	NothingDue Skip = "nothing was paid or is left to earn on"
	// NotSettled orders are given an award once what was bought and how it
	// was paid are both known.
	NotSettled Skip = "its lines or its payment are not known yet"
)

// Apply brings the ledger in line with an order of the member that holds the
// account, as known now. The award stands as first recorded: later knowledge of
// lines or prices does not change it, refunds take back from it. With
// profile.Backfill a first award is not given. Facts may come in any order; a
// refund known before the award reduces it the moment it is given.
func (p *Program) Apply(ctx context.Context, account string, o commerce.Order, mode profile.Mode) (Applied, error) {
	var done Applied
	if o.BoughtAt.IsZero() {
		done.Skipped = NotBought
		return done, nil
	}
	refs := orderRefs(o)
	done.Skipped = NoRule
	for i := range p.cfg.Definition.Rules {
		if err := p.applyRule(ctx, account, &p.cfg.Definition.Rules[i], o, refs, mode, &done); err != nil {
			return done, err
		}
	}
	if len(done.Awarded) > 0 {
		done.Skipped = ""
	}
	if p.cfg.Definition.Tiers != nil && mode == profile.Live {
		holder := account
		if len(done.Awarded) > 0 {
			holder = done.Awarded[0].Balance().Account
		}
		change, err := p.Review(ctx, holder, p.now())
		if err != nil {
			return done, err
		}
		done.Tier = change
	}
	return done, nil
}

// orderRefs are the keys of an order, those of aliases behind its own.
func orderRefs(o commerce.Order) []string {
	refs := []string{OrderRef(o.Key)}
	for _, k := range o.Aliases {
		if r := OrderRef(k); !slices.Contains(refs, r) {
			refs = append(refs, r)
		}
	}
	return refs
}

func (p *Program) applyRule(ctx context.Context, account string, r *Rule, o commerce.Order, refs []string, mode profile.Mode, done *Applied) error {
	award, err := p.find(ctx, r, refs)
	if errors.Is(err, loyalty.ErrNotFound) {
		award, err = p.give(ctx, account, r, o, refs[0], mode, done)
		if err != nil || award == nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := p.vest(ctx, r, o, award, done); err != nil {
		return err
	}
	return p.takeBack(ctx, o, award, done)
}

func awardKey(ref, rule string) string { return "award/" + ref + "/" + rule }

// find looks for an award that was given under any name of the order.
func (p *Program) find(ctx context.Context, r *Rule, refs []string) (*loyalty.Award, error) {
	for _, ref := range refs {
		a, err := p.ledger.Award(ctx, awardKey(ref, r.Name))
		if err == nil {
			return &a, nil
		}
		if !errors.Is(err, loyalty.ErrNotFound) {
			return nil, err
		}
	}
	return nil, loyalty.ErrNotFound
}

func (p *Program) give(ctx context.Context, account string, r *Rule, o commerce.Order, ref string, mode profile.Mode, done *Applied) (*loyalty.Award, error) {
	if mode == profile.Backfill {
		done.Skipped = Historic
		return nil, nil
	}
	if !o.ClosedAt.IsZero() {
		done.Skipped = NothingDue
		return nil, nil
	}
	if !settled(o) {
		done.Skipped = NotSettled
		return nil, nil
	}
	tier := ""
	if len(r.Tiers) > 0 {
		t, err := p.Tier(ctx, account)
		if err != nil {
			return nil, err
		}
		tier = t.Tier
	}
	lines, err := r.award(o, tier, p.cfg.Definition.ExcludeTenders)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		if r.matches(o, tier) {
			done.Skipped = NothingDue
		}
		return nil, nil
	}
	earn := loyalty.Earn{
		Key: awardKey(ref, r.Name), Account: account, Unit: r.Unit, Lines: lines, At: o.BoughtAt,
		UsableFrom: loyalty.Forever, Expiry: r.Expiry, UnitCost: r.UnitCost, Order: ref,
		Rule: r.Name + "@" + p.cfg.Definition.Version,
	}
	if r.AtOnce {
		earn.UsableFrom = o.BoughtAt
	}
	receipt, err := p.ledger.Post(ctx, earn)
	if err != nil {
		return nil, err
	}
	done.Awarded = append(done.Awarded, receipt)
	a, err := p.ledger.Award(ctx, earn.Key)
	return &a, err
}

// settled reports whether it is known what was bought and by which tenders it
// was paid. An award stands as first recorded, so it waits for facts that come
// late; of a completed order nothing more is expected.
func settled(o commerce.Order) bool {
	ordered := len(o.Lines) > 0 || !o.PlacedAt.IsZero() || !o.CompletedAt.IsZero()
	return ordered && !o.PaidAt.IsZero()
}

func (r *Rule) matches(o commerce.Order, tier string) bool {
	return (r.Currency == "" || r.Currency == o.Currency) &&
		!o.BoughtAt.Before(r.From) && (r.Until.IsZero() || o.BoughtAt.Before(r.Until)) &&
		(len(r.Tiers) == 0 || slices.Contains(r.Tiers, tier))
}

// award computes the lines of an award: the points, and the paid amount that
// they were earned on.
func (r *Rule) award(o commerce.Order, tier string, excluded []string) ([]loyalty.EarnLine, error) {
	if !r.matches(o, tier) {
		return nil, nil
	}
	basis, err := eligible(o, excluded, r.On)
	if err != nil {
		return nil, err
	}
	var lines []loyalty.EarnLine
	var weights []int64
	var total int64
	if r.On == Goods {
		lines, weights, total = r.lines(o, basis)
	}
	if r.On == Paid || len(o.Lines) == 0 {
		// An order of which no line is known earns on what was paid for it.
		lines, weights, total = []loyalty.EarnLine{{Line: wholeOrder, Basis: basis[0]}}, basis, basis[0]
	}
	points, err := r.points(total)
	if err != nil || points == 0 {
		return nil, err
	}
	shares, err := commerce.Split(points, weights)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	for i := range lines {
		lines[i].Amount = shares[i]
	}
	return lines, nil
}

// lines are the order lines that the rule is about, with what was paid for each.
func (r *Rule) lines(o commerce.Order, basis []int64) (lines []loyalty.EarnLine, weights []int64, total int64) {
	for i := range o.Lines {
		l := &o.Lines[i]
		if !l.Since.IsZero() || basis[i] == 0 || slices.Contains(r.Exclude, l.Category) ||
			len(r.Categories) > 0 && !slices.Contains(r.Categories, l.Category) {
			continue
		}
		lines = append(lines, loyalty.EarnLine{Line: lineRef(l.ID), Basis: basis[i]})
		weights = append(weights, basis[i])
		total += basis[i]
	}
	return lines, weights, total
}

// wholeOrder names the line of an award for an order without known lines.
const wholeOrder = "order"

func (r *Rule) points(basis int64) (int64, error) {
	hi, lo := bits.Mul64(uint64(basis), uint64(r.Points))
	if hi >= uint64(r.Per) {
		return 0, fmt.Errorf("program: rule %s: %w", r.Name, loyalty.ErrOverflow)
	}
	q, _ := bits.Div64(hi, lo, uint64(r.Per))
	if q > loyalty.MaxAmount {
		return 0, fmt.Errorf("program: rule %s: %w", r.Name, loyalty.ErrOverflow)
	}
	if n := int64(q); r.Max == 0 || n < r.Max {
		return n, nil
	}
	return r.Max, nil
}

// eligible is, line by line, what the customer paid by tenders that earn: the
// net amount less a fair share of the other tenders. On all that was paid, and
// of an order without lines, it is one figure.
func eligible(o commerce.Order, excluded []string, on Basis) ([]int64, error) {
	var other int64
	for _, t := range excluded {
		other += o.PaidBy(t)
	}
	if len(o.Lines) == 0 || on == Paid {
		return []int64{max(o.Paid()-other, 0)}, nil
	}
	nets := make([]int64, len(o.Lines))
	var total int64
	for i := range o.Lines {
		if o.Lines[i].Since.IsZero() {
			nets[i] = o.Lines[i].Net
			total += nets[i]
		}
	}
	off, err := commerce.Split(min(other, total), nets)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	for i := range nets {
		nets[i] -= off[i]
	}
	return nets, nil
}

// vest lets an award become usable once the goods have been received and the
// return window is known.
func (p *Program) vest(ctx context.Context, r *Rule, o commerce.Order, a *loyalty.Award, done *Applied) error {
	received := o.ReceivedAt
	if received.IsZero() {
		received = o.CompletedAt
	}
	if received.IsZero() || r.AtOnce {
		return nil
	}
	usable := loyalty.EndOfDay(received.In(p.cfg.Zone).AddDate(0, 0, p.cfg.Definition.ReturnDays), p.cfg.Zone)
	key := "vest/" + a.Transaction.Key
	_, err := p.ledger.Lookup(ctx, key)
	if err == nil {
		return nil // the first receipt counts: a later one does not prolong the wait
	}
	if !errors.Is(err, loyalty.ErrNotFound) {
		return err
	}
	receipt, err := p.ledger.Post(ctx, loyalty.Vest{Key: key, Award: a.Transaction.Key, UsableFrom: usable})
	if err != nil {
		return err
	}
	done.Vested = append(done.Vested, receipt)
	return nil
}

// takeBack returns what went back since the last time. Its key says how much
// had gone back in all, so that every step happens once.
func (p *Program) takeBack(ctx context.Context, o commerce.Order, a *loyalty.Award, done *Applied) error {
	var back []loyalty.ReturnLine
	var sum int64
	for _, l := range a.Lines {
		gone, err := returned(o, l)
		if err != nil {
			return err
		}
		if gone = max(gone, l.BasisReturned); gone > l.BasisReturned {
			back = append(back, loyalty.ReturnLine{Line: l.Line, Basis: gone - l.BasisReturned})
		}
		sum += gone
	}
	if len(back) == 0 {
		return nil
	}
	at := o.ClosedAt
	for _, r := range o.Refunds {
		if at.IsZero() || o.ClosedAt.IsZero() && r.At.After(at) {
			at = r.At
		}
	}
	receipt, err := p.ledger.Post(ctx, loyalty.Return{
		Key: "back/" + a.Transaction.Key + "/" + strconv.FormatInt(sum, 36), Award: a.Transaction.Key,
		Lines: back, At: at, Order: a.Transaction.Order,
	})
	if err != nil {
		return err
	}
	done.Returned = append(done.Returned, receipt)
	return nil
}

// returned is the part of a line's basis that the customer got back: in
// proportion to the money refunded for it, all of it where the order is closed.
func returned(o commerce.Order, l loyalty.AwardLine) (int64, error) {
	if !o.ClosedAt.IsZero() {
		return l.Basis, nil
	}
	net, refunded := int64(0), int64(0)
	if l.Line == wholeOrder {
		net = o.Paid()
		for _, r := range o.Refunds {
			refunded += r.Amount
		}
	}
	for i := range o.Lines {
		if lineRef(o.Lines[i].ID) == l.Line {
			net, refunded = o.Lines[i].Net, o.Lines[i].Refunded
		}
	}
	if net <= 0 || refunded <= 0 {
		return 0, nil
	}
	n, err := commerce.Cumulative(l.Basis, min(refunded, net), net)
	if err != nil {
		return 0, fmt.Errorf("program: %w", err)
	}
	return n, nil
}
