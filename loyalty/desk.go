package loyalty

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// desk is where commands are decided: the accounts and transactions of one
// batch, as they are after the commands decided so far.
type desk struct {
	cfg *Config
	// direct says that the store is a [MemoryStore] itself, without a wrapper
	// that might change what is posted.
	direct bool
	now    time.Time
	// after is the least recorded time: reads as of a known time were answered
	// up to just before it.
	after time.Time
	buf   encoder
	// written holds what the seals of this round hash, contents its parts by transaction.
	written  encoder
	contents [][]byte
	mark     int // where those of the command at hand begin
	// dates remembers the last expiry that was computed: awards of a day mostly share it.
	dates struct {
		policy Expiry
		day    date
		expiry time.Time
	}

	states map[string]*state
	// borrowed are the states that are in the lane's cache.
	borrowed []*state
	recorded map[string]*Recorded // nil: known not to be there
	lots     map[LotKey]*Lot      // rows loaded one by one; nil: known not to be there

	// need is what the decisions of this round lacked, waited for the accounts
	// of the commands that lacked it: those behind them in the batch wait too.
	need      Query
	waitedFor []string

	// Rows of this round's postings lie in common arrays.
	txs     []Transaction
	changes []AccountChange
	rows    []Lot

	// Of the command at hand: whether sums do for it, copies of accounts in which something fell due,
	// what was recorded of that, and every account opened.
	sums    bool
	room    []Balance // for those of its receipt
	due     map[string]*state
	settled []Transaction
	touched []*state
	before  []Link // where the accounts touched stood, by touched
}

// errNeed says that a decision needs more to be loaded; desk.need names it.
var errNeed = errors.New("loyalty: more must be loaded")

// begin clears the desk for a batch.
func (d *desk) begin(now, after time.Time) {
	d.now, d.after = now, after
	clear(d.states)
	clear(d.borrowed)
	d.borrowed = d.borrowed[:0]
	d.recorded, d.lots, d.need = nil, nil, Query{}
}

func (d *desk) needAccount(id string) {
	if !slices.ContainsFunc(d.need.Accounts, func(w Want) bool { return w.Account == id }) {
		d.need.Accounts = append(d.need.Accounts, Want{Account: id})
	}
}

// waitFor keeps the accounts of a call that is to be decided in another round
// for it, so that those behind it do not go first.
func (d *desk) waitFor(c *call, lacked []Want) {
	d.waitedFor = append(d.waitedFor, c.wants.accounts[:c.wants.n]...)
	for _, s := range d.touched {
		d.waitedFor = append(d.waitedFor, s.ID)
	}
	for _, w := range lacked {
		d.waitedFor = append(d.waitedFor, w.Account)
	}
}

func (d *desk) needKey(key string) {
	if _, ok := d.recorded[key]; !ok && !slices.Contains(d.need.Keys, key) {
		d.need.Keys = append(d.need.Keys, key)
	}
}

// account is an account as it is now, with what is due recorded; t gets a link to it.
func (d *desk) account(t *Transaction, id string) (*state, error) {
	s, err := d.find(id)
	if err != nil {
		return nil, err
	}
	if t.link(id) == nil {
		t.Links = append(t.Links, Link{Account: id})
		d.touch(s)
	}
	return s, nil
}

// touch notes an account that the command at hand changes, and where it stood
// before: what fell due and was settled since is part of the posting.
func (d *desk) touch(s *state) {
	at := d.states[s.ID]
	d.touched = append(d.touched, s)
	d.before = append(d.before, Link{s.ID, at.Seq, at.Head})
}

// live is account, or the account that it was merged into.
func (d *desk) live(t *Transaction, id string) (*state, error) {
	for {
		s, err := d.find(id)
		if err != nil {
			return nil, err
		}
		if s.MergedInto == "" {
			return d.account(t, id)
		}
		id = s.MergedInto
	}
}

func (d *desk) find(id string) (*state, error) {
	if s, ok := d.due[id]; ok {
		return s, nil
	}
	s, ok := d.states[id]
	if !ok {
		d.needAccount(id)
		return nil, errNeed
	}
	if len(d.waitedFor) > 0 && slices.Contains(d.waitedFor, id) {
		return nil, errNeed
	}
	if s.lean && !(d.sums && s.tells(d.now)) {
		d.needAccount(id)
		return nil, errNeed
	}
	s.asked = s.asked || !d.sums
	for _, u := range s.units {
		u.at(d.now)
	}
	if !s.due().After(d.now) {
		s = s.clone()
		if d.due == nil {
			d.due = make(map[string]*state)
		}
		d.due[id] = s
		d.settle(s, d.now)
	}
	return s, nil
}

// transaction is a recorded transaction.
func (d *desk) transaction(key string) (*Recorded, error) {
	r, ok := d.recorded[key]
	if !ok {
		d.needKey(key)
		return nil, errNeed
	}
	if r == nil {
		return nil, ErrNotFound
	}
	return r, nil
}

// award is a transaction that gave points, with the account that has them now.
func (d *desk) award(t *Transaction, key string) (*Transaction, *state, error) {
	r, err := d.transaction(key)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case r.Kind == KindEarn, r.Kind == KindImport, r.Kind == KindAdjust && len(r.Opens) > 0:
	default:
		return nil, nil, ErrNotFound
	}
	s, err := d.live(t, r.Links[0].Account)
	return &r.Transaction, s, err
}

// lot is a lot of an account whether or not anything remains of it; nil where
// the account never had it.
func (d *desk) lot(s *state, id string) (*Lot, error) {
	if l := s.lot(id); l != nil {
		return l, nil
	}
	if s.Seq == 0 {
		return nil, nil
	}
	key := LotKey{s.ID, id}
	row, ok := d.lots[key]
	if !ok {
		if !slices.Contains(d.need.Lots, key) {
			d.need.Lots = append(d.need.Lots, key)
		}
		return nil, errNeed
	}
	if row == nil {
		return nil, nil
	}
	s.remember(*row)
	return s.lot(id), nil
}

// book is the account's own book.
func (s *state) book() Book {
	if s.Kind == Pool {
		return BookPool
	}
	return BookMember
}

// kindOr is the account's kind, or that of its new owner where it does not exist yet.
func (s *state) kindOr(k AccountKind) AccountKind {
	if s.Seq == 0 {
		return k
	}
	return s.Kind
}

// open are the open lots; of a unit that the account never had, none.
func (u *unitState) open() []slot {
	if u == nil {
		return nil
	}
	return u.lots
}

// decide carries a command out on the accounts. On an error nothing has
// changed but that lots which were looked up stay known.
func (d *desk) decide(c *call) (posting Posting, err error) {
	d.settled, d.touched, d.before, d.mark = d.settled[:0], d.touched[:0], d.before[:0], len(d.contents)
	clear(d.due)
	d.sums, d.room = c.wants.sums, nil
	t := &c.outcome[0]
	*t = Transaction{Key: c.key, Kind: c.kind, Effective: d.now, Fingerprint: c.print}
	if err := c.cmd.decide(d, t); err != nil {
		return Posting{}, err
	}
	if _, asked := d.recorded[c.key]; !asked && d.opensAgain(t) {
		d.needKey(c.key)
		return Posting{}, errNeed
	}
	if err := d.finish(t); err != nil {
		return Posting{}, err
	}
	posting = d.post(c.outcome[:])
	c.balances = d.balances(t)
	return posting, nil
}

// settleOnly records what is due in an account up to an instant, and no command.
func (d *desk) settleOnly(id string, upTo time.Time) (Posting, error) {
	d.settled, d.touched, d.before, d.mark = d.settled[:0], d.touched[:0], d.before[:0], len(d.contents)
	clear(d.due)
	s, ok := d.states[id]
	if !ok || s.lean {
		d.needAccount(id)
		return Posting{}, errNeed
	}
	if s.due().After(upTo) {
		return Posting{}, nil
	}
	s = s.clone()
	d.settle(s, upTo)
	d.touch(s)
	return d.post(nil), nil
}

// opensAgain reports a transaction that opens a lot that its account has: the
// key was used before, and what was recorded then is the answer.
func (d *desk) opensAgain(t *Transaction) bool {
	return slices.ContainsFunc(t.Opens, func(l Lot) bool {
		return slices.ContainsFunc(d.touched, func(s *state) bool { return s.ID == l.Account && s.lot(l.ID) != nil })
	})
}

// finish gives the transaction its place in the chains and applies it.
func (d *desk) finish(t *Transaction) error {
	t.Recorded = d.now
	if d.after.After(t.Recorded) {
		t.Recorded = d.after
	}
	for i := range t.Links {
		s := d.touched[i]
		if err := s.bears(t); err != nil {
			return err
		}
		t.follow(s)
		t.Links[i].Seq = s.Seq + 1
		if s.Recorded.After(t.Recorded) {
			t.Recorded = s.Recorded
		}
	}
	for _, s := range d.touched {
		if !s.takes(t) {
			d.needAccount(s.ID)
			return errNeed
		}
	}
	content := d.content(t)
	for i := range t.Links {
		t.Links[i].Hash = t.Links[i].seal(d.touched[i].Head, content, &d.buf)
	}
	for _, s := range d.touched {
		s.apply(t)
	}
	return nil
}

// content is what a seal hashes of a transaction. It is kept for the store.
func (d *desk) content(t *Transaction) []byte {
	from := len(d.written.b)
	d.written.transaction(t)
	content := slices.Clip(d.written.b[from:])
	d.contents = append(d.contents, content)
	return content
}

// bears refuses a transaction after which what the account has or owes of a
// unit would not fit an int64.
func (s *state) bears(t *Transaction) error {
	type sum struct {
		unit      Unit
		has, owes int64
	}
	var few [4]sum
	sums := few[:0]
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Account != s.ID || !e.Book.own() {
			continue
		}
		at := slices.IndexFunc(sums, func(x sum) bool { return x.unit == e.Unit })
		if at < 0 {
			at = len(sums)
			sums = append(sums, sum{unit: e.Unit})
			if u := s.findUnit(e.Unit); u != nil {
				sums[at].has, sums[at].owes = u.usable+u.pending, u.Debt
			}
		}
		var err error
		if e.Book == BookDebt {
			sums[at].owes, err = add(sums[at].owes, -e.Amount)
		} else {
			sums[at].has, err = add(sums[at].has, e.Amount)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// post is the posting of what was decided, behind what was settled before it.
// It takes the settled copies over.
func (d *desk) post(decided []Transaction) Posting {
	p := Posting{Program: d.cfg.Program, Transactions: decided}
	txs, changes, rows := len(d.txs), len(d.changes), len(d.rows)
	if len(d.settled) > 0 {
		d.txs = append(append(d.txs, d.settled...), decided...)
		p.Transactions = slices.Clip(d.txs[txs:])
	}
	for i, s := range d.touched {
		change := AccountChange{Expect: d.before[i].Seq, Before: d.before[i].Hash, Account: s.head()}
		if d.direct {
			change.home = s.home
		}
		d.changes = append(d.changes, change)
		for _, l := range s.dirtyLots {
			d.rows = append(d.rows, *l)
		}
		for _, h := range s.dirtyHolds {
			p.Holds = append(p.Holds, *copyHold(h))
		}
		s.posted()
		if d.states[s.ID] != s {
			d.states[s.ID] = s
		}
	}
	if d.direct {
		p.contents = slices.Clip(d.contents[d.mark:])
	}
	p.Accounts, p.Lots = slices.Clip(d.changes[changes:]), slices.Clip(d.rows[rows:])
	for i := range p.Transactions {
		d.learn(&p.Transactions[i])
	}
	return p
}

// learn keeps what was just decided for the commands behind it in the batch.
func (d *desk) learn(t *Transaction) {
	if r, ok := d.recorded[t.Of]; ok && r != nil {
		r.Followers = append(r.Followers, *t)
	}
	if _, asked := d.recorded[t.Key]; asked {
		d.recorded[t.Key] = &Recorded{Transaction: *t}
	}
}

// settle records, in the order of time, the holds that timed out and the lots
// that expired up to now. One transaction takes all lots of one instant.
func (d *desk) settle(s *state, now time.Time) {
	for {
		at := s.due()
		if at.After(now) || !at.Before(Forever) {
			return
		}
		for _, t := range due(s, at) {
			t.follow(s)
			t.Recorded = d.now
			if d.after.After(t.Recorded) {
				t.Recorded = d.after
			}
			if s.Recorded.After(t.Recorded) {
				t.Recorded = s.Recorded
			}
			t.Key = ownKeyPrefix + strconv.FormatUint(s.Seq+1, 10) + ownKeyPrefix + s.ID
			t.Links = []Link{{Account: s.ID, Seq: s.Seq + 1}}
			t.Links[0].Hash = t.Links[0].seal(s.Head, d.content(&t), &d.buf)
			s.apply(&t)
			d.settled = append(d.settled, t)
		}
	}
}

// due is what happens by itself in an account at an instant: first holds time
// out, in the order of their keys; or else lots expire.
func due(s *state, at time.Time) []Transaction {
	var ts []Transaction
	for _, h := range s.holds {
		if h.Until.Equal(at) {
			t := Transaction{Kind: KindTimeout, Of: h.Key, Unit: h.Unit, Effective: at}
			t.release(s, h, unpin(s, h, 0, false))
			ts = append(ts, t)
		}
	}
	if len(ts) > 0 {
		// One at a time: the order of holds with the same time-out is that of their keys.
		return slices.Clip(slices.SortedFunc(slices.Values(ts), func(a, b Transaction) int {
			return strings.Compare(a.Of, b.Of)
		})[:1])
	}
	t := Transaction{Kind: KindExpire, Effective: at}
	for _, u := range s.units {
		for _, sl := range u.lots {
			if sl.expires.After(at) {
				break
			}
			if n := sl.lot.free(); n > 0 {
				t.move(s.book(), BookExpired, s.ID, u.Unit, sl.lot.ID, n)
			}
		}
	}
	return []Transaction{t}
}

// balances are the balances of the accounts of a transaction, in the units
// concerned. What a backdated award gave may be over already.
func (d *desk) balances(t *Transaction) []Balance {
	out := d.room
	d.room = nil
	for _, s := range d.touched {
		out = s.balancesAfter(out, t, d.cfg)
	}
	return out
}

func (s *state) balancesAfter(out []Balance, t *Transaction, cfg *Config) []Balance {
	s = s.settledAt(t.Recorded, cfg)
	if t.Unit != "" {
		return append(out, s.balance(t.Unit, t.Recorded))
	}
	var units []Unit
	for i := range t.Entries {
		units = append(units, t.Entries[i].Unit)
	}
	slices.Sort(units)
	for _, u := range slices.Compact(units) {
		out = append(out, s.balance(u, t.Recorded))
	}
	return out
}
