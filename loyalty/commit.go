package loyalty

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// call is a command on its way, with its outcome.
type call struct {
	cmd   Command
	key   string
	kind  Kind
	wants wanted
	print Fingerprint

	outcome  [1]Transaction // in an array, so that a posting of it alone copies nothing
	balances []Balance
	recorded bool // before: the balances must be folded
	replayed bool
	err      error
	finished bool

	// uncertain is the error of a write of which it is open whether it happened.
	uncertain error
	tries     int
	// wake gets false when the call is finished, true when it is to lead. Calls
	// that never wait have none.
	wake chan bool
}

// lane is one stream of group commits. The first caller to come leads: it
// writes its command together with those that have queued, then hands the lead
// to the first that came meanwhile. So commits coalesce just as far as the
// store is slower than the callers, and no goroutine is needed.
type lane struct {
	ledger  *Ledger
	mu      sync.Mutex
	leading bool
	queue   []*call
	// The leader's tools, used by one at a time.
	desk     desk
	batch    []*call
	open     []*call
	again    []*call
	posted   []*call
	postings []Posting
	// cache holds accounts as of their last commit. A batch takes out those
	// that it works on, so that nobody reads them half done.
	cache map[string]*state
	ahead int // of reading ahead; means nothing
}

func (ln *lane) run(ctx context.Context, c *call) error {
	ln.mu.Lock()
	if !ln.leading {
		ln.leading = true
		ln.queue = append(ln.queue, c)
		ln.mu.Unlock()
		ln.lead(ctx)
		return c.err
	}
	c.wake = make(chan bool, 1)
	ln.queue = append(ln.queue, c)
	ln.mu.Unlock()
	return ln.wait(ctx, c)
}

func (ln *lane) runAll(ctx context.Context, calls []*call) []error {
	if len(calls) == 0 {
		return nil
	}
	ln.mu.Lock()
	for _, c := range calls {
		c.wake = make(chan bool, 1)
	}
	ln.queue = append(ln.queue, calls...)
	lead := !ln.leading
	ln.leading = true
	ln.mu.Unlock()
	if lead {
		ln.lead(ctx)
	}
	errs := make([]error, len(calls))
	for i, c := range calls {
		errs[i] = ln.wait(ctx, c)
	}
	return errs
}

// wait waits for a queued call to be finished, and leads when it is its turn.
func (ln *lane) wait(ctx context.Context, c *call) error {
	for {
		select {
		case lead := <-c.wake:
			if !lead {
				return c.err
			}
			ln.lead(ctx)
		case <-ctx.Done():
			return ln.abandon(ctx, c)
		}
	}
}

// abandon takes a canceled call out of the queue. Where it is too late for
// that, the write goes on without its caller.
func (ln *lane) abandon(ctx context.Context, c *call) error {
	ln.mu.Lock()
	at := slices.Index(ln.queue, c)
	if at >= 0 {
		ln.queue = slices.Delete(ln.queue, at, at+1)
		select {
		case <-c.wake: // it was to lead: the next one does
			ln.pass()
		default:
		}
		ln.mu.Unlock()
		return ctx.Err()
	}
	finished := c.finished
	ln.mu.Unlock()
	if finished {
		return c.err
	}
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(ctx))
}

// pass hands the lead to the first in the queue. The caller holds mu.
func (ln *lane) pass() {
	if len(ln.queue) == 0 {
		ln.leading = false
		return
	}
	ln.queue[0].wake <- true
}

// lead writes one batch. It does not stop when its own caller is canceled:
// others depend on it.
func (ln *lane) lead(ctx context.Context) {
	ln.mu.Lock()
	n := min(len(ln.queue), ln.ledger.cfg.Batch)
	batch := append(ln.batch[:0], ln.queue[:n]...)
	ln.queue = slices.Delete(ln.queue, 0, n)
	ln.mu.Unlock()

	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	ln.process(ctx, batch)

	ln.mu.Lock()
	for _, c := range batch {
		c.finished = true
		if c.wake != nil {
			c.wake <- false
		}
	}
	clear(batch)
	ln.batch = batch[:0]
	ln.pass()
	ln.mu.Unlock()
}

// fence returns once everything that was on its way in the lane is written.
func (ln *lane) fence(ctx context.Context) error {
	ln.mu.Lock()
	if !ln.leading {
		ln.mu.Unlock()
		return nil
	}
	c := &call{wake: make(chan bool, 1)}
	ln.queue = append(ln.queue, c)
	ln.mu.Unlock()
	return ln.wait(ctx, c)
}

// maxTries bounds how often a command is decided again because another
// process was faster.
const maxTries = 256

// process carries out a batch: load what is missing, decide, commit, and again
// for the commands that lacked something or lost a race.
func (ln *lane) process(ctx context.Context, batch []*call) {
	l, d := ln.ledger, &ln.desk
	d.begin(l.now(), time.UnixMicro(l.known.Load()+1).UTC())
	open := ln.open[:0]
	for _, c := range batch {
		if c.cmd != nil { // not a fence
			open = append(open, c)
		}
	}
	ln.borrow(d, open)
	for _, c := range open {
		d.require(c, l.bound)
	}
	for len(open) > 0 {
		if err := ln.fetch(ctx, d); err != nil {
			for _, c := range open {
				c.err = err
				if c.uncertain != nil {
					c.err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, c.uncertain)
				}
			}
			break
		}
		again := ln.round(ctx, d, open)
		ln.again, open = open[:0], again
	}
	ln.open = open[:0]
	ln.giveBack(d)
}

// require asks for what a command is known to need, and for its key where that
// must be certain beforehand.
func (d *desk) require(c *call, certain bool) {
	for _, id := range c.wants.accounts[:c.wants.n] {
		if s, ok := d.states[id]; !ok || s.lean && !c.wants.sums {
			certain = true
			d.needAccount(id)
		}
	}
	if c.wants.of != "" {
		certain = true
		d.needKey(c.wants.of)
	}
	if certain && c.key != "" {
		d.needKey(c.key)
	}
}

// borrow takes the accounts of a batch out of the cache, in that nobody else
// looks at them until they are given back.
func (ln *lane) borrow(d *desk, batch []*call) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for _, c := range batch {
		// A sweep acts on what the store says, not on what was so once.
		if c.kind == KindExpire {
			continue
		}
		for _, id := range c.wants.accounts[:c.wants.n] {
			if s, ok := ln.cache[id]; ok && !s.busy {
				ln.ahead += s.ahead()
				s.busy, s.current = true, false
				d.states[id] = s
				d.borrowed = append(d.borrowed, s)
			}
		}
	}
}

// giveBack puts the accounts of a batch into the cache.
func (ln *lane) giveBack(d *desk) {
	limit := ln.ledger.cfg.Cache
	if limit < 0 {
		return
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for _, s := range d.borrowed {
		s.busy = false
		if d.states[s.ID] != s { // copied, or no longer believed
			ln.drop(s.ID)
		}
	}
	for id, s := range d.states {
		// Where a merged account leads is asked of the store each time.
		if s.Seq == 0 || s.MergedInto != "" {
			ln.drop(id)
			continue
		}
		if !s.lean {
			s.closed.clear()
		}
		if d.direct {
			s.shed()
		}
		ln.put(s)
	}
	ln.evict(limit)
}

// put makes s the account's state in the cache. The caller holds mu, as for drop.
func (ln *lane) put(s *state) {
	if s.cached {
		return
	}
	ln.drop(s.ID)
	ln.cache[s.ID], s.cached = s, true
}

func (ln *lane) drop(id string) {
	if s, ok := ln.cache[id]; ok {
		s.cached = false
		delete(ln.cache, id)
	}
}

// keep puts an account that was read into the cache.
func (ln *lane) keep(s *state) {
	limit := ln.ledger.cfg.Cache
	if limit < 0 || s.MergedInto != "" {
		return
	}
	if ln.desk.direct {
		s.shed()
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if old, ok := ln.cache[s.ID]; !ok || !old.busy && old.Seq < s.Seq {
		ln.put(s)
	}
	ln.evict(limit)
}

// evict drops accounts by no particular order until the cache is in its bounds.
func (ln *lane) evict(limit int) {
	limit = limit/len(ln.ledger.lanes) + 1
	if len(ln.cache) <= limit {
		return
	}
	for id, s := range ln.cache {
		if s.busy {
			continue
		}
		if ln.drop(id); len(ln.cache) <= limit {
			return
		}
	}
}

// fetch loads what the desk needs.
func (ln *lane) fetch(ctx context.Context, d *desk) error {
	if len(d.need.Accounts)+len(d.need.Keys)+len(d.need.Lots) == 0 {
		return nil
	}
	q := d.need
	q.Program = d.cfg.Program
	d.need = Query{}
	a, err := ln.ledger.store.Load(ctx, q)
	if err != nil {
		return err
	}
	for _, c := range a.Accounts {
		d.states[c.ID] = load(c, d.cfg.Zone)
		d.states[c.ID].current = true
	}
	for _, w := range q.Accounts {
		if _, ok := d.states[w.Account]; !ok {
			d.states[w.Account] = newState(w.Account, Membership, d.cfg.Zone)
			d.states[w.Account].current = true
		}
	}
	if d.recorded == nil {
		d.recorded = make(map[string]*Recorded)
	}
	for _, k := range q.Keys {
		d.recorded[k] = nil
	}
	for i := range a.Transactions {
		d.recorded[a.Transactions[i].Key] = &a.Transactions[i]
	}
	if d.lots == nil {
		d.lots = make(map[LotKey]*Lot)
	}
	for _, k := range q.Lots {
		d.lots[k] = nil
	}
	for i := range a.Lots {
		d.lots[LotKey{a.Lots[i].Account, a.Lots[i].ID}] = &a.Lots[i]
	}
	return nil
}

// round decides every open call, commits what was decided, and returns the
// calls that need another round.
func (ln *lane) round(ctx context.Context, d *desk, open []*call) []*call {
	again, posted, postings := ln.again[:0], ln.posted[:0], ln.postings[:0]
	d.txs, d.changes, d.rows = d.txs[:0], d.changes[:0], d.rows[:0]
	d.written.b, d.contents, d.waitedFor = d.written.b[:0], d.contents[:0], d.waitedFor[:0]
	for _, c := range open {
		if c.key != "" && slices.ContainsFunc(posted, func(p *call) bool { return p.key == c.key }) {
			again = append(again, c)
			continue
		}
		lacked := len(d.need.Accounts)
		p, done := ln.attempt(d, c)
		switch {
		case !done:
			again = append(again, c)
			d.waitFor(c, d.need.Accounts[lacked:])
		case len(p.Transactions) > 0:
			postings, posted = append(postings, p), append(posted, c)
		}
	}
	if len(postings) == 0 {
		return again
	}
	errs := ln.ledger.store.Commit(ctx, postings)
	for i, c := range posted {
		var err error
		if i < len(errs) {
			err = errs[i]
		}
		if err == nil {
			for _, a := range postings[i].Accounts {
				if s := d.states[a.ID]; s != nil { // nil: a rejection behind it asked for the account again
					s.current, s.home = true, a.home
				}
			}
			continue
		}
		if ln.failed(d, c, &postings[i], err) {
			again = append(again, c)
		}
	}
	// A later posting's failure makes the accounts that it shares with an
	// earlier one doubtful, so the failures are cleared up only now.
	for i, c := range posted {
		if i < len(errs) && errs[i] != nil {
			d.forget(&postings[i])
			d.require(c, true)
		}
	}
	clear(posted)
	clear(postings)
	ln.posted, ln.postings = posted[:0], postings[:0]
	return again
}

// attempt decides one call. It is not done where more must be loaded, or where
// a rejection rests on accounts that may be out of date.
func (ln *lane) attempt(d *desk, c *call) (p Posting, done bool) {
	if sw, ok := c.cmd.(sweep); ok {
		p, err := d.settleOnly(sw.account, sw.until)
		c.err = nil
		return p, err == nil
	}
	if r := d.recorded[c.key]; r != nil {
		c.err = nil
		if r.Fingerprint != c.print || r.Kind != c.kind {
			c.err = ErrKeyReused
			return Posting{}, true
		}
		c.outcome[0], c.recorded, c.replayed = r.Transaction, true, c.uncertain == nil
		return Posting{}, true
	}
	if c.uncertain != nil {
		if _, asked := d.recorded[c.key]; asked {
			c.err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, c.uncertain)
			return Posting{}, true
		}
	}
	p, c.err = d.decide(c)
	switch {
	case c.err == nil:
		return p, true
	case errors.Is(c.err, errNeed):
		return Posting{}, false
	}
	certain := true
	for _, s := range d.touched {
		if !s.current {
			delete(d.states, s.ID)
			certain = false
		}
	}
	if _, asked := d.recorded[c.key]; !asked {
		certain = false
	}
	if !certain {
		d.require(c, true)
	}
	return Posting{}, certain
}

// failed says what a failed commit means for its call: whether it is worth another try.
func (ln *lane) failed(d *desk, c *call, p *Posting, err error) bool {
	c.tries++
	switch {
	case errors.Is(err, ErrDuplicate):
		return c.tries < maxTries
	case errors.Is(err, ErrConflict):
		c.err = err
		return !ln.ledger.bound && c.tries < maxTries
	case ln.ledger.bound:
		c.err = err
		return false
	}
	c.uncertain, c.err = err, err
	return c.tries < maxTries
}

// forget drops what the desk believed of the accounts of a posting that failed.
func (d *desk) forget(p *Posting) {
	for _, a := range p.Accounts {
		delete(d.states, a.ID)
		for k := range d.lots {
			if k.Account == a.ID {
				delete(d.lots, k)
			}
		}
	}
	for i := range p.Transactions {
		delete(d.recorded, p.Transactions[i].Key)
		delete(d.recorded, p.Transactions[i].Of)
	}
}

// look shows an account as the store has it to f: without its lots, where f
// does with what the account itself tells of an instant. What it shows must not be kept.
func (ln *lane) look(ctx context.Context, account string, without time.Time, f func(*state)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := ln.ledger
	shows := func(s *state) bool { return !s.busy && (!s.lean || !without.IsZero() && s.tells(without)) }
	var have uint64
	ln.mu.Lock()
	s, cached := ln.cache[account]
	if cached = cached && shows(s); cached {
		have = s.Seq
		if memory, ok := l.store.(*MemoryStore); ok && s.home != nil && memory.seq(s.home) == have {
			f(s)
			ln.mu.Unlock()
			return nil
		}
	}
	ln.mu.Unlock()
	want, ok := l.wants.Get().(*[1]Want)
	if !ok {
		want = new([1]Want)
	}
	want[0] = Want{account, have}
	a, err := l.store.Load(ctx, Query{Program: l.cfg.Program, Accounts: want[:]})
	l.wants.Put(want)
	if err != nil {
		return err
	}
	if len(a.Accounts) == 1 {
		fresh := load(a.Accounts[0], l.cfg.Zone)
		f(fresh)
		ln.keep(fresh)
		return nil
	}
	if len(a.Missing) > 0 || !cached {
		f(newState(account, Membership, l.cfg.Zone))
		return nil
	}
	ln.mu.Lock()
	if s.cached && shows(s) && s.Seq == have {
		f(s)
		ln.mu.Unlock()
		return nil
	}
	ln.mu.Unlock()
	// It was taken out of the cache meanwhile: ask for all of it.
	a, err = l.store.Load(ctx, Query{Program: l.cfg.Program, Accounts: []Want{{Account: account}}})
	if err != nil {
		return err
	}
	if len(a.Accounts) == 0 {
		f(newState(account, Membership, l.cfg.Zone))
		return nil
	}
	f(load(a.Accounts[0], l.cfg.Zone))
	return nil
}
