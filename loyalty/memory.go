package loyalty

import (
	"cmp"
	"context"
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
	packer    packer
}

// NewMemoryStore makes an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{programs: make(map[string]*memoryProgram)}
}

type memoryProgram struct {
	accounts  map[string]*memoryAccount
	ids       []string // of accounts, sorted up to the first sorted
	sorted    int
	shelf     shelf // of transactions
	keys      map[string]packed
	followers map[string][]packed
	days      map[int64]map[string]*memoryAccount // accounts with a due instant, by its day
	bindings  map[profile.ID][]Binding            // by account, start
	bound     map[string]map[profile.ID]bool      // profiles by account
}

type memoryAccount struct {
	Account
	open, closed lotSet[packedLot]
	holds        []Reservation // open ones
	transactions []packed
}

func (s *MemoryStore) program(name string) *memoryProgram {
	p, ok := s.programs[name]
	if !ok {
		p = &memoryProgram{
			accounts:  make(map[string]*memoryAccount),
			keys:      make(map[string]packed),
			followers: make(map[string][]packed),
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
			a.Accounts = append(a.Accounts, acc.contents())
		}
	}
	for _, key := range q.Keys {
		if t, ok := p.keys[key]; ok {
			r := Recorded{Transaction: p.shelf.transaction(t)}
			for _, f := range p.followers[key] {
				r.Followers = append(r.Followers, p.shelf.transaction(f))
			}
			a.Transactions = append(a.Transactions, r)
		}
	}
	for _, k := range q.Lots {
		if acc, ok := p.accounts[k.Account]; ok {
			if i := acc.open.find(k.Lot); i >= 0 {
				a.Lots = append(a.Lots, acc.open.lots[i].lot())
			} else if i := acc.closed.find(k.Lot); i >= 0 {
				a.Lots = append(a.Lots, acc.closed.lots[i].lot())
			}
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

func (m *memoryAccount) contents() Contents {
	c := Contents{Account: m.head()}
	if n := len(m.open.lots); n > 0 {
		c.Lots = make([]Lot, n)
		for i, l := range m.open.lots {
			c.Lots[i] = l.lot()
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
		errs[i] = s.program(postings[i].Program).commit(&postings[i], &s.packer)
	}
	return errs
}

func (p *memoryProgram) commit(post *Posting, pack *packer) error {
	for i := range post.Transactions {
		if _, ok := p.keys[post.Transactions[i].Key]; ok {
			return ErrDuplicate
		}
	}
	for i := range post.Accounts {
		var seq uint64
		var head Hash
		if a, ok := p.accounts[post.Accounts[i].ID]; ok {
			seq, head = a.Seq, a.Head
		}
		if seq != post.Accounts[i].Expect || head != post.Accounts[i].Before {
			return ErrConflict
		}
	}
	for i := range post.Bindings {
		if !p.mayBind(&post.Bindings[i]) {
			return ErrConflict
		}
	}
	for i := range post.Accounts {
		p.head(&post.Accounts[i])
	}
	for i := range post.Lots {
		l := &post.Lots[i]
		pack.reset()
		pack.lot(l)
		p.accounts[l.Account].put(l, pack.b)
	}
	for i := range post.Holds {
		p.accounts[post.Holds[i].Account].hold(&post.Holds[i])
	}
	for i := range post.Transactions {
		t := &post.Transactions[i]
		pack.reset()
		pack.transaction(t)
		at := p.shelf.put(pack.b)
		p.keys[t.Key] = at
		if t.Of != "" {
			p.followers[t.Of] = append(p.followers[t.Of], at)
		}
		for _, l := range t.Links {
			a := p.accounts[l.Account]
			a.transactions = append(a.transactions, at)
		}
	}
	for i := range post.Bindings {
		p.bind(post.Bindings[i])
	}
	return nil
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

func (p *memoryProgram) head(c *AccountChange) {
	a, ok := p.accounts[c.ID]
	if !ok {
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
}

// put keeps the row of a lot, in place of the one before.
func (m *memoryAccount) put(l *Lot, row []byte) {
	from, to := &m.open, &m.closed
	if l.Remaining != 0 {
		from, to = to, from
	}
	if i := to.find(l.ID); i >= 0 {
		to.lots[i] = append(to.lots[i][:0], row...)
		return
	}
	if i := from.find(l.ID); i >= 0 {
		from.remove(i)
	}
	to.put(l.ID, slices.Clone(row))
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
		out[i] = p.shelf.transaction(t)
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
