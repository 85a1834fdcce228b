package journey

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Memory is a [Store] in memory. It is safe for concurrent use.
type Memory struct {
	mu          sync.Mutex
	instances   map[string]*InstanceRow
	effects     map[string]*EffectRow
	contacts    map[profile.ID]*ContactRow
	entries     map[EntryKey]*EntryRow
	inputs      map[string]*InputRow
	definitions map[DefinitionKey]*DefinitionRow
	open        map[profile.ID][]string // open instances, sorted as Lookup asks
	customers   map[profile.ID]*belongings
	history     []*Record // nil where erased
	byInstance  map[string][]int
	instanceSeq []*InstanceRow // nil where erased
	effectSeq   []*EffectRow
	contactSeq  []*ContactRow
	defSeq      []*DefinitionRow
	wakes       wakeHeap
}

// belongings are the keys of a customer's rows, for listing and erasure.
type belongings struct {
	instances, effects, history []int // positions in the sequences
	inputs                      []string
	entries                     []EntryKey
}

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{
		instances: map[string]*InstanceRow{}, effects: map[string]*EffectRow{}, contacts: map[profile.ID]*ContactRow{},
		entries: map[EntryKey]*EntryRow{}, inputs: map[string]*InputRow{}, definitions: map[DefinitionKey]*DefinitionRow{},
		open: map[profile.ID][]string{}, customers: map[profile.ID]*belongings{}, byInstance: map[string][]int{},
	}
}

// Clone is a copy that shares nothing with the store: a world to ask "what if" in.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMemory()
	c.inputs = maps.Clone(m.inputs) // rows of inputs and history are never changed
	c.history = slices.Clone(m.history)
	for k, v := range m.byInstance {
		c.byInstance[k] = slices.Clone(v)
	}
	for k, v := range m.open {
		c.open[k] = slices.Clone(v)
	}
	for id, b := range m.customers {
		c.customers[id] = &belongings{
			slices.Clone(b.instances), slices.Clone(b.effects), slices.Clone(b.history),
			slices.Clone(b.inputs), slices.Clone(b.entries),
		}
	}
	for _, row := range m.instanceSeq {
		c.instanceSeq = append(c.instanceSeq, copied(row))
		if row != nil {
			c.instances[row.Instance.ID] = c.instanceSeq[len(c.instanceSeq)-1]
		}
	}
	for _, row := range m.effectSeq {
		c.effectSeq = append(c.effectSeq, copied(row))
		if row != nil {
			c.effects[row.Effect.Key] = c.effectSeq[len(c.effectSeq)-1]
		}
	}
	for _, row := range m.contactSeq {
		c.contactSeq = append(c.contactSeq, copied(row))
		if row != nil {
			c.contacts[row.Customer] = c.contactSeq[len(c.contactSeq)-1]
		}
	}
	for _, row := range m.defSeq {
		c.defSeq = append(c.defSeq, copied(row))
		c.definitions[row.DefinitionKey] = c.defSeq[len(c.defSeq)-1]
	}
	for k, row := range m.entries {
		c.entries[k] = copied(row)
	}
	c.wakes = slices.Clone(m.wakes)
	return c
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, l Lookup) (Found, error) {
	if err := ctx.Err(); err != nil {
		return Found{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var f Found
	if l.Customer != "" {
		for _, id := range m.open[l.Customer] {
			f.Instances = append(f.Instances, *m.instances[id])
		}
		f.Contact = ContactRow{Customer: l.Customer}
		if row := m.contacts[l.Customer]; row != nil {
			f.Contact = *row
		}
	}
	for _, id := range l.Contacts {
		if row := m.contacts[id]; row != nil {
			f.Contacts = append(f.Contacts, *row)
		}
	}
	for _, k := range l.Entries {
		if row := m.entries[k]; row != nil {
			f.Entries = append(f.Entries, *row)
		}
	}
	f.Input = copied(m.inputs[l.Input])
	f.Instance = copied(m.instances[l.Instance])
	f.Effect = copied(m.effects[l.Effect])
	if d := l.Definition; d.Version != "" {
		f.Definition = copied(m.definitions[d])
	} else if d.Journey != "" {
		for _, row := range m.defSeq {
			if row.Journey == d.Journey && row.Current {
				f.Definition = copied(row)
			}
		}
	}
	return f, nil
}

// Commit implements [Store].
func (m *Memory) Commit(ctx context.Context, b *Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.conflict(b); err != nil {
		return err
	}
	for _, id := range b.Erase {
		m.erase(id)
	}
	for _, row := range b.Instances {
		m.putInstance(row)
	}
	for _, row := range b.Effects {
		m.putEffect(row)
	}
	for _, row := range b.Contacts {
		row.Version++
		if old := m.contacts[row.Customer]; old != nil {
			*old = row
			continue
		}
		m.contacts[row.Customer] = &row
		m.contactSeq = append(m.contactSeq, &row)
	}
	for _, row := range b.Entries {
		if row.Version++; row.Version == 1 {
			own := m.of(row.Customer)
			own.entries = append(own.entries, row.EntryKey)
		}
		m.entries[row.EntryKey] = &row
	}
	for _, row := range b.Definitions {
		row.RowVersion++
		if old := m.definitions[row.DefinitionKey]; old != nil {
			*old = row
			continue
		}
		m.definitions[row.DefinitionKey] = &row
		m.defSeq = append(m.defSeq, &row)
	}
	for _, row := range b.Inputs {
		m.inputs[row.ID] = &row
		own := m.of(row.Customer)
		own.inputs = append(own.inputs, row.ID)
	}
	for _, r := range b.History {
		own := m.of(r.Customer)
		own.history = append(own.history, len(m.history))
		m.byInstance[r.Instance] = append(m.byInstance[r.Instance], len(m.history))
		m.history = append(m.history, &r)
	}
	return nil
}

// conflict checks every version before anything is written.
func (m *Memory) conflict(b *Batch) error {
	stale := func(what string) error { return fmt.Errorf("%w: %s", ErrConflict, what) }
	for _, row := range b.Inputs {
		if m.inputs[row.ID] != nil {
			return stale("input")
		}
	}
	for _, row := range b.Instances {
		if old := m.instances[row.Instance.ID]; old == nil && row.Version != 0 || old != nil && old.Version != row.Version {
			return stale("instance")
		}
	}
	for _, row := range b.Effects {
		if old := m.effects[row.Effect.Key]; old == nil && row.Version != 0 || old != nil && old.Version != row.Version {
			return stale("effect")
		}
	}
	for _, row := range b.Contacts {
		if old := m.contacts[row.Customer]; old == nil && row.Version != 0 || old != nil && old.Version != row.Version {
			return stale("contact row")
		}
	}
	for _, row := range b.Entries {
		if old := m.entries[row.EntryKey]; old == nil && row.Version != 0 || old != nil && old.Version != row.Version {
			return stale("entry")
		}
	}
	for _, row := range b.Definitions {
		if old := m.definitions[row.DefinitionKey]; old == nil && row.RowVersion != 0 || old != nil && old.RowVersion != row.RowVersion {
			return stale("definition")
		}
	}
	return nil
}

func (m *Memory) of(id profile.ID) *belongings {
	b := m.customers[id]
	if b == nil {
		b = &belongings{}
		m.customers[id] = b
	}
	return b
}

func (m *Memory) putInstance(row InstanceRow) {
	row.Version++
	in := &row.Instance
	old := m.instances[in.ID]
	var was profile.ID // of the open index
	if old != nil && old.Instance.Open() {
		was = old.Instance.Customer
	}
	position := -1 // where it is new to its customer
	if old == nil {
		old = &InstanceRow{}
		m.instances[in.ID] = old
		position = len(m.instanceSeq)
		m.instanceSeq = append(m.instanceSeq, old)
	} else if old.Instance.Customer != in.Customer {
		position = slices.Index(m.instanceSeq, old)
	}
	woken := !old.Wake.Equal(row.Wake)
	*old = row
	if own := m.of(in.Customer); position >= 0 && !slices.Contains(own.instances, position) {
		own.instances = append(own.instances, position)
	}
	var is profile.ID
	if in.Open() {
		is = in.Customer
	}
	if was != is {
		if was != "" {
			ids := m.open[was]
			if i := slices.Index(ids, in.ID); i >= 0 {
				m.open[was] = slices.Delete(ids, i, i+1)
			}
			if len(m.open[was]) == 0 {
				delete(m.open, was)
			}
		}
		if is != "" {
			i, _ := slices.BinarySearchFunc(m.open[is], in, func(id string, in *Instance) int {
				return compareInstances(&m.instances[id].Instance, in)
			})
			m.open[is] = slices.Insert(m.open[is], i, in.ID)
		}
	}
	if woken && !row.Wake.IsZero() {
		m.wake(wake{row.Wake, 0, in.ID, false})
	}
}

// wake arms a timer and, now and then, clears out those that no longer hold.
func (m *Memory) wake(w wake) {
	if len(m.wakes) > 1024+2*(len(m.instances)+len(m.effects)) {
		kept := m.wakes[:0]
		for _, w := range m.wakes {
			if at := m.wakeOf(w); !at.IsZero() && at.Equal(w.at) {
				kept = append(kept, w)
			}
		}
		clear(m.wakes[len(kept):])
		slices.SortFunc(kept, func(a, b wake) int { // a sorted slice is a heap
			switch {
			case a.before(&b):
				return -1
			case b.before(&a):
				return 1
			}
			return 0
		})
		m.wakes = kept
	}
	m.wakes.push(w)
}

// wakeOf is the Wake of the row that a timer is for.
func (m *Memory) wakeOf(w wake) time.Time {
	if w.effect {
		if row := m.effects[w.key]; row != nil {
			return row.Wake
		}
	} else if row := m.instances[w.key]; row != nil {
		return row.Wake
	}
	return time.Time{}
}

// compareInstances orders the open instances of a customer.
func compareInstances(a, b *Instance) int {
	return cmp.Or(cmp.Compare(a.Journey, b.Journey), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Run, b.Run), cmp.Compare(a.ID, b.ID))
}

func (m *Memory) putEffect(row EffectRow) {
	row.Version++
	old := m.effects[row.Effect.Key]
	position := -1 // where it is new to its customer
	if old == nil {
		old = &EffectRow{}
		m.effects[row.Effect.Key] = old
		position = len(m.effectSeq)
		m.effectSeq = append(m.effectSeq, old)
	} else if old.Effect.Customer != row.Effect.Customer {
		position = slices.Index(m.effectSeq, old)
	}
	if own := m.of(row.Effect.Customer); position >= 0 && !slices.Contains(own.effects, position) {
		own.effects = append(own.effects, position)
	}
	woken := !old.Wake.Equal(row.Wake)
	*old = row
	if woken && !row.Wake.IsZero() {
		m.wake(wake{row.Wake, row.Effect.Priority, row.Effect.Key, true})
	}
}

func (m *Memory) erase(id profile.ID) {
	b := m.customers[id]
	delete(m.customers, id)
	if c := m.contacts[id]; c != nil {
		m.contactSeq[slices.Index(m.contactSeq, c)] = nil
		delete(m.contacts, id)
	}
	delete(m.open, id)
	if b == nil {
		return
	}
	for _, i := range b.instances {
		if row := m.instanceSeq[i]; row != nil && row.Instance.Customer == id {
			delete(m.instances, row.Instance.ID)
			m.instanceSeq[i] = nil
		}
	}
	for _, i := range b.effects {
		if row := m.effectSeq[i]; row != nil && row.Effect.Customer == id {
			delete(m.effects, row.Effect.Key)
			m.effectSeq[i] = nil
		}
	}
	for _, i := range b.history {
		if m.history[i] == nil { // purged
			continue
		}
		of := m.history[i].Instance
		m.history[i] = nil
		if m.byInstance[of] = slices.DeleteFunc(m.byInstance[of], func(j int) bool { return m.history[j] == nil }); len(m.byInstance[of]) == 0 {
			delete(m.byInstance, of)
		}
	}
	for _, k := range b.inputs {
		delete(m.inputs, k)
	}
	for _, k := range b.entries {
		delete(m.entries, k)
	}
}

// Purge implements [Store].
func (m *Memory) Purge(ctx context.Context, p Purge) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	if !p.Ended.IsZero() {
		gone, effects := map[string]bool{}, map[string][]int{}
		for _, row := range m.instanceSeq {
			if row != nil && row.Instance.Status == Ended && row.Instance.Customer != "" && row.Instance.EndedAt.Before(p.Ended) {
				gone[row.Instance.ID] = true
			}
		}
		for i, row := range m.effectSeq {
			if row == nil {
				continue
			}
			effects[row.Effect.Instance] = append(effects[row.Effect.Instance], i)
			if !row.State.Finished() || row.State == Dead {
				delete(gone, row.Effect.Instance)
			}
		}
		for i, row := range m.instanceSeq {
			if row == nil || !gone[row.Instance.ID] {
				continue
			}
			if n == max(p.Limit, 1) {
				return n, nil
			}
			n++
			m.instanceSeq[i] = nil
			m.forget(row.Instance.ID, effects[row.Instance.ID])
		}
	}
	for id, row := range m.inputs {
		if n == max(p.Limit, 1) {
			break
		}
		if row.At.Before(p.Inputs) {
			n++
			delete(m.inputs, id)
			own := m.of(row.Customer)
			own.inputs = slices.DeleteFunc(own.inputs, func(k string) bool { return k == id })
		}
	}
	for i, row := range m.effectSeq {
		if n == max(p.Limit, 1) {
			break
		}
		if row != nil && row.Effect.Instance == "" && row.State.Finished() && row.State != Dead && row.Effect.At.Before(p.Inputs) {
			n++
			m.effectSeq[i] = nil
			delete(m.effects, row.Effect.Key)
			m.byInstance[""] = slices.DeleteFunc(m.byInstance[""], func(j int) bool {
				of := m.history[j].Effect == row.Effect.Key
				if of {
					m.history[j] = nil
				}
				return of
			})
		}
	}
	return n, nil
}

// forget removes an instance that has ended, with its effects and history.
func (m *Memory) forget(instance string, effects []int) {
	delete(m.instances, instance)
	for _, i := range effects {
		delete(m.effects, m.effectSeq[i].Effect.Key)
		m.effectSeq[i] = nil
	}
	for _, i := range m.byInstance[instance] {
		m.history[i] = nil
	}
	delete(m.byInstance, instance)
}

// Claim implements [Store].
func (m *Memory) Claim(ctx context.Context, c Claim) ([]Due, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Due
	for len(out) < c.Limit {
		w, ok := m.peek()
		if !ok || w.at.After(c.Now) {
			break
		}
		m.wakes.pop()
		if w.effect {
			row := m.effects[w.key]
			row.Wake, row.Token = c.Until, c.Token
			row.Version++
			out = append(out, Due{At: w.at, Effect: copied(row)})
		} else {
			row := m.instances[w.key]
			row.Wake, row.Token = c.Until, c.Token
			row.Version++
			out = append(out, Due{At: w.at, Instance: copied(row)})
		}
		m.wakes.push(wake{c.Until, w.priority, w.key, w.effect})
	}
	return out, nil
}

// Next implements [Store].
func (m *Memory) Next(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w, _ := m.peek()
	return w.at, nil
}

// peek is the earliest wake that still holds; others are dropped on the way.
func (m *Memory) peek() (wake, bool) {
	for len(m.wakes) > 0 {
		w := m.wakes[0]
		if at := m.wakeOf(w); !at.IsZero() && at.Equal(w.at) {
			return w, true
		}
		m.wakes.pop()
	}
	return wake{}, false
}

// Page implements [Store].
func (m *Memory) Page(ctx context.Context, q Query) (Page, error) {
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var p Page
	var own *belongings
	if q.Customer != "" {
		own = m.of(q.Customer)
	}
	switch q.Kind {
	case InstancePage:
		var among []int
		if own != nil {
			among = own.instances
		}
		p.Instances, p.Next = page(m.instanceSeq, among, own != nil, q, func(r *InstanceRow) bool {
			return (q.Customer == "" || r.Instance.Customer == q.Customer) && (q.Journey == "" || r.Instance.Journey == q.Journey) && (q.Instance == "" || r.Instance.ID == q.Instance)
		})
	case EffectPage:
		var among []int
		if own != nil {
			among = own.effects
		}
		p.Effects, p.Next = page(m.effectSeq, among, own != nil, q, func(r *EffectRow) bool {
			return (q.Customer == "" || r.Effect.Customer == q.Customer) && (q.Journey == "" || r.Effect.Journey == q.Journey) && (q.Instance == "" || r.Effect.Instance == q.Instance)
		})
	case HistoryPage:
		var among []int
		switch {
		case q.Instance != "":
			among = m.byInstance[q.Instance]
		case own != nil:
			among = own.history
		}
		p.History, p.Next = page(m.history, among, own != nil || q.Instance != "", q, func(r *Record) bool {
			return (q.Journey == "" || r.Journey == q.Journey) && (q.Customer == "" || r.Customer == q.Customer)
		})
	case ContactPage:
		p.Contacts, p.Next = page(m.contactSeq, nil, false, q, func(r *ContactRow) bool {
			return q.Customer == "" || r.Customer == q.Customer
		})
	case DefinitionPage:
		p.Definitions, p.Next = page(m.defSeq, nil, false, q, func(r *DefinitionRow) bool {
			return q.Journey == "" || r.Journey == q.Journey
		})
	}
	return p, nil
}

// page walks a sequence, or the positions in it that are among, from a cursor on.
func page[T any](seq []*T, among []int, narrow bool, q Query, fits func(*T) bool) (rows []T, next string) {
	n := len(seq)
	if narrow {
		n = len(among)
	}
	from, _ := strconv.Atoi(q.After)
	for i := from; i < n; i++ {
		at := i
		if narrow {
			at = among[i]
		}
		if r := seq[at]; r != nil && fits(r) {
			if len(rows) == max(q.Limit, 1) {
				return rows, strconv.Itoa(i)
			}
			rows = append(rows, *r)
		}
	}
	return rows, ""
}

// wake is an entry of the timer heap. It holds only while the row's Wake is at.
type wake struct {
	at       time.Time
	priority int
	key      string
	effect   bool
}

func (w *wake) before(v *wake) bool {
	if c := w.at.Compare(v.at); c != 0 {
		return c < 0
	}
	if w.effect != v.effect {
		return v.effect
	}
	if w.priority != v.priority {
		return w.priority > v.priority
	}
	return w.key < v.key
}

// wakeHeap is a binary heap, earliest first.
type wakeHeap []wake

func (h *wakeHeap) push(w wake) {
	*h = append(*h, w)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].before(&s[up]) {
			break
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *wakeHeap) pop() {
	s := *h
	last := len(s) - 1
	s[0], s[last] = s[last], wake{}
	s = s[:last]
	*h = s
	for i := 0; ; {
		least := i
		for _, down := range [...]int{2*i + 1, 2*i + 2} {
			if down < len(s) && s[down].before(&s[least]) {
				least = down
			}
		}
		if least == i {
			return
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
