package loyalty

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config configures a [Ledger]. The zero Config is a ledger in memory.
type Config struct {
	// Program is the scope of accounts and keys in the store, such as a brand's
	// program. Default: "main".
	Program string
	// Store keeps the ledger. Default: a new [MemoryStore].
	Store Store
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Zone is the calendar of expiry. It must not change over the life of a
	// program. Default: UTC.
	Zone *time.Location
	// Units lists the units that may be used, with their policies. Default: any
	// unit, without expiry, [Owe] without limit.
	Units []UnitConfig
	// MinimumValidity is how many days points live at least when a reversal that
	// the merchant caused gives them back after their expiry. Default: 30.
	MinimumValidity int
	// Batch is the greatest number of commands in one commit; 1 turns group
	// commit off. Default: 256.
	Batch int
	// Lanes is how many commits may be on their way at once. Commands of one
	// account take the same lane. Default: 1 with group commit, else 32.
	Lanes int
	// Cache is the number of accounts that are kept in memory between commands;
	// negative is none. Reads always ask the store whether they are current. Default: 10,000.
	Cache int
}

// UnitConfig is what holds for a unit.
type UnitConfig struct {
	Unit Unit `json:"unit"`
	// Expiry is the policy of awards that name none. Default: never.
	Expiry Expiry `json:"expiry,omitzero"`
	// Shortfall is the policy for returned points that are spent. Default: Owe.
	Shortfall Shortfall `json:"shortfall,omitempty"`
	// MaxDebt is the greatest debt of an account; 0 is no limit.
	MaxDebt int64 `json:"max_debt,omitempty"`
	// ReinstateDays is for how long after its expiry a lot can be reinstated,
	// in periods of 24 hours. Default: 0, not at all.
	ReinstateDays int `json:"reinstate_days,omitempty"`
}

func (c *Config) fill() error {
	if c.Program == "" {
		c.Program = "main"
	}
	if err := checkKey("Config.Program", c.Program); err != nil {
		return err
	}
	if c.Store == nil {
		c.Store = NewMemoryStore()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.MinimumValidity == 0 {
		c.MinimumValidity = 30
	}
	if c.MinimumValidity < 0 || c.MinimumValidity > maxPeriods {
		return invalid("Config.MinimumValidity must be from 0 to %d", maxPeriods)
	}
	if c.Batch == 0 {
		c.Batch = 256
	}
	if c.Batch < 0 {
		return invalid("Config.Batch is negative")
	}
	if c.Lanes == 0 {
		c.Lanes = 1
		if c.Batch == 1 {
			c.Lanes = 32
		}
	}
	if c.Lanes < 0 || c.Lanes > 1024 {
		return invalid("Config.Lanes must be from 0 to 1024")
	}
	if c.Cache == 0 {
		c.Cache = 10_000
	}
	c.Units = slices.Clone(c.Units)
	for i, u := range c.Units {
		if err := firstErr(checkKey("Config.Units.Unit", string(u.Unit)), u.Expiry.check()); err != nil {
			return err
		}
		switch u.Shortfall {
		case "", Owe, Clamp, Refuse:
		default:
			return invalid("Config.Units.Shortfall is unknown")
		}
		if u.MaxDebt < 0 || u.ReinstateDays < 0 || u.ReinstateDays > maxPeriods {
			return invalid("Config.Units.MaxDebt or ReinstateDays is out of range")
		}
		if slices.ContainsFunc(c.Units[:i], func(o UnitConfig) bool { return o.Unit == u.Unit }) {
			return invalid("Config.Units has a unit twice")
		}
	}
	return nil
}

func (c *Config) unit(u Unit) UnitConfig {
	for i := range c.Units {
		if c.Units[i].Unit == u {
			return c.Units[i]
		}
	}
	return UnitConfig{Unit: u}
}

func (c *Config) checkUnit(u Unit) error {
	u = orPoints(u)
	if len(c.Units) == 0 {
		return checkKey("Unit", string(u))
	}
	for i := range c.Units {
		if c.Units[i].Unit == u {
			return nil
		}
	}
	return invalid("Unit is not one of the program's")
}

// checkPast refuses a time of something that cannot have happened yet.
func (c *Config) checkPast(field string, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	if err := checkTime(field, t); err != nil {
		return err
	}
	if t.After(c.Now()) {
		return invalid("%s is in the future", field)
	}
	return nil
}

// Ledger keeps the accounts of one program. It is safe for concurrent use and
// starts no goroutine.
type Ledger struct {
	cfg   Config
	store Store
	lanes []*lane
	// bound says that the store works inside a caller's transaction.
	bound bool
	// known is the latest Known, in Unix microseconds, that a read was answered for.
	known *atomic.Int64
	// calls, buffers (encoders for fingerprints) and wants are used again.
	calls, buffers, wants sync.Pool
}

// New makes a ledger.
func New(cfg Config) (*Ledger, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	return newLedger(cfg, false), nil
}

func newLedger(cfg Config, bound bool) *Ledger {
	l := &Ledger{cfg: cfg, store: cfg.Store, bound: bound, known: new(atomic.Int64)}
	_, direct := cfg.Store.(*MemoryStore)
	for range cfg.Lanes {
		ln := &lane{ledger: l, cache: make(map[string]*state)}
		ln.desk = desk{cfg: &l.cfg, direct: direct, states: make(map[string]*state)}
		l.lanes = append(l.lanes, ln)
	}
	return l
}

// WithStore is the ledger on another store: one that works inside a caller's
// transaction. It keeps nothing between commands, commits each alone and does
// not retry: [ErrConflict] means that the caller rolls back and runs again. It
// must not be used after the transaction, nor by several goroutines.
func (l *Ledger) WithStore(s Store) *Ledger {
	cfg := l.cfg
	cfg.Store, cfg.Lanes, cfg.Batch, cfg.Cache = s, 1, 1, -1
	bound := newLedger(cfg, true)
	bound.known = l.known
	return bound
}

// Program is the ledger's scope in its store.
func (l *Ledger) Program() string { return l.cfg.Program }

func (l *Ledger) now() time.Time { return instant(l.cfg.Now()) }

// asked notes that a read was answered for what was known at t: nothing may be
// recorded at or before t any more.
func (l *Ledger) asked(t time.Time) {
	for at := t.UnixMicro(); ; {
		was := l.known.Load()
		if was >= at || l.known.CompareAndSwap(was, at) {
			return
		}
	}
}

// Post carries out a command. It returns the first receipt again where the
// command was posted before. A caller that is canceled while its command is
// being written gets [ErrOutcomeUnknown] along with the context's error.
func (l *Ledger) Post(ctx context.Context, cmd Command) (Receipt, error) {
	c, err := l.prepare(cmd)
	if err != nil {
		return Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	if err := l.laneOf(cmd).run(ctx, c); err != nil {
		return Receipt{}, err
	}
	r, err := l.receipt(ctx, c)
	*c = call{}
	l.calls.Put(c)
	return r, err
}

// PostBatch carries out many commands in as few commits as it can. Receipts and
// errors are by command; one that fails does not fail its neighbors. Commands
// of one account take effect in their order unless another process interferes.
func (l *Ledger) PostBatch(ctx context.Context, cmds []Command) ([]Receipt, []error) {
	receipts, errs := make([]Receipt, len(cmds)), make([]error, len(cmds))
	calls := make([]*call, len(cmds))
	groups := make([][]*call, len(l.lanes))
	at := make([][]int, len(l.lanes))
	for i, cmd := range cmds {
		c, err := l.prepare(cmd)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			errs[i] = err
			continue
		}
		calls[i] = c
		n := l.laneIndex(cmd)
		groups[n], at[n] = append(groups[n], c), append(at[n], i)
	}
	for n, group := range groups {
		if len(group) == 0 {
			continue
		}
		for j, err := range l.lanes[n].runAll(ctx, group) {
			errs[at[n][j]] = err
		}
	}
	for i, c := range calls {
		if c != nil && errs[i] == nil {
			receipts[i], errs[i] = l.receipt(ctx, c)
		}
	}
	return receipts, errs
}

func (l *Ledger) prepare(cmd Command) (*call, error) {
	if cmd == nil {
		return nil, invalid("no command")
	}
	if err := cmd.check(&l.cfg); err != nil {
		return nil, err
	}
	c, ok := l.calls.Get().(*call)
	if !ok {
		c = new(call)
	}
	c.cmd, c.key, c.kind = cmd, cmd.key(), cmd.kind()
	cmd.wants(&c.wants)
	buf, ok := l.buffers.Get().(*encoder)
	if !ok {
		buf = new(encoder)
	}
	c.print = fingerprint(c.kind, cmd, buf)
	l.buffers.Put(buf)
	return c, nil
}

// laneIndex spreads commands over lanes by the account or transaction that they name first.
func (l *Ledger) laneIndex(cmd Command) int {
	if len(l.lanes) == 1 {
		return 0
	}
	var w wanted
	cmd.wants(&w)
	return l.laneOfAccount(w.first())
}

func (l *Ledger) laneOfAccount(id string) int {
	if len(l.lanes) == 1 {
		return 0
	}
	h := uint32(2166136261) // FNV-1a
	for i := 0; i < len(id); i++ {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return int(h % uint32(len(l.lanes)))
}

func (l *Ledger) laneOf(cmd Command) *lane { return l.lanes[l.laneIndex(cmd)] }

// Lookup returns the receipt of a command that may have been posted, or [ErrNotFound].
func (l *Ledger) Lookup(ctx context.Context, key string) (Receipt, error) {
	if err := checkKey("Key", key); err != nil {
		return Receipt{}, err
	}
	a, err := l.store.Load(ctx, Query{Program: l.cfg.Program, Keys: []string{key}})
	if err != nil {
		return Receipt{}, err
	}
	if len(a.Transactions) == 0 {
		return Receipt{}, ErrNotFound
	}
	return l.receipt(ctx, &call{outcome: [1]Transaction{a.Transactions[0].Transaction}, recorded: true, replayed: true})
}

// Sweep records the expiries and time-outs that are due at now, for at most
// limit accounts (0: all), and says for how many it did. It changes no read:
// what is over by time is over without it. now must not be in the future.
func (l *Ledger) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	now = instant(now)
	if err := l.cfg.checkPast("now", now); err != nil {
		return 0, err
	}
	done := 0
	var after Account
	for {
		n := page
		if limit > 0 {
			n = min(n, limit-done)
		}
		due, err := l.store.Due(ctx, l.cfg.Program, now, after, n)
		if err != nil || len(due) == 0 {
			return done, err
		}
		after = due[len(due)-1]
		groups := make([][]*call, len(l.lanes))
		for _, a := range due {
			i := l.laneOfAccount(a.ID)
			c := &call{cmd: sweep{a.ID, now}, kind: KindExpire}
			c.cmd.wants(&c.wants)
			groups[i] = append(groups[i], c)
		}
		for i, g := range groups {
			for _, err := range l.lanes[i].runAll(ctx, g) {
				if err != nil {
					return done, err
				}
				done++
			}
		}
		if limit > 0 && done >= limit {
			return done, nil
		}
	}
}

// current is a copy of an account as the store has it.
func (l *Ledger) current(ctx context.Context, account string) (*state, error) {
	ln := l.lanes[l.laneOfAccount(account)]
	var s *state
	err := ln.look(ctx, account, time.Time{}, func(found *state) { s = found.clone() })
	return s, err
}

func (l *Ledger) currentBalance(ctx context.Context, account string, unit Unit) (b Balance, err error) {
	now := l.now()
	ln := l.lanes[l.laneOfAccount(account)]
	err = ln.look(ctx, account, now, func(found *state) { b = found.settledAt(now, &l.cfg).balance(unit, now) })
	return b, err
}

// receipt completes a call. A receipt that is given again is folded from what
// was recorded, so that it shows the balances of then.
func (l *Ledger) receipt(ctx context.Context, c *call) (Receipt, error) {
	r := Receipt{Transaction: c.outcome[0], Replayed: c.replayed}
	if !c.recorded {
		r.Balances = c.balances
		return r, nil
	}
	t := &c.outcome[0]
	for _, link := range t.Links {
		s, err := l.fold(ctx, link.Account, func(x *Transaction) verdict {
			if x.link(link.Account).Seq > link.Seq {
				return stop
			}
			return take
		})
		if err != nil {
			return Receipt{}, errors.Join(ErrOutcomeUnknown, err)
		}
		r.Balances = s.balancesAfter(r.Balances, t, &l.cfg)
	}
	return r, nil
}
