package loyalty

import (
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// MemoryStore keeps ledgers in memory. Make it with [NewMemoryStore].
type MemoryStore struct {
	mu       sync.RWMutex
	programs map[string]*memoryProgram
	// Most stores have one program: it is found without a search.
	first     *memoryProgram
	firstName string
}

// NewMemoryStore makes an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{programs: make(map[string]*memoryProgram)}
}

type memoryProgram struct {
	accounts  map[string]*memoryAccount
	ids       []string // of accounts, sorted up to the first sorted
	sorted    int
	records   shelf     // of transactions
	keys      directory // of records by key
	followers map[string][]place
	rows      shelf                               // of lots
	lots      directory                           // of rows by account and ID
	days      map[int64]map[string]*memoryAccount // accounts with a due instant, by its day
	bindings  map[profile.ID][]Binding            // by account, start
	bound     map[string]map[profile.ID]bool      // profiles by account

	// Of the posting at hand.
	posted []*memoryAccount // by its accounts
	hashes []uint64         // of its keys
	buf    encoder
}

type memoryAccount struct {
	Account
	open         []place       // rows of open lots
	holds        []Reservation // open ones
	transactions []place
}

func (s *MemoryStore) program(name string) *memoryProgram {
	p, ok := s.programs[name]
	if !ok {
		p = &memoryProgram{
			accounts:  make(map[string]*memoryAccount),
			followers: make(map[string][]place),
			days:      make(map[int64]map[string]*memoryAccount),
			bindings:  make(map[profile.ID][]Binding),
			bound:     make(map[string]map[profile.ID]bool),
		}
		s.programs[name] = p
		if s.first == nil {
			s.first, s.firstName = p, name
		}
	}
	return p
}

// find is the program, nil for none. The caller holds mu.
func (s *MemoryStore) find(name string) *memoryProgram {
	if s.first != nil && s.firstName == name {
		return s.first
	}
	return s.programs[name]
}

// seq is the sequence of an account.
func (s *MemoryStore) seq(a *memoryAccount) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return a.Seq
}

// Load implements [Store].
func (s *MemoryStore) Load(ctx context.Context, q Query) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var a Answer
	p := s.find(q.Program)
	if p == nil {
		for _, w := range q.Accounts {
			a.Missing = append(a.Missing, w.Account)
		}
		return a, nil
	}
	for _, w := range q.Accounts {
		acc, ok := p.accounts[w.Account]
		switch {
		case !ok:
			a.Missing = append(a.Missing, w.Account)
		case acc.Seq != w.Have:
			a.Accounts = append(a.Accounts, p.contents(acc))
		}
	}
	for _, key := range q.Keys {
		if t := p.record(key, hashOf(key)); t != 0 {
			r := Recorded{Transaction: p.transaction(t)}
			for _, f := range p.followers[key] {
				r.Followers = append(r.Followers, p.transaction(f))
			}
			a.Transactions = append(a.Transactions, r)
		}
	}
	for _, k := range q.Lots {
		if at := p.row(k.Account, k.Lot, hashOfTwo(k.Account, k.Lot)); at != 0 {
			a.Lots = append(a.Lots, p.lot(at))
		}
	}
	a.Bindings = p.selected(q.Bindings)
	return a, nil
}

func (p *memoryProgram) selected(q BindingQuery) []Binding {
	if q == (BindingQuery{}) {
		return nil
	}
	profiles := []profile.ID{q.Profile}
	if q.Profile == "" {
		profiles = slices.Sorted(maps.Keys(p.bound[q.Account]))
	}
	var out []Binding
	for _, id := range profiles {
		for _, b := range p.bindings[id] {
			if q.Account == "" || b.Account == q.Account {
				out = append(out, b)
			}
		}
	}
	return out
}

// record is the place of the transaction with a key, zero for none.
func (p *memoryProgram) record(key string, hash uint64) place {
	return p.keys.find(hash, func(at place) bool { return begins(p.records.at(at)[formatBytes:], key) })
}

func (p *memoryProgram) transaction(at place) Transaction {
	u := unpacker{string(p.records.at(at))}
	return u.transaction()
}

// row is the place of a lot's row, zero for none.
func (p *memoryProgram) row(account, lot string, hash uint64) place {
	return p.lots.find(hash, func(at place) bool { return begins(p.rows.at(at)[listBytes:], account, lot) })
}

func (p *memoryProgram) lot(at place) Lot {
	u := unpacker{string(p.rows.at(at)[listBytes:])}
	return u.lot()
}

func (p *memoryProgram) contents(m *memoryAccount) Contents {
	c := Contents{Account: m.head(), home: m}
	if n := len(m.open); n > 0 {
		c.Lots = make([]Lot, n)
		for i, at := range m.open {
			c.Lots[i] = p.lot(at)
		}
	}
	for i := range m.holds {
		c.Holds = append(c.Holds, *copyHold(&m.holds[i]))
	}
	return c
}

func (m *memoryAccount) head() Account {
	a := m.Account
	a.Standings = slices.Clone(a.Standings)
	return a
}

// Commit implements [Store].
func (s *MemoryStore) Commit(ctx context.Context, postings []Posting) []error {
	errs := make([]error, len(postings))
	if err := ctx.Err(); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range postings {
		errs[i] = s.program(postings[i].Program).commit(&postings[i])
	}
	return errs
}

func (p *memoryProgram) commit(post *Posting) error {
	p.hashes, p.posted = p.hashes[:0], p.posted[:0]
	for i := range post.Transactions {
		key := post.Transactions[i].Key
		hash := hashOf(key)
		if p.record(key, hash) != 0 {
			return ErrDuplicate
		}
		p.hashes = append(p.hashes, hash)
	}
	for i := range post.Accounts {
		c := &post.Accounts[i]
		a := c.home
		if a == nil {
			a = p.accounts[c.ID]
		}
		p.posted = append(p.posted, a)
		var seq uint64
		var head Hash
		if a != nil {
			seq, head = a.Seq, a.Head
		}
		if seq != c.Expect || head != c.Before {
			return ErrConflict
		}
	}
	for i := range post.Bindings {
		if !p.mayBind(&post.Bindings[i]) {
			return ErrConflict
		}
	}
	for i := range post.Accounts {
		p.posted[i] = p.head(p.posted[i], &post.Accounts[i])
		post.Accounts[i].home = p.posted[i]
	}
	for i := range post.Lots {
		l := &post.Lots[i]
		p.put(p.account(post, l.Account), l, post.opens(l))
	}
	for i := range post.Holds {
		p.account(post, post.Holds[i].Account).hold(&post.Holds[i])
	}
	for i := range post.Transactions {
		t := &post.Transactions[i]
		at := p.file(t, post.content(i, &p.buf))
		p.keys.put(p.hashes[i], at)
		if t.Of != "" {
			p.followers[t.Of] = append(p.followers[t.Of], at)
		}
		for j := range t.Links {
			a := p.account(post, t.Links[j].Account)
			a.transactions = append(a.transactions, at)
		}
	}
	for i := range post.Bindings {
		p.bind(post.Bindings[i])
	}
	return nil
}

// opens reports whether the posting brings the lot into its account: nobody
// can have used its key before.
func (post *Posting) opens(l *Lot) bool {
	for i := range post.Transactions {
		if post.Transactions[i].Key == l.Opened {
			return true
		}
	}
	return false
}

// account is an account that a posting is about.
func (p *memoryProgram) account(post *Posting, id string) *memoryAccount {
	for i := range post.Accounts {
		if post.Accounts[i].ID == id {
			return p.posted[i]
		}
	}
	return p.accounts[id]
}

// file puts a transaction on the shelf: what its seal hashed, then the hashes.
func (p *memoryProgram) file(t *Transaction, content []byte) place {
	at, room := p.records.room(len(content) + len(t.Links)*len(Hash{}))
	room = room[copy(room, content):]
	for i := range t.Links {
		room = room[copy(room, t.Links[i].Hash[:]):]
	}
	return at
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// head makes a, or a new account where there is none, what c says.
func (p *memoryProgram) head(a *memoryAccount, c *AccountChange) *memoryAccount {
	if a == nil {
		a = &memoryAccount{}
		a.Due = Forever
		p.accounts[c.ID] = a
		p.ids = append(p.ids, c.ID)
	}
	if !a.Due.Equal(c.Due) {
		delete(p.days[dayOf(a.Due)], c.ID)
		if c.Due.Before(Forever) {
			day := p.days[dayOf(c.Due)]
			if day == nil {
				day = make(map[string]*memoryAccount)
				p.days[dayOf(c.Due)] = day
			}
			day[c.ID] = a
		}
	}
	a.Account = c.Account
	a.Standings = slices.Clone(c.Standings)
	return a
}

// A row begins with its number in the account's list of open lots, from 1; zero
// is not open.
const listBytes = 4

// put keeps the row of a lot, in place of the one before unless it is a new one.
func (p *memoryProgram) put(m *memoryAccount, l *Lot, isNew bool) {
	p.buf.b = append(p.buf.b[:0], 0, 0, 0, 0)
	p.buf.row(l)
	row := p.buf.b
	hash := hashOfTwo(l.Account, l.ID)
	var at place
	if !isNew {
		at = p.row(l.Account, l.ID, hash)
	}
	var number uint32
	switch {
	case at == 0:
		at, _ = p.rows.room(len(row))
		p.lots.put(hash, at)
	case len(p.rows.at(at)) < len(row): // numbers have become longer: the old room is given up
		number = p.number(at)
		old := at
		at, _ = p.rows.room(len(row))
		p.lots.replace(hash, old, at)
		if number > 0 {
			m.open[number-1] = at
		}
	default:
		number = p.number(at)
	}
	copy(p.rows.at(at), row)
	p.setNumber(at, number)
	switch {
	case l.Remaining != 0 && number == 0:
		m.open = append(m.open, at)
		p.setNumber(at, uint32(len(m.open)))
	case l.Remaining == 0 && number > 0:
		last := len(m.open) - 1
		m.open[number-1] = m.open[last]
		p.setNumber(m.open[last], number)
		m.open = m.open[:last]
		p.setNumber(at, 0)
	}
}

func (p *memoryProgram) number(at place) uint32 { return binary.LittleEndian.Uint32(p.rows.at(at)) }

func (p *memoryProgram) setNumber(at place, n uint32) {
	binary.LittleEndian.PutUint32(p.rows.at(at), n)
}

func (m *memoryAccount) hold(h *Reservation) {
	m.holds = slices.DeleteFunc(m.holds, func(x Reservation) bool { return x.Key == h.Key })
	if h.Open() > 0 {
		m.holds = append(m.holds, *copyHold(h))
	}
}

func compareBindings(a, b Binding) int {
	return cmp.Or(strings.Compare(a.Account, b.Account), a.From.Compare(b.From))
}

func (p *memoryProgram) mayBind(b *Binding) bool {
	of := p.bindings[b.Profile]
	at, ok := slices.BinarySearchFunc(of, *b, compareBindings)
	if !ok {
		return b.Version == 1
	}
	return of[at].Version+1 == b.Version
}

func (p *memoryProgram) bind(b Binding) {
	of := p.bindings[b.Profile]
	at, ok := slices.BinarySearchFunc(of, b, compareBindings)
	switch {
	case ok && b.Until.IsZero():
		of = slices.Delete(of, at, at+1)
	case ok:
		of[at] = b
	default:
		of = slices.Insert(of, at, b)
	}
	if p.bindings[b.Profile] = of; len(of) == 0 {
		delete(p.bindings, b.Profile)
	}
	if p.bound[b.Account] == nil {
		p.bound[b.Account] = make(map[profile.ID]bool)
	}
	p.bound[b.Account][b.Profile] = true
	if !slices.ContainsFunc(of, func(x Binding) bool { return x.Account == b.Account }) {
		delete(p.bound[b.Account], b.Profile)
	}
}

// Entries implements [Store].
func (s *MemoryStore) Entries(ctx context.Context, program, account string, after uint64, limit int) ([]Transaction, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.find(program)
	if p == nil || p.accounts[account] == nil {
		return nil, nil
	}
	all := p.accounts[account].transactions
	if after >= uint64(len(all)) {
		return nil, nil
	}
	all = all[after:]
	all = all[:min(len(all), limit)]
	out := make([]Transaction, len(all))
	for i, t := range all {
		out[i] = p.transaction(t)
	}
	return out, nil
}

// Due implements [Store].
func (s *MemoryStore) Due(ctx context.Context, program string, now time.Time, after Account, limit int) ([]Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.find(program)
	if p == nil {
		return nil, nil
	}
	var days []int64
	for day, accounts := range p.days {
		if day <= dayOf(now) && len(accounts) > 0 && (after.ID == "" || day >= dayOf(after.Due)) {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	order := func(a, b Account) int { return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.ID, b.ID)) }
	var out []Account
	for _, day := range days {
		var some []Account
		for _, a := range p.days[day] {
			if !a.Due.After(now) && (after.ID == "" || order(a.Account, after) > 0) {
				some = append(some, a.head())
			}
		}
		slices.SortFunc(some, order)
		out = append(out, some[:min(len(some), limit-len(out))]...)
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// Accounts implements [Store].
func (s *MemoryStore) Accounts(ctx context.Context, program, after string, limit int) ([]Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock() // the list of IDs is sorted on demand
	defer s.mu.Unlock()
	p := s.find(program)
	if p == nil {
		return nil, nil
	}
	if p.sorted < len(p.ids) {
		slices.Sort(p.ids)
		p.sorted = len(p.ids)
	}
	at := sort.Search(len(p.ids), func(i int) bool { return p.ids[i] > after })
	var out []Account
	for _, id := range p.ids[at:min(at+limit, len(p.ids))] {
		out = append(out, p.accounts[id].head())
	}
	return out, nil
}

var _ Store = (*MemoryStore)(nil)
