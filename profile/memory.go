package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryStore is a [Store] in memory: for tests, and as the plainest example of
// one. A directory without any Store is faster. Safe for concurrent use.
type MemoryStore struct {
	mu       sync.Mutex
	version  uint64 // of the last row written
	arrivals uint64
	events   map[string]EventRow
	evidence map[EvidenceKey]EvidenceRow
	names    map[Name]NameRow
	anchors  map[ID]AnchorRow
	profiles map[ID]ProfileRow
	changes  []Change
	dropped  uint64 // changes before those here
	tombs    map[Hash]TombstoneRow
	handed   []HandOver
	rules    string

	evidenceOf map[ID]map[EvidenceKey]bool
	namesOf    map[ID]map[Name]bool
	heldBy     map[Name]map[EvidenceKey]bool // evidence that holds a name without linking it
	eventsOf   map[EvidenceKey]map[string]bool
}

// NewMemoryStore makes an empty MemoryStore.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{
		events: map[string]EventRow{}, evidence: map[EvidenceKey]EvidenceRow{}, names: map[Name]NameRow{},
		anchors: map[ID]AnchorRow{}, profiles: map[ID]ProfileRow{}, tombs: map[Hash]TombstoneRow{},
		evidenceOf: map[ID]map[EvidenceKey]bool{}, namesOf: map[ID]map[Name]bool{},
		heldBy: map[Name]map[EvidenceKey]bool{}, eventsOf: map[EvidenceKey]map[string]bool{},
	}
}

// Load implements [Store].
func (s *MemoryStore) Load(ctx context.Context, q Query) (Rows, error) {
	if err := ctx.Err(); err != nil {
		return Rows{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := loading{s: s, evidence: map[EvidenceKey]bool{}, names: map[Name]bool{}, profiles: map[ID]bool{}}
	l.rows.Arrival = s.arrivals + 1
	s.arrivals += uint64(q.Arrivals)
	for _, id := range slices.Compact(slices.Sorted(slices.Values(q.Events))) {
		if row, ok := s.events[id]; ok {
			l.rows.Events = append(l.rows.Events, row)
			l.addEvidence(row.Evidence)
		}
	}
	if q.HandOvers {
		l.rows.HandOvers = slices.Clone(s.handed)
	}
	for _, h := range q.Tombstones {
		if row, ok := s.tombs[h]; ok {
			l.rows.Tombstones = append(l.rows.Tombstones, row)
		}
	}
	for _, key := range q.Evidence {
		l.addEvidence(key)
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(q.Anchors))) {
		if row, ok := s.anchors[id]; ok {
			l.rows.Anchors = append(l.rows.Anchors, row)
			l.addEvidence(row.Evidence)
		}
	}
	for _, n := range q.Names {
		l.addName(n, true)
	}
	for _, id := range q.Profiles {
		l.addWhole(id)
	}
	return l.rows, nil
}

// loading gathers the rows of one Load, each once.
type loading struct {
	s        *MemoryStore
	rows     Rows
	evidence map[EvidenceKey]bool
	names    map[Name]bool
	profiles map[ID]bool
}

func (l *loading) addEvidence(key EvidenceKey) {
	row, ok := l.s.evidence[key]
	if !ok || l.evidence[key] {
		return
	}
	l.evidence[key] = true
	l.rows.Evidence = append(l.rows.Evidence, row)
	l.addProfile(row.Profile)
}

func (l *loading) addProfile(id ID) {
	row, ok := l.s.profiles[id]
	if !ok || l.profiles[id] {
		return
	}
	l.profiles[id] = true
	l.rows.Profiles = append(l.rows.Profiles, row)
}

func (l *loading) addName(n Name, withProfile bool) {
	row, ok := l.s.names[n]
	if !ok {
		return
	}
	if !l.names[n] {
		l.names[n] = true
		l.rows.Names = append(l.rows.Names, row)
		for _, t := range row.Ties {
			l.addName(t.Other, withProfile)
		}
	}
	if withProfile {
		l.addProfile(row.Profile)
	}
	if row.Profile == "" {
		for key := range l.s.heldBy[n] {
			l.addEvidence(key)
		}
	}
}

func (l *loading) addWhole(id ID) {
	l.addProfile(id)
	for key := range l.s.evidenceOf[id] {
		l.addEvidence(key)
		for _, n := range l.s.evidence[key].Holds {
			l.addName(n, false)
		}
	}
	for n := range l.s.namesOf[id] {
		l.addName(n, false)
		for key := range l.s.heldBy[n] {
			l.addEvidence(key)
		}
	}
}

// Commit implements [Store].
func (s *MemoryStore) Commit(ctx context.Context, b Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fits(b) {
		return ErrConflict
	}
	for _, m := range b.Moves {
		s.move(m)
	}
	for _, row := range b.Evidence {
		s.putEvidence(row)
	}
	for _, row := range b.Names {
		s.putName(row)
	}
	for _, row := range b.Profiles {
		if row.Deleted {
			delete(s.profiles, row.ID)
			continue
		}
		row.Version = s.next()
		s.profiles[row.ID] = row
	}
	for _, row := range b.Anchors {
		s.anchors[row.ID] = row
	}
	for _, row := range b.Events {
		if old, ok := s.events[row.Event.ID]; ok {
			delete(s.eventsOf[old.Evidence], row.Event.ID)
		}
		if !row.Retracted {
			insert(s.eventsOf, row.Evidence, row.Event.ID)
		}
		row.Known = false
		s.events[row.Event.ID] = row
	}
	for _, h := range b.HandOvers {
		if !slices.ContainsFunc(s.handed, func(o HandOver) bool { return compareHandOvers(o, h) == 0 }) {
			s.handed = append(s.handed, h)
		}
	}
	for _, row := range b.Tombstones {
		s.tombs[row.Hash] = row
	}
	for _, c := range b.Changes {
		c.Seq = s.dropped + uint64(len(s.changes)) + 1
		s.changes = append(s.changes, c)
	}
	if b.Rules != "" {
		s.rules = b.Rules
	}
	return nil
}

// fits reports whether every row of the batch is as it was read.
func (s *MemoryStore) fits(b Batch) bool {
	if b.Rules != "" && b.FormerRules != s.rules {
		return false
	}
	for _, row := range b.Evidence {
		if s.evidence[row.Key].Version != row.Version {
			return false
		}
	}
	for _, row := range b.Names {
		if s.names[row.Name].Version != row.Version {
			return false
		}
	}
	for _, row := range b.Profiles {
		if s.profiles[row.ID].Version != row.Version {
			return false
		}
	}
	for _, row := range b.Events {
		if _, known := s.events[row.Event.ID]; known != row.Known {
			return false
		}
	}
	return true
}

func (s *MemoryStore) next() uint64 {
	s.version++
	return s.version
}

func (s *MemoryStore) move(m Move) {
	for key := range s.evidenceOf[m.From] {
		row := s.evidence[key]
		row.Profile, row.Version = m.To, s.next()
		s.evidence[key] = row
		insert(s.evidenceOf, m.To, key)
	}
	for n := range s.namesOf[m.From] {
		row := s.names[n]
		row.Profile, row.Version = m.To, s.next()
		s.names[n] = row
		insert(s.namesOf, m.To, n)
	}
	delete(s.evidenceOf, m.From)
	delete(s.namesOf, m.From)
}

func (s *MemoryStore) putEvidence(row EvidenceRow) {
	old := s.evidence[row.Key]
	remove(s.evidenceOf, old.Profile, row.Key)
	for _, n := range old.Holds {
		remove(s.heldBy, n, row.Key)
	}
	if row.Deleted {
		delete(s.evidence, row.Key)
		return
	}
	row.Version = s.next()
	s.evidence[row.Key] = row
	if row.Profile != "" {
		insert(s.evidenceOf, row.Profile, row.Key)
	}
	for _, n := range row.Holds {
		insert(s.heldBy, n, row.Key)
	}
}

func (s *MemoryStore) putName(row NameRow) {
	remove(s.namesOf, s.names[row.Name].Profile, row.Name)
	if row.Deleted {
		delete(s.names, row.Name)
		return
	}
	row.Version = s.next()
	s.names[row.Name] = row
	if row.Profile != "" {
		insert(s.namesOf, row.Profile, row.Name)
	}
}

func insert[K, V comparable](m map[K]map[V]bool, k K, v V) {
	if m[k] == nil {
		m[k] = map[V]bool{}
	}
	m[k][v] = true
}

func remove[K, V comparable](m map[K]map[V]bool, k K, v V) {
	delete(m[k], v)
	if len(m[k]) == 0 {
		delete(m, k)
	}
}

// Events implements [Store].
func (s *MemoryStore) Events(ctx context.Context, p TimelinePage) ([]EventRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := map[EvidenceKey]bool{p.Evidence: true}
	if p.Profile != "" {
		keys = s.evidenceOf[p.Profile]
	}
	var rows []EventRow
	for key := range keys {
		for id := range s.eventsOf[key] {
			row := s.events[id]
			if c := row.Event.Time.Compare(p.AfterTime); c > 0 || c == 0 && id > p.AfterID {
				rows = append(rows, row)
			}
		}
	}
	slices.SortFunc(rows, func(a, b EventRow) int {
		if c := a.Event.Time.Compare(b.Event.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Event.ID, b.Event.ID)
	})
	return rows[:min(len(rows), p.Limit)], nil
}

// Changes implements [Store].
func (s *MemoryStore) Changes(ctx context.Context, after uint64, limit int) ([]Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if after < s.dropped {
		return nil, ErrCursorExpired
	}
	n := uint64(len(s.changes))
	from := min(after-s.dropped, n)
	return slices.Clone(s.changes[from:min(from+uint64(limit), n)]), nil
}

// PurgeChanges implements [Purger].
func (s *MemoryStore) PurgeChanges(ctx context.Context, before time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.changes, func(c Change) bool { return !c.RecordedAt.Before(before) })
	if n < 0 {
		n = len(s.changes)
	}
	s.changes = slices.Clone(s.changes[n:])
	s.dropped += uint64(n)
	return n, nil
}

// Scan implements [Store].
func (s *MemoryStore) Scan(ctx context.Context, after ID, limit int) ([]ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.profiles))
	i, found := slices.BinarySearch(ids, after)
	if found {
		i++
	}
	return ids[i:min(len(ids), i+limit)], nil
}

// Rules implements [RulesStore].
func (s *MemoryStore) Rules(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rules, nil
}

// Keys implements [RulesStore].
func (s *MemoryStore) Keys(ctx context.Context, after EvidenceKey, limit int) ([]EvidenceKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []EvidenceKey
	for key := range s.evidence {
		if bytes.Compare(key[:], after[:]) > 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b EvidenceKey) int { return bytes.Compare(a[:], b[:]) })
	return keys[:min(len(keys), limit)], nil
}

// MarshalJSON writes all that is in the store, for those who want to look.
func (s *MemoryStore) MarshalJSON() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := struct {
		Events     []EventRow     `json:"events"`
		Evidence   []EvidenceRow  `json:"evidence"`
		Names      []NameRow      `json:"names"`
		Anchors    []AnchorRow    `json:"anchors"`
		Profiles   []ProfileRow   `json:"profiles"`
		Tombstones []TombstoneRow `json:"tombstones"`
		HandOvers  []HandOver     `json:"hand_overs"`
		Changes    []Change       `json:"changes"`
	}{
		slices.Collect(maps.Values(s.events)), slices.Collect(maps.Values(s.evidence)), slices.Collect(maps.Values(s.names)),
		slices.Collect(maps.Values(s.anchors)), slices.Collect(maps.Values(s.profiles)), slices.Collect(maps.Values(s.tombs)), s.handed, s.changes,
	}
	return json.Marshal(rows)
}
