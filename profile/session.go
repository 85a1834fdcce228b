package profile

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A session runs decisions on the rows of a Store: it loads what they touch
// into a graph of its own, lets the same code run on it that runs on a
// directory in memory, and commits what differs afterwards. Where a decision
// needs more than was loaded, it says so and is run again.
type session struct {
	d     *Directory
	graph *graph
	now   time.Time

	evidence   map[EvidenceKey]EvidenceRow // as loaded
	names      map[Name]NameRow
	profiles   map[ID]ProfileRow
	anchors    map[ID]AnchorRow
	events     map[string]EventRow // as loaded
	stubs      map[ID]*cluster
	tombstones map[Hash]tombstone
	handOvers  int     // as loaded
	apart      []*node // with cannot-links that verdicts depend on
}

// missing is what a decision needs beyond what was loaded.
type missing struct {
	profiles []ID
	names    []Name
	evidence []EvidenceKey
	records  []EvidenceKey
	arrivals int

	tombstones []Hash
}

func (m *missing) any() bool {
	return len(m.profiles)+len(m.names)+len(m.evidence)+len(m.records)+len(m.tombstones)+m.arrivals > 0
}

// view runs a reader on the graph. It may run more than once.
func (d *Directory) view(ctx context.Context, q Query, read func(g *graph) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.store == nil {
		d.mu.RLock()
		defer d.mu.RUnlock()
		return read(d.graph)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if _, err := d.underRules(ctx); err != nil {
		return err
	}
	_, err := d.run(ctx, d.rules(), q, &minting{}, read)
	return err
}

// update runs a decision on the graph and commits it. It may run more than
// once; after an error nothing of it stays.
func (d *Directory) update(ctx context.Context, q Query, decide func(g *graph) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.store == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		return decide(d.graph)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	ids := minting{mint: d.newID}
	for {
		unwritten, err := d.underRules(ctx)
		if err != nil {
			return err
		}
		s, err := d.run(ctx, d.rules(), q, &ids, decide)
		if err != nil {
			return err
		}
		b := s.batch()
		if b.empty() {
			return nil
		}
		if unwritten {
			b.Rules = rulesOf(d.config).document()
		}
		if err := d.store.Commit(ctx, b); !errors.Is(err, ErrConflict) {
			if err == nil {
				d.ruled.Store(true)
			}
			return err
		}
	}
}

// run loads, runs, and loads more until nothing is missing.
func (d *Directory) run(ctx context.Context, r *rules, q Query, ids *minting, f func(g *graph) error) (*session, error) {
	var want missing
	for {
		ids.next = 0
		had := len(want.names)
		s, err := d.open(ctx, r, q, want, ids.id)
		if err != nil {
			return nil, err
		}
		for _, n := range s.apart {
			if n.stub {
				want.names = append(want.names, n.row())
			}
		}
		if len(want.names) > had {
			continue
		}
		s.snapshot()
		err = f(s.graph)
		more := s.graph.missing
		if !more.any() {
			return s, err
		}
		want.profiles = append(want.profiles, more.profiles...)
		want.names = append(want.names, more.names...)
		want.evidence = append(want.evidence, more.evidence...)
		want.records = append(want.records, more.records...)
		want.arrivals += more.arrivals
		want.tombstones = append(want.tombstones, more.tombstones...)
	}
}

// minting gives the same IDs again to a decision that runs again.
type minting struct {
	mint   func() ID
	minted []ID
	next   int
}

func (m *minting) id() ID {
	if m.next == len(m.minted) {
		m.minted = append(m.minted, m.mint())
	}
	m.next++
	return m.minted[m.next-1]
}

func (d *Directory) open(ctx context.Context, r *rules, q Query, want missing, newID func() ID) (*session, error) {
	q.Profiles = append(slices.Clip(q.Profiles), want.profiles...)
	q.Names = append(slices.Clip(q.Names), want.names...)
	q.Evidence = append(slices.Clip(q.Evidence), want.evidence...)
	q.Arrivals += want.arrivals
	q.Tombstones = append(slices.Clip(q.Tombstones), want.tombstones...)
	rows, err := d.store.Load(ctx, q)
	if err != nil {
		return nil, err
	}
	now := d.now()
	s := &session{
		d: d, now: now, graph: newGraph(r, func() time.Time { return now }, newID, 0, 1),
		evidence: map[EvidenceKey]EvidenceRow{}, names: map[Name]NameRow{}, profiles: map[ID]ProfileRow{},
		anchors: map[ID]AnchorRow{}, events: map[string]EventRow{}, stubs: map[ID]*cluster{},
		tombstones: map[Hash]tombstone{},
	}
	s.graph.stored = true
	s.hydrate(rows, q)
	for _, key := range want.records {
		if err := s.records(ctx, key); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// records loads the events of evidence.
func (s *session) records(ctx context.Context, key EvidenceKey) error {
	e := s.graph.evidence[key]
	if e == nil {
		return nil
	}
	page := TimelinePage{Evidence: key, Limit: 256}
	e.records = nil
	for {
		rows, err := s.d.store.Events(ctx, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			e.records = append(e.records, s.record(row))
		}
		if len(rows) < page.Limit {
			return nil
		}
		last := rows[len(rows)-1].Event
		page.AfterTime, page.AfterID = last.Time, last.ID
	}
}

func (s *session) hydrate(rows Rows, q Query) {
	g := s.graph
	g.arrivals = rows.Arrival - 1
	g.granted = g.arrivals + uint64(q.Arrivals)
	for _, h := range rows.HandOvers {
		g.addHandOver(h)
	}
	s.handOvers = len(g.handOvers)
	for _, row := range rows.Tombstones {
		g.bury(row.Hash, row.At.UnixMicro(), row.KeepOut)
		s.tombstones[row.Hash] = g.tombstones[row.Hash]
	}
	for _, row := range rows.Profiles {
		s.profile(row)
	}
	for _, row := range rows.Names {
		if nm, ok := s.name(row.Name); ok {
			s.node(nm, row)
		}
	}
	for _, row := range rows.Evidence {
		s.evidenceRow(row)
	}
	for _, row := range rows.Anchors {
		s.anchors[row.ID] = row
		g.anchors.set(row.ID, g.evidence[row.Evidence])
	}
	for _, row := range rows.Events {
		s.record(row)
	}
	g.askedEvidence = map[EvidenceKey]bool{}
	for _, key := range q.Evidence {
		g.askedEvidence[key] = true
	}
	for _, row := range rows.Evidence {
		g.askedEvidence[row.Key] = true
	}
	g.askedTombstones = map[Hash]bool{}
	for _, h := range q.Tombstones {
		g.askedTombstones[h] = true
	}
	g.askedNames = map[Name]bool{}
	for _, row := range rows.Names {
		g.released = g.released || len(row.Releases) > 0
	}
	for _, n := range q.Names { // what was asked for and is not there is absent
		g.askedNames[n] = true
		if nm, ok := s.name(n); ok && g.findNode(nm) != nil {
			g.findNode(nm).stub = false
		}
	}
	s.complete(q.Profiles)
}

// stub is the cluster of a profile, known by its ID alone at first.
func (s *session) stub(id ID) *cluster {
	if id == "" {
		return nil
	}
	c := s.stubs[id]
	if c == nil {
		c = &cluster{limits: noLimits, partial: true, parts: []ID{id}, anchor: id, golden: []candidate{}}
		s.stubs[id] = c
	}
	return c
}

func (s *session) profile(row ProfileRow) {
	s.profiles[row.ID] = row
	c := s.stub(row.ID)
	c.arrival = row.Arrival
	c.size, c.events = row.Evidence, row.Events
	c.first, c.last = row.First.UnixMicro(), row.Last.UnixMicro()
	c.latest = position{row.Latest.At.UnixMicro(), row.Latest.Evidence}
	c.limits = s.side(row.Side)
	c.golden = s.candidates(row.Traits)
}

// complete makes the clusters of profiles whole from what was loaded for them.
func (s *session) complete(profiles []ID) {
	whole := map[*cluster]bool{}
	for _, id := range profiles {
		if c := s.stubs[id]; c != nil && c.size > 0 {
			c.partial = false
			c.evidence, c.nodes = nil, nil
			whole[c] = true
		}
	}
	if len(whole) == 0 {
		return
	}
	for _, e := range s.graph.sorted() {
		if whole[e.home] {
			e.home.evidence = append(e.home.evidence, e)
		}
	}
	for n := range s.graph.nodes.all() {
		if whole[n.home] {
			n.home.nodes = append(n.home.nodes, n)
		}
	}
	for c := range whole {
		slices.SortFunc(c.nodes, func(a, b *node) int { return compareNames(a.name, b.name) })
	}
}

// name gives a row's name its kind; false for one that is not configured any more.
func (s *session) name(n Name) (name, bool) {
	k, reason := s.graph.rules.scopedKind(n.Kind, "")
	if reason != 0 {
		return name{}, false
	}
	value := n.Value
	if n.Era != "" {
		value += "\x00" + n.Era
	}
	return name{kind: k, value: value}, true
}

func (n name) row() Name {
	value, era, _ := strings.Cut(n.value, "\x00")
	return Name{Kind: n.kind.full, Value: value, Era: era}
}

// known is the node of a name, which may not have been loaded itself.
func (s *session) known(nm name) *node {
	if n := s.graph.findNode(nm); n != nil {
		return n
	}
	n := &node{stub: true}
	n.init(nm)
	s.graph.addNode(n)
	return n
}

func (s *session) node(nm name, row NameRow) {
	n := s.known(nm)
	n.stub = false
	n.uses = int32(row.Uses)
	n.home = s.stub(row.Profile)
	n.since = unseen
	if !row.Since.IsZero() {
		n.since = row.Since.UnixMicro()
	}
	if len(row.Releases) > 0 {
		n.more().releases = nil // a row may come twice
		for _, at := range row.Releases {
			n.extra.releases = append(n.extra.releases, at.UnixMicro())
		}
	}
	for _, t := range row.Ties {
		other, ok := s.name(t.Other)
		if !ok {
			continue
		}
		s.tie(n, s.known(other), t)
	}
	s.names[nm.row()] = row
}

// tie restores a declaration, which the rows of both identifiers hold.
func (s *session) tie(n, other *node, row TieRow) {
	list := func(n *node) *[]*tie {
		if row.Apart {
			return &n.more().cannot
		}
		return &n.more().must
	}
	if slices.ContainsFunc(*list(n), func(t *tie) bool { return t.other(n) == other }) {
		return
	}
	t := &tie{a: n, b: other, must: !row.Apart, decision: row.Decision, beaten: row.Beaten}
	if compareNames(n.name, other.name) > 0 {
		t.a, t.b = other, n
	}
	*list(n) = append(*list(n), t)
	*list(other) = append(*list(other), t)
}

func (s *session) evidenceRow(row EvidenceRow) {
	g := s.graph
	e := &evidence{
		key: row.Key, anchor: row.Anchor, arrival: row.Arrival, count: row.Events,
		first: row.First.UnixMicro(), last: row.Last.UnixMicro(), home: s.stub(row.Profile),
		traits: s.candidates(row.Traits),
	}
	for _, rn := range append(slices.Clip(row.Links), row.Holds...) {
		nm, ok := s.name(rn)
		if !ok {
			continue
		}
		n := s.known(nm)
		if nm.links() {
			e.links = append(e.links, n)
			continue
		}
		e.more().others = append(e.more().others, n)
		n.more().holders = append(n.more().holders, e)
	}
	slices.SortFunc(e.links, func(a, b *node) int { return compareNames(a.name, b.name) })
	for _, r := range row.Relations {
		e.more().relations = append(e.more().relations, relation{r.Act, r.At.UnixMicro(), r.Event})
	}
	for _, c := range row.Consents {
		e.more().consents = append(e.more().consents, consent{act: c.Act, at: c.At.UnixMicro(), event: c.Event})
	}
	for _, rr := range row.Refused {
		nm, ok := s.name(rr.Name)
		if !ok {
			continue
		}
		r := &refusal{evidence: e, node: s.known(nm)}
		r.reason = rr.Reason
		if rr.Limit != "" {
			if k, reason := s.graph.rules.scopedKind(rr.Limit, ""); reason == 0 {
				r.limit = k.limit
			}
		}
		if rr.Reason != ReasonUnlinked {
			r.near, r.far = s.side(rr.Near), s.side(rr.Far)
		}
		e.more().verdicts = append(e.more().verdicts, r)
		r.node.more().refusals = append(r.node.more().refusals, r)
	}
	if row.Unlinked != nil || row.Restricted != nil {
		e.more().unlinked, e.extra.restricted = row.Unlinked, row.Restricted
	}
	g.evidence[e.key] = e
	g.anchors.set(e.anchor, e)
	if len(row.Formers) > 0 {
		e.more().formers = slices.Clone(row.Formers)
		for _, id := range row.Formers {
			g.anchors.set(id, e)
		}
	}
	s.evidence[e.key] = row
}

func (s *session) side(row SideRow) *summary {
	if len(row.Values) == 0 && len(row.Apart) == 0 {
		return noLimits
	}
	out := &summary{}
	for _, v := range row.Values {
		nm, ok := s.name(v.Name)
		if !ok || nm.kind.limit == nil {
			continue
		}
		since := int64(unseen)
		if !v.Since.IsZero() {
			since = v.Since.UnixMicro()
		}
		out.entries = append(out.entries, entry{s.known(nm), since})
	}
	slices.SortFunc(out.entries, compareEntries)
	for _, n := range row.Apart {
		if nm, ok := s.name(n); ok {
			out.apart = append(out.apart, s.known(nm))
			s.apart = append(s.apart, s.known(nm))
		}
	}
	return out
}

func (s *session) candidates(rows []TraitRow) []candidate {
	g := s.graph
	out := make([]candidate, 0, len(rows))
	for _, row := range rows {
		c := candidate{
			trait: g.traitID(row.Name), src: g.sources.id(row.Source), val: row.Value,
			at: row.At.UnixMicro(), rec: &record{id: row.Event, at: row.At.UnixMicro()},
		}
		if row.Exact != "" {
			c.more = parseGathered(row.Exact)
		}
		if !g.traits[c.trait].sound(&c) {
			continue // kept under another policy; the events still say it
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		if a.trait != b.trait {
			return compareInt(int64(a.trait), int64(b.trait))
		}
		return compareInt(int64(a.src), int64(b.src))
	})
	return out
}

func (s *session) record(row EventRow) *record {
	g := s.graph
	e := g.evidence[row.Evidence]
	rec := &record{id: row.Event.ID}
	if !row.Retracted {
		rec = g.keepRecord(&prepared{event: &row.Event, at: row.Event.Time.UnixMicro(), consents: row.Event.Consents}, &evidence{})
		rec.evidence = e
	}
	g.events.remove(0, rec.id) // it may have come with another query
	g.events.put(0, rec.id, rec)
	s.events[rec.id] = row
	return rec
}

// snapshot notes the rows as the graph holds them, to tell what a decision changed.
func (s *session) snapshot() {
	for key := range s.evidence {
		row := s.graph.evidence[key].row()
		row.Version = s.evidence[key].Version
		s.evidence[key] = s.graph.describe(row, s.graph.evidence[key])
	}
	for id, row := range s.names {
		if nm, ok := s.name(id); ok {
			s.names[id] = s.graph.findNode(nm).nameRow(row.Version)
		}
	}
}

// batch is what differs from the snapshot. Every profile that was loaded is
// in it, changed or not, so that nobody else decides about it at the same time.
func (s *session) batch() Batch {
	g := s.graph
	var b Batch
	b.Moves = g.moves
	b.Changes = g.feed.all()
	homes := map[*cluster]bool{}
	for key, e := range g.evidence {
		was, loaded := s.evidence[key]
		row := g.describe(e.row(), e)
		row.Version = was.Version
		if e.home != nil && e.home.size > 0 {
			homes[e.home] = true
		}
		if !reflect.DeepEqual(row, was) {
			b.Evidence = append(b.Evidence, row)
		}
		if !loaded {
			b.Anchors = append(b.Anchors, g.anchorRow(e.anchor))
		}
	}
	for key, was := range s.evidence {
		if g.evidence[key] == nil {
			b.Evidence = append(b.Evidence, EvidenceRow{Key: key, Version: was.Version, Deleted: true})
			for _, id := range append([]ID{was.Anchor}, was.Formers...) {
				b.Anchors = append(b.Anchors, g.anchorRow(id))
			}
		} else if now := g.evidence[key].anchor; now != was.Anchor {
			b.Anchors = append(b.Anchors, g.anchorRow(was.Anchor), g.anchorRow(now))
		}
	}
	b.Anchors = append(b.Anchors, s.passing(b.Anchors)...)
	for n := range g.nodes.all() {
		if n.stub {
			continue
		}
		was := s.names[n.row()]
		if row := n.nameRow(was.Version); !reflect.DeepEqual(row, was) {
			b.Names = append(b.Names, row)
		}
		if n.home != nil && n.home.size > 0 {
			homes[n.home] = true
		}
	}
	for id, was := range s.names {
		if nm, ok := s.name(id); !ok || g.findNode(nm) == nil {
			b.Names = append(b.Names, NameRow{Name: id, Version: was.Version, Deleted: true})
		}
	}
	for c := range homes {
		row := g.profileRow(c)
		row.Version = s.profiles[row.ID].Version
		b.Profiles = append(b.Profiles, row)
	}
	stands := map[ID]bool{}
	for _, row := range b.Profiles {
		stands[row.ID] = true
	}
	for id, was := range s.profiles {
		if !stands[id] {
			b.Profiles = append(b.Profiles, ProfileRow{ID: id, Version: was.Version, Deleted: true})
		}
	}
	for rec := range g.events.all() {
		id := rec.id
		was, loaded := s.events[id]
		switch {
		case !loaded && rec.evidence == nil: // it came and went
			b.Events = append(b.Events, EventRow{Event: Event{ID: id}, Retracted: true})
		case !loaded:
			b.Events = append(b.Events, EventRow{Event: g.eventOf(rec), Evidence: rec.evidence.key})
		case rec.evidence == nil && !was.Retracted:
			b.Events = append(b.Events, EventRow{Event: Event{ID: id}, Retracted: true, Known: true})
		case rec.evidence != nil && (rec.evidence.key != was.Evidence || rec.stripped):
			b.Events = append(b.Events, EventRow{Event: g.eventOf(rec), Evidence: rec.evidence.key, Known: true})
		}
	}
	for h, t := range g.tombstones {
		if s.tombstones[h] != t {
			b.Tombstones = append(b.Tombstones, TombstoneRow{Hash: h, At: instant(t.at), KeepOut: t.keepOut})
		}
	}
	if len(g.handOvers) > s.handOvers {
		b.HandOvers = g.handOvers
	}
	b.sort()
	return b
}

// passing are the rows of IDs that came and went, so that they are known to be gone.
func (s *session) passing(told []AnchorRow) []AnchorRow {
	known := map[ID]bool{}
	for _, row := range told {
		known[row.ID] = true
	}
	var out []AnchorRow
	for id, e := range s.graph.anchors.all() {
		if _, loaded := s.anchors[id]; e == nil && !loaded && !known[id] {
			out = append(out, AnchorRow{ID: id})
		}
	}
	return out
}

// anchorRow says which evidence answers to an ID.
func (g *graph) anchorRow(id ID) AnchorRow {
	row := AnchorRow{ID: id}
	if e, _ := g.anchors.get(id); e != nil {
		row.Evidence = e.key
	}
	return row
}

func (b *Batch) empty() bool {
	return len(b.Moves) == 0 && len(b.Events) == 0 && len(b.Evidence) == 0 && len(b.Names) == 0 &&
		len(b.Anchors) == 0 && len(b.HandOvers) == 0 && len(b.Changes) == 0 && b.Rules == ""
}

// sort puts rows in the order of their keys, in which a Store may lock them.
func (b *Batch) sort() {
	slices.SortFunc(b.Events, func(x, y EventRow) int { return strings.Compare(x.Event.ID, y.Event.ID) })
	slices.SortFunc(b.Evidence, func(x, y EvidenceRow) int { return slices.Compare(x.Key[:], y.Key[:]) })
	slices.SortFunc(b.Names, func(x, y NameRow) int { return x.Name.compare(y.Name) })
	slices.SortFunc(b.Anchors, func(x, y AnchorRow) int { return strings.Compare(string(x.ID), string(y.ID)) })
	b.Anchors = slices.CompactFunc(b.Anchors, func(x, y AnchorRow) bool { return x.ID == y.ID })
	slices.SortFunc(b.Tombstones, func(x, y TombstoneRow) int { return slices.Compare(x.Hash[:], y.Hash[:]) })
	slices.SortFunc(b.Profiles, func(x, y ProfileRow) int { return strings.Compare(string(x.ID), string(y.ID)) })
}

func (n Name) compare(o Name) int {
	return slices.Compare([]string{n.Kind, n.Value, n.Era}, []string{o.Kind, o.Value, o.Era})
}
