package profile

import (
	"bytes"
	"slices"
	"sort"
	"time"
)

// graph is the state of a directory: events on evidence, evidence on profiles
// (clusters), and the identifiers that hold them together. The Directory's
// lock guards it.
type graph struct {
	rules *rules
	now   func() time.Time
	newID func() ID

	events   map[string]*record
	evidence map[EvidenceKey]*evidence
	nodes    map[name]*node
	anchors  map[ID]*evidence // nil for an ID that is gone

	traitIDs map[string]uint32
	traits   []trait
	sources  sources
	arrivals uint64
	epoch    uint64
	feed     feed
}

func newGraph(r *rules, now func() time.Time, newID func() ID, keep int) *graph {
	return &graph{
		rules: r, now: now, newID: newID,
		events:   map[string]*record{},
		evidence: map[EvidenceKey]*evidence{},
		nodes:    map[name]*node{},
		anchors:  map[ID]*evidence{},
		traitIDs: map[string]uint32{},
		sources:  sources{ids: map[string]uint32{}, ranks: r.sources},
		feed:     newFeed(keep),
	}
}

// record is an event in its place.
type record struct {
	event    Event
	at       int64
	seq      uint64
	evidence *evidence // nil once retracted
}

func compareRecords(a, b *record) int {
	if a.at != b.at {
		return compareInt(a.at, b.at)
	}
	switch {
	case a.event.ID < b.event.ID:
		return -1
	case a.event.ID > b.event.ID:
		return 1
	}
	return 0
}

// node is an identifier that some evidence holds.
type node struct {
	name
	home     *cluster    // nil where no evidence placed it
	since    int64       // first sight in home
	refusals []*refusal  // links to it that were refused
	holders  []*evidence // evidence that holds it without linking power of its own: looked up only, or blocked
	uses     int         // evidence records that hold it
	must     []*tie
	cannot   []*tie

	// The scratch state of the fold numbered epoch.
	epoch     uint64
	next      *cluster
	nextSince int64
}

// evidence is a distinct set of identifiers seen together, with all that was
// reported under it.
type evidence struct {
	key      EvidenceKey
	links    []*node // linking identifiers, root first
	others   []*node // looked up only, or blocked
	anchor   ID
	arrival  uint64
	first    int64 // least event time
	last     int64
	records  []*record // by time and ID
	traits   []candidate
	consents []consent
	verdicts []*refusal // links that were refused, in the order of links
	home     *cluster   // nil where every identifier is blocked
	unlinked *Decision  // took its linking power
	epoch    uint64     // of the fold whose scope it was last in
}

func (e *evidence) position() position { return position{e.first, e.key} }

// position orders evidence for folding.
type position struct {
	at  int64
	key EvidenceKey
}

func (p position) compare(q position) int {
	if p.at != q.at {
		return compareInt(p.at, q.at)
	}
	return bytes.Compare(p.key[:], q.key[:])
}

// cluster is a profile: evidence and the identifiers that it placed.
type cluster struct {
	evidence []*evidence
	nodes    []*node
	limits   *summary
	namer    *evidence // with the least arrival: its anchor is the profile's ID
	events   int
	first    int64
	last     int64
	golden   []candidate // by trait; nil while the traits of a sole evidence of one source are it
	latest   position    // greatest of evidence here and of refusals that aim here, or more
	epoch    uint64      // of the fold whose scope it was last in
}

func (c *cluster) id() ID {
	if c == nil || c.namer == nil {
		return ""
	}
	return c.namer.anchor
}

// hold adds evidence to the cluster.
func (c *cluster) hold(e *evidence) {
	if len(c.evidence) == 0 || e.first < c.first {
		c.first = e.first
	}
	if len(c.evidence) == 0 || e.last > c.last {
		c.last = e.last
	}
	if c.namer == nil || e.arrival < c.namer.arrival {
		c.namer = e
	}
	c.evidence = append(c.evidence, e)
	c.events += len(e.records)
	c.reach(e.position())
}

func (c *cluster) reach(p position) {
	if p.compare(c.latest) > 0 {
		c.latest = p
	}
}

// observe records a prepared event.
func (g *graph) observe(p *prepared) Receipt {
	r := Receipt{Event: p.event.ID, Refused: p.refused}
	if rec := g.events[p.event.ID]; rec != nil {
		return g.again(rec, p, r)
	}
	rec := &record{event: p.event, at: p.at}
	now := g.feed.clock(g.now())
	mode := p.event.Mode
	e := g.evidence[p.key]
	switch {
	case e == nil:
		e = g.newEvidence(p)
		r.Folded = g.arrive(e, now, mode)
	case p.at < e.first:
		r.Folded = g.advance(e, p.at, now, mode)
	}
	rec.evidence = e
	e.keep(rec)
	g.events[p.event.ID] = rec
	r.Evidence = e.key
	r.Profile = e.home.id()
	if c := e.home; c != nil {
		c.events++
		c.last = max(c.last, p.at)
		rec.seq = g.feed.add(change{kind: Observed, profile: r.Profile, event: rec.event.ID, at: now, mode: mode})
		r.Seq = rec.seq
	}
	var changed []uint32
	changed, r.RefusedTraits = g.report(e, rec)
	if len(changed) > 0 && e.home != nil {
		g.feed.add(change{kind: TraitChanged, profile: r.Profile, event: rec.event.ID, names: g.names(changed), at: now, mode: mode})
	}
	g.consent(e, rec)
	if len(p.event.Consents) > 0 && e.home != nil {
		g.feed.add(change{kind: ConsentActed, profile: r.Profile, event: rec.event.ID, at: now, mode: mode})
	}
	r.Refused = append(r.Refused, g.refusedLinks(e)...)
	return r
}

// again answers for an event whose ID is taken.
func (g *graph) again(rec *record, p *prepared, r Receipt) Receipt {
	if !sameContent(&rec.event, &p.event) {
		r.Err = ErrEventConflict
		return r
	}
	r.Duplicate = true
	r.Seq = rec.seq
	r.Evidence = rec.evidence.key
	r.Profile = rec.evidence.home.id()
	r.RefusedTraits = g.refusedTraits(&rec.event)
	r.Refused = append(r.Refused, g.refusedLinks(rec.evidence)...)
	return r
}

// keep inserts rec into the evidence's timeline.
func (e *evidence) keep(rec *record) {
	e.last = max(e.last, rec.at)
	if n := len(e.records); n == 0 || compareRecords(e.records[n-1], rec) < 0 {
		e.records = append(e.records, rec)
		return
	}
	i := sort.Search(len(e.records), func(i int) bool { return compareRecords(e.records[i], rec) > 0 })
	e.records = slices.Insert(e.records, i, rec)
}

func (g *graph) newEvidence(p *prepared) *evidence {
	g.arrivals++
	e := &evidence{key: p.key, anchor: g.newID(), arrival: g.arrivals, first: p.at, last: p.at}
	g.evidence[e.key] = e
	g.anchors[e.anchor] = e
	e.links = make([]*node, 0, len(p.names))
	for _, nm := range p.names {
		n := g.nodes[nm]
		if n == nil {
			n = &node{name: nm}
			g.nodes[nm] = n
		}
		n.uses++
		if nm.kind.Use == Links && !nm.kind.blocks(nm.value) {
			e.links = append(e.links, n)
			continue
		}
		n.holders = append(n.holders, e)
		e.others = append(e.others, n)
	}
	return e
}

// selfRooted reports whether evidence without linking identifiers is a profile
// of its own: one that can be looked up. What is only blocked belongs to nobody.
func (e *evidence) selfRooted() bool {
	for _, n := range e.others {
		if n.kind.Use == LooksUp && !n.kind.blocks(n.value) {
			return true
		}
	}
	return false
}

// refusedLinks are the identifiers of e that are blocked or were not linked.
func (g *graph) refusedLinks(e *evidence) []Refusal {
	var out []Refusal
	for _, n := range e.others {
		if n.kind.blocks(n.value) {
			out = append(out, Refusal{Identifier: n.identifier(), Reason: ReasonBlocked})
		}
	}
	for _, v := range e.verdicts {
		out = append(out, v.refusal())
	}
	return out
}
