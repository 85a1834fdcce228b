package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reconfigure puts the directory under other rules, as if it had never had
// others: every event is kept with its identifiers as they were reported, so
// kinds may be declared, dropped, blocked, limited and ranked anew, and another
// policy of a trait replays the timeline. Profiles keep their IDs by the usual
// rule, former IDs go on resolving, and the feed tells what merged, what split
// and which traits changed, marked [Backfill]. The [Outcome] says the same.
//
// It is refused, with [ErrConfig] and nothing changed, where a kind that stays
// would get another Normalizer or ByBrand, because erasures and consents are
// remembered under the values as they are; and where somebody declared about an
// identifier that would no longer link, or released one whose kind goes. An event none of whose
// identifiers is left stays, and belongs to nobody. An event that was refused at
// the door was not kept.
//
// The cost is that of observing all events again; writers and readers wait. Over
// a Store, which must be a [RulesStore] or the error is [errors.ErrUnsupported],
// all rows are read into memory and what differs is committed at once; stop the
// other processes on it before, and start them with the new rules after.
func (d *Directory) Reconfigure(ctx context.Context, to Rules) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store != nil {
		return d.reconfigureStored(ctx, to, true)
	}
	r, err := compileRules(to.into(d.config), d.rules())
	if err != nil {
		return Outcome{}, err
	}
	p, err := d.graph.under(r, d.newID)
	if err != nil {
		return Outcome{}, err
	}
	d.graph = p.install()
	d.config = to.into(d.config)
	d.present.Store(r)
	return p.outcome(), nil
}

// previewRules says what Reconfigure would do.
func (d *Directory) previewRules(ctx context.Context, to Rules) (Outcome, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.store != nil {
		return d.reconfigureStored(ctx, to, false)
	}
	r, err := compileRules(to.into(d.config), d.rules())
	if err != nil {
		return Outcome{}, err
	}
	p, err := d.graph.under(r, noID)
	if err != nil {
		return Outcome{}, err
	}
	return p.outcome(), nil
}

// noID stands for an ID that is not minted yet.
func noID() ID { return "" }

// reconfigureStored is Reconfigure, or without apply the preview of it, over a Store.
func (d *Directory) reconfigureStored(ctx context.Context, to Rules, apply bool) (Outcome, error) {
	store, ok := d.store.(RulesStore)
	if !ok {
		return Outcome{}, fmt.Errorf("profile: other rules over a Store that is no RulesStore: %w", errors.ErrUnsupported)
	}
	r, err := compileRules(to.into(d.config), d.rules())
	if err != nil {
		return Outcome{}, err
	}
	ids := minting{mint: d.newID}
	if !apply {
		ids.mint = noID
	}
	for {
		document, err := store.Rules(ctx)
		if err != nil {
			return Outcome{}, err
		}
		was, err := d.former(document)
		if err != nil {
			return Outcome{}, err
		}
		ids.next = 0
		s, err := d.openAll(ctx, store, was)
		if err != nil {
			return Outcome{}, err
		}
		p, err := s.graph.under(r, ids.id)
		if err != nil || !apply {
			return p.outcome(), err
		}
		s.graph = p.install()
		b := s.batch()
		if b.Rules = to.document(); b.Rules != document {
			b.FormerRules = document
		} else {
			b.Rules = ""
		}
		if err := d.store.Commit(ctx, b); errors.Is(err, ErrConflict) {
			continue
		} else if err != nil {
			return Outcome{}, err
		}
		d.config = to.into(d.config)
		d.present.Store(r)
		d.ruled.Store(true)
		return p.outcome(), nil
	}
}

// former are the rules under which a Store was resolved.
func (d *Directory) former(document string) (*rules, error) {
	if document == "" || document == rulesOf(d.config).document() {
		return d.rules(), nil
	}
	var was Rules
	if err := was.UnmarshalJSON([]byte(document)); err != nil {
		return nil, err
	}
	return compileRules(was.into(d.config), d.rules())
}

// openAll loads everything that says who is one customer.
func (d *Directory) openAll(ctx context.Context, store RulesStore, r *rules) (*session, error) {
	const page = 1024
	var keys []EvidenceKey
	for {
		var after EvidenceKey
		if len(keys) > 0 {
			after = keys[len(keys)-1]
		}
		more, err := store.Keys(ctx, after, page)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
		if len(more) < page {
			break
		}
	}
	rows, err := d.store.Load(ctx, Query{Evidence: keys})
	if err != nil {
		return nil, err
	}
	names, profiles, events := map[Name]bool{}, map[ID]bool{}, 0
	for _, row := range rows.Evidence {
		for _, n := range append(slices.Clip(row.Links), row.Holds...) {
			names[n] = true
			n.Era = ""
			names[n] = true
		}
		profiles[row.Profile] = true
		events += row.Events
	}
	delete(profiles, "")
	q := Query{
		Evidence: keys, Names: slices.Collect(maps.Keys(names)), Profiles: slices.Collect(maps.Keys(profiles)),
		HandOvers: true, Arrivals: events, // of new evidence there is no more than events
	}
	s, err := d.open(ctx, r, q, missing{records: keys}, noID)
	if err != nil {
		return nil, err
	}
	s.snapshot()
	return s, nil
}

// passing is a graph and what it becomes under other rules.
type passing struct {
	from, to *graph
	passages []passage
	groups   []group
	homes    map[*cluster][]*cluster // of what is, whose evidence it gets; nil for nobody's
}

// passage is the way of records from one evidence to one, which may be the same set.
type passage struct{ was, is *evidence }

// under folds all that a graph holds under other rules, from nothing. It leaves
// the graph as it is; both share the records of events.
func (g *graph) under(r *rules, mint func() ID) (*passing, error) {
	if err := g.rules.allows(r); err != nil {
		return &passing{}, err
	}
	h := newGraph(r, g.now, mint, 0, len(g.nodes.shards))
	h.events, h.words, h.arrivals, h.granted = g.events, g.words, g.arrivals, g.granted
	h.tombstones, h.erasedUntil, h.keepsOut, h.handOvers = g.tombstones, g.erasedUntil, g.keepsOut, g.handOvers
	h.stored, h.released = g.stored, g.released
	h.sources = g.sources.under(r.sources)
	for _, t := range g.traits {
		if t != nil {
			h.traitID(t.name)
		}
	}
	p := &passing{from: g, to: h}
	loose, err := p.decisions()
	if err != nil {
		return &passing{}, err
	}
	p.evidence()
	var linked []*evidence
	for _, e := range h.sorted() {
		h.replay(e)
		switch {
		case len(e.links) > 0:
			linked = append(linked, e)
		case e.selfRooted():
			e.home = &cluster{limits: noLimits}
			e.home.hold(e)
			h.buildGolden(e.home)
		}
	}
	f := fold{g: h, loose: loose}
	f.run(linked, nil, 0, Backfill)
	p.group()
	return p, nil
}

// allows reports what stands against other rules.
func (r *rules) allows(next *rules) error {
	for _, name := range slices.Sorted(maps.Keys(r.kinds)) {
		was, is := r.kinds[name], next.kinds[name]
		if is == nil {
			continue
		}
		if cmp.Or(was.Normalizer, "text") != cmp.Or(is.Normalizer, "text") || was.ByBrand != is.ByBrand {
			return fmt.Errorf("%w: Kinds: %s: Normalizer and ByBrand cannot change; "+
				"declare another kind, or feed a new directory with the events", ErrConfig, name)
		}
	}
	return nil
}

// decisions carries over what was declared about identifiers. It returns those
// that must-links tie.
func (p *passing) decisions() ([]*node, error) {
	var loose []*node
	var against []string // kinds that a declaration stands against
	for n := range p.from.nodes.all() {
		if releases := n.releases(); len(releases) > 0 {
			if same := p.place(n); same != nil {
				same.more().releases = slices.Clone(releases)
			} else {
				against = append(against, n.kind.Name)
			}
		}
		for _, t := range append(slices.Clip(n.must()), n.cannot()...) {
			if t.a != n {
				continue
			}
			var ends [2]*node
			for i, end := range [...]*node{t.a, t.b} {
				if ends[i] = p.place(end); ends[i] == nil || !ends[i].links() {
					against = append(against, end.kind.Name)
				}
			}
			if len(against) == 0 {
				loose = append(loose, p.tie(t, ends[0], ends[1])...)
			}
		}
	}
	if len(against) > 0 {
		return nil, fmt.Errorf("%w: Kinds: %s: a value that somebody declared about would no longer link; withdraw that first",
			ErrConfig, slices.Min(against))
	}
	slices.SortFunc(loose, func(a, b *node) int { return compareNames(a.name, b.name) })
	return loose, nil
}

// place is the node of an identifier under the other rules, nil where its kind is gone.
func (p *passing) place(n *node) *node {
	s, reason := p.to.rules.scopedKind(n.kind.full, "")
	if reason != 0 {
		return nil
	}
	nm := name{kind: s, value: n.value}
	same := p.to.findNode(nm)
	if same == nil {
		same = &node{}
		same.init(nm)
		p.to.addNode(same)
	}
	return same
}

// tie declares again; it returns the ends of a must-link.
func (p *passing) tie(t *tie, a, b *node) []*node {
	same := &tie{a: a, b: b, must: t.must, decision: t.decision}
	if compareNames(a.name, b.name) > 0 {
		same.a, same.b = b, a
	}
	for _, end := range [...]*node{a, b} {
		if t.must {
			end.more().must = append(end.more().must, same)
		} else {
			end.more().cannot = append(end.more().cannot, same)
		}
	}
	if !t.must {
		return nil
	}
	return []*node{a, b}
}

// evidence makes the evidence anew, from the identifiers as they were reported.
func (p *passing) evidence() {
	moved := map[*evidence]*evidence{} // where a former ID goes
	for _, e := range p.from.sorted() {
		begin := len(p.passages)
		var like *record
		var to *evidence
		for _, rec := range e.records {
			if to == nil || p.to.released || like.brand != rec.brand || !sameSlice(like.ids, rec.ids) {
				like, to = rec, p.home(rec)
				if !slices.Contains(p.passages[begin:], passage{e, to}) {
					p.passages = append(p.passages, passage{e, to})
				}
			}
			to.records = append(to.records, rec)
		}
		for i, way := range p.passages[begin:] {
			if i == 0 {
				moved[e] = way.is
				if way.is.anchor == "" {
					way.is.anchor, way.is.arrival = e.anchor, e.arrival
				}
			}
			if e.unlinked() || e.restricted() != nil {
				x := way.is.more()
				x.unlinked, x.restricted = cmp.Or(x.unlinked, e.extra.unlinked), cmp.Or(x.restricted, e.extra.restricted)
			}
		}
	}
	for id, e := range p.from.anchors.all() {
		p.to.anchors.set(id, moved[e])
	}
	for _, e := range slices.SortedFunc(maps.Values(p.to.evidence), func(a, b *evidence) int { return slices.Compare(a.key[:], b.key[:]) }) {
		slices.SortFunc(e.records, compareRecords)
		e.count = len(e.records)
		e.first, e.last = e.records[0].at, e.records[e.count-1].at
		if e.anchor == "" {
			e.anchor, e.arrival = p.to.newID(), p.to.nextArrival()
		}
		if e.anchor != "" {
			p.to.anchors.set(e.anchor, e)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.to.anchors.former)) {
		if e := p.to.anchors.former[id]; e != nil {
			e.more().formers = append(e.more().formers, id)
		}
	}
}

func sameSlice(a, b []Identifier) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// home finds or makes the evidence of a record.
func (p *passing) home(rec *record) *evidence {
	var names []name
	brand := p.to.words.names[rec.brand]
	for _, id := range rec.ids {
		nm, reason := p.to.rules.name(id, brand)
		if reason != 0 || nm.kind.Use == Kept {
			continue
		}
		if base := p.to.findNode(nm); base != nil && len(base.releases()) > 0 {
			nm = base.inEra(rec.at)
		}
		names = append(names, nm)
	}
	slices.SortFunc(names, compareNames)
	names = slices.Compact(names)
	key := evidenceKey(names)
	if e := p.to.evidence[key]; e != nil {
		return e
	}
	return p.to.hold(key, names)
}

// sorted is all evidence by arrival.
func (g *graph) sorted() []*evidence {
	return slices.SortedFunc(maps.Values(g.evidence), func(a, b *evidence) int { return compareInt(int64(a.arrival), int64(b.arrival)) })
}

// group gathers the evidence that goes from one profile to another.
func (p *passing) group() {
	index := map[[2]*cluster]int{}
	p.homes = map[*cluster][]*cluster{}
	for _, way := range p.passages {
		pair := [2]*cluster{way.was.home, way.is.home}
		i, ok := index[pair]
		if !ok {
			i = len(p.groups)
			index[pair] = i
			p.groups = append(p.groups, group{from: pair[0], to: pair[1], namer: way.is})
			p.homes[pair[1]] = append(p.homes[pair[1]], pair[0])
		}
		p.groups[i].size++
		if way.is.arrival < p.groups[i].namer.arrival {
			p.groups[i].namer = way.is
		}
	}
}

// install makes the other graph the one that holds the events, and tells the feed.
func (p *passing) install() *graph {
	h := p.to
	for _, e := range h.evidence {
		for _, rec := range e.records {
			rec.evidence = e
		}
	}
	h.feed = p.from.feed
	now := h.feed.clock(h.now())
	t := teller{g: h, now: now, mode: Backfill, told: map[ID]bool{}}
	for _, c := range p.clusters() {
		t.stand(c)
	}
	ordinary := slices.DeleteFunc(slices.Clone(p.groups), func(gr group) bool { return gr.from == nil || gr.to == nil })
	slices.SortFunc(ordinary, func(a, b group) int { return compareInt(int64(a.namer.arrival), int64(b.namer.arrival)) })
	t.regrouped(p.created(), ordinary, p.moves())
	for _, gr := range p.groups {
		switch {
		case gr.to == nil && gr.from != nil && !t.told[gr.from.id()]:
			t.tell(Unlinked, gr.from.id(), "")
		case gr.from == nil && gr.to != nil && !t.told[gr.to.id()]:
			t.tell(Linked, gr.to.id(), "")
		}
	}
	before := map[ID]*cluster{}
	for _, e := range p.from.evidence {
		if e.home != nil {
			before[e.home.id()] = e.home
		}
	}
	for _, c := range p.clusters() {
		if old := before[c.id()]; old != nil {
			h.compareGolden(c.id(), p.from.readings(old, now), h.readings(c, now), now, Backfill)
		}
	}
	return h
}

// clusters are the profiles that are, by arrival.
func (p *passing) clusters() []*cluster {
	out := slices.DeleteFunc(slices.Collect(maps.Keys(p.homes)), func(c *cluster) bool { return c == nil })
	slices.SortFunc(out, func(a, b *cluster) int { return compareInt(int64(a.arrival), int64(b.arrival)) })
	return out
}

// created are the profiles that hold nothing but what was nobody's.
func (p *passing) created() []*cluster {
	return slices.DeleteFunc(p.clusters(), func(c *cluster) bool {
		return slices.ContainsFunc(p.homes[c], func(was *cluster) bool { return was != nil })
	})
}

// moves are the identifiers that went from one profile to another, each pair once.
func (p *passing) moves() []move {
	all := map[move]bool{}
	add := func(from, to ID) {
		if from != to {
			all[move{from, to}] = true
		}
	}
	for n := range p.from.nodes.all() {
		var is *node
		if s, reason := p.to.rules.scopedKind(n.kind.full, ""); reason == 0 {
			is = p.to.findNode(name{kind: s, value: n.value})
		}
		switch {
		case is == nil:
			add(n.seenOn(), "")
		default:
			add(n.seenOn(), is.seenOn())
		}
		if n.answers() && (is == nil || !is.answers()) {
			for _, e := range n.holders() {
				add(e.home.id(), "")
			}
		}
	}
	for n := range p.to.nodes.all() {
		var was *node
		if s, reason := p.from.rules.scopedKind(n.kind.full, ""); reason == 0 {
			was = p.from.findNode(name{kind: s, value: n.value})
		}
		if was == nil {
			add("", n.seenOn())
		}
		if n.answers() && (was == nil || !was.answers()) {
			for _, e := range n.holders() {
				add("", e.home.id())
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), move.compare)
}

// readings are the golden values of a profile as they read at an instant.
func (g *graph) readings(c *cluster, at int64) []candidate {
	out := slices.Clone(c.traitsOf())
	for i := range out {
		out[i].val = g.traits[out[i].trait].valueAt(&out[i], at)
	}
	return out
}

// under are the same sources ranked anew.
func (s *sources) under(ranks map[string]int) sources {
	out := sources{names: s.names, ids: s.ids, ranks: ranks, ranked: make([]int, len(s.names))}
	for i, n := range s.names {
		out.ranked[i] = rankOf(ranks, n)
	}
	return out
}

func (m move) compare(o move) int {
	return cmp.Or(strings.Compare(string(m.from), string(o.from)), strings.Compare(string(m.to), string(o.to)))
}
