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

	events   index[*record] // by ID
	evidence map[EvidenceKey]*evidence
	nodes    index[*node] // by scoped kind and value
	anchors  anchors

	words           words
	traits          []*trait // by word; nil for a word that no trait had as name
	sources         sources
	arrivals        uint64
	granted         uint64        // of a Store, the last arrival number that may be used
	handOvers       []HandOver    // by time
	released        bool          // some value was
	askedNames      map[Name]bool // of a Store, what was loaded with its profile or found absent
	askedEvidence   map[EvidenceKey]bool
	askedTombstones map[Hash]bool
	tombstones      map[Hash]tombstone
	erasedUntil     int64  // the latest erasure
	keepsOut        bool   // an erasure keeps out
	stored          bool   // the graph is the part of a Store that a session loaded
	moves           []Move // of profiles merged in place
	missing         missing
	epoch           uint64
	first           *firstSight // of the evidence that is arriving
	feed            feed
}

func newGraph(r *rules, now func() time.Time, newID func() ID, keep, shards int) *graph {
	return &graph{
		rules: r, now: now, newID: newID,
		events:     newIndex[*record](shards),
		nodes:      newIndex[*node](shards),
		evidence:   map[EvidenceKey]*evidence{},
		anchors:    newAnchors(shards),
		tombstones: map[Hash]tombstone{},
		words:      words{ids: map[string]uint32{}},
		sources:    sources{ids: map[string]uint32{}, ranks: r.sources},
		feed:       newFeed(keep),
	}
}

// node is an identifier that some evidence holds.
type node struct {
	name
	short [maxShort]byte // the value again where it fits: a look-up that compares it here waits for memory once less
	home  *cluster       // nil where no evidence placed it
	since int64          // first sight in home
	extra *nodeExtra
	uses  int32 // evidence records that hold it
	stub  bool  // of a Store, not loaded

	// The scratch state of the fold numbered epoch.
	epoch     uint64
	next      *cluster
	nextSince int64
}

// maxShort is the length of nearly all phone numbers, card numbers, tokens and IDs.
const maxShort = 32

func (n *node) init(nm name) {
	n.name = nm
	copy(n.short[:], nm.value)
}

// is makes a node an entry of an index.
func (n *node) is(kind int, value string) bool {
	if n.kind.index != kind || len(n.value) != len(value) {
		return false
	}
	if len(value) <= maxShort {
		return string(n.short[:len(value)]) == value
	}
	return n.value == value
}

// nodeExtra is what few nodes have.
type nodeExtra struct {
	refusals []*refusal  // links to it that were refused
	holders  []*evidence // evidence that it does not link: looked up only, or blocked
	must     []*tie
	cannot   []*tie
	releases []int64 // when the value came to somebody else, in order
}

func (n *node) more() *nodeExtra {
	if n.extra == nil {
		n.extra = &nodeExtra{}
	}
	return n.extra
}

func (n *node) refusals() []*refusal {
	if n.extra == nil {
		return nil
	}
	return n.extra.refusals
}

func (n *node) holders() []*evidence {
	if n.extra == nil {
		return nil
	}
	return n.extra.holders
}

func (n *node) must() []*tie {
	if n.extra == nil {
		return nil
	}
	return n.extra.must
}

func (n *node) cannot() []*tie {
	if n.extra == nil {
		return nil
	}
	return n.extra.cannot
}

// evidence is a distinct set of identifiers seen together, with all that was
// reported under it.
type evidence struct {
	key     EvidenceKey
	links   []*node // linking identifiers, root first
	anchor  ID
	arrival uint64
	first   int64 // least event time
	last    int64
	records []*record  // by time and ID; of a Store, those at hand
	sole    [1]*record // the memory of records, as long as there is one
	count   int        // events
	traits  []candidate
	home    *cluster // nil where every identifier is blocked
	extra   *evidenceExtra
	epoch   uint64 // of the fold whose scope it was last in
	removed bool   // is leaving the graph
}

// evidenceExtra is what few evidence records have.
type evidenceExtra struct {
	others     []*node    // looked up only, or blocked
	verdicts   []*refusal // links that were refused, in the order of links
	consents   []consent
	relations  []relation
	formers    []ID      // IDs of evidence that went into it
	unlinked   *Decision // took its linking power
	restricted *Decision // stopped its processing
}

func (e *evidence) more() *evidenceExtra {
	if e.extra == nil {
		e.extra = &evidenceExtra{}
	}
	return e.extra
}

func (e *evidence) others() []*node {
	if e.extra == nil {
		return nil
	}
	return e.extra.others
}

func (e *evidence) verdicts() []*refusal {
	if e.extra == nil {
		return nil
	}
	return e.extra.verdicts
}

func (e *evidence) consents() []consent {
	if e.extra == nil {
		return nil
	}
	return e.extra.consents
}

// formers are the IDs of evidence that went into e.
func (e *evidence) formers() []ID {
	if e.extra == nil {
		return nil
	}
	return e.extra.formers
}

func (e *evidence) unlinked() bool { return e.extra != nil && e.extra.unlinked != nil }

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
	anchor   ID     // the profile's ID: of the evidence with the least arrival; empty without evidence
	arrival  uint64 // of that evidence
	evidence []*evidence
	sole     [1]*evidence // the memory of evidence, as long as there is one
	nodes    []*node
	size     int // evidence records, also where they are not loaded
	limits   *summary
	events   int
	first    int64
	last     int64
	golden   []candidate // by trait; nil while the traits of a sole evidence of one source are it
	latest   position    // greatest of evidence here and of refusals that aim here, or more
	epoch    uint64      // of the fold whose scope it was last in
	partial  bool        // of a Store, without its evidence and identifiers
	parts    []ID        // of a Store, the profiles that it was loaded as
}

func (c *cluster) id() ID {
	if c == nil {
		return ""
	}
	return c.anchor
}

// hold adds evidence to the cluster.
func (c *cluster) hold(e *evidence) {
	if c.size == 0 || e.first < c.first {
		c.first = e.first
	}
	if c.size == 0 || e.last > c.last {
		c.last = e.last
	}
	c.name(e.anchor, e.arrival)
	c.evidence = append(c.evidence, e)
	c.size++
	c.events += e.count
	c.reach(e.position())
}

// name makes an anchor the profile's ID if none came earlier.
func (c *cluster) name(anchor ID, arrival uint64) {
	if anchor != "" && (c.anchor == "" || arrival < c.arrival) {
		c.anchor, c.arrival = anchor, arrival
	}
}

func (c *cluster) reach(p position) {
	if p.compare(c.latest) > 0 {
		c.latest = p
	}
}

// observe records a prepared event.
func (g *graph) observe(p *prepared, refused []Refusal) Receipt {
	r := Receipt{Event: p.event.ID, Refused: slices.Clip(refused)}
	if rec := g.events.get(0, r.Event); rec != nil {
		return g.again(rec, p, r)
	}
	if g.released {
		names, key, ok := g.settle(p)
		if !ok {
			return r
		}
		settled := *p
		settled.names, settled.key = names, key
		p = &settled
	}
	if g.rules.retention.visitors > 0 && p.event.Mode == Live && !g.lapse(p) {
		return r
	}
	e := g.evidence[p.key]
	if len(g.tombstones) > 0 && (p.at <= g.erasedUntil || g.keepsOut && e == nil) {
		if refusal, ok := g.buried(p); ok {
			r.Refused = append(r.Refused, refusal)
			r.Err = ErrErased
			return r
		}
	}
	now := g.feed.clock(p.now)
	mode := p.event.Mode
	switch {
	case e == nil:
		e = g.newEvidence(p)
		r.Folded = g.arrive(e, now, mode)
	case p.at < e.first:
		r.Folded = g.advance(e, p.at, now, mode)
	}
	rec := g.keepRecord(p, e)
	g.strip(rec, p.now.UnixMicro())
	e.keep(rec)
	g.events.put(0, rec.id, rec)
	r.Evidence = e.key
	r.Profile = e.home.id()
	if c := e.home; c != nil {
		c.events++
		c.last = max(c.last, p.at)
		rec.seq = g.feed.add(change{kind: Observed, profile: r.Profile, event: rec.id, at: now, mode: mode})
		if g.stored {
			rec.seq = 0 // the Store numbers
		}
		r.Seq = rec.seq
	}
	if rec.traits != "" {
		var stack [16]uint32
		changed := g.report(e, rec, stack[:0])
		if len(changed) > 0 && e.home != nil {
			g.feed.add(change{kind: TraitChanged, profile: r.Profile, event: rec.id, names: g.names(changed), at: now, mode: mode})
		}
		r.RefusedTraits = g.refusedTraits(rec)
	}
	if len(p.consents) > 0 {
		e.consent(rec)
		if e.home != nil {
			g.feed.add(change{kind: ConsentActed, profile: r.Profile, event: rec.id, at: now, mode: mode})
		}
	}
	e.relate(rec)
	r.Refused = e.refused(r.Refused)
	return r
}

// again answers for an event whose ID is taken.
func (g *graph) again(rec *record, p *prepared, r Receipt) Receipt {
	if rec.evidence == nil || g.over(rec.evidence.home, p.now.UnixMicro()) || g.nobodys(rec.evidence, p.now.UnixMicro()) {
		r.Duplicate, r.Retracted = true, true
		return r
	}
	if !g.sameContent(rec, p) {
		r.Err = ErrEventConflict
		return r
	}
	r.Duplicate = true
	r.Seq = rec.seq
	r.Evidence = rec.evidence.key
	r.Profile = rec.evidence.home.id()
	r.RefusedTraits = g.refusedTraits(rec)
	r.Refused = rec.evidence.refused(r.Refused)
	return r
}

// keep inserts rec into the evidence's timeline.
func (e *evidence) keep(rec *record) {
	e.last = max(e.last, rec.at)
	e.count++
	if n := len(e.records); n == 0 || compareRecords(e.records[n-1], rec) < 0 {
		e.records = append(e.records, rec)
		return
	}
	i := sort.Search(len(e.records), func(i int) bool { return compareRecords(e.records[i], rec) > 0 })
	e.records = slices.Insert(e.records, i, rec)
}

func (g *graph) newEvidence(p *prepared) *evidence {
	e := g.hold(p.key, p.names)
	e.anchor, e.arrival = g.newID(), g.nextArrival()
	e.first, e.last = p.at, p.at
	g.anchors.add(e)
	return e
}

// nextArrival is the next arrival number, of a Store one of those that it granted.
func (g *graph) nextArrival() uint64 {
	g.arrivals++
	if g.stored && g.arrivals > g.granted {
		g.missing.arrivals++
	}
	return g.arrivals
}

// hold makes evidence of names in the order of linking, without anchor and events.
func (g *graph) hold(key EvidenceKey, names []name) *evidence {
	var known [8]*node
	nodes, fresh := known[:0], 0
	for _, nm := range names {
		n := g.findNode(nm)
		if n == nil {
			fresh++
		}
		nodes = append(nodes, n)
	}
	var e *evidence
	var room []node
	if g.first = nil; fresh == len(names) && fresh <= firstNames {
		g.first = &firstSight{}
		e, room = &g.first.evidence, g.first.nodes[:0]
		e.links = g.first.links[:0]
	} else {
		e, room = &evidence{}, make([]node, 0, fresh)
		e.links = make([]*node, 0, len(names))
	}
	e.key = key
	g.evidence[key] = e
	e.records = e.sole[:0]
	for i, nm := range names {
		n := nodes[i]
		if n == nil {
			room = room[:len(room)+1]
			n = &room[len(room)-1]
			n.init(nm)
			g.addNode(n)
		}
		n.uses++
		if nm.links() {
			e.links = append(e.links, n)
			continue
		}
		n.more().holders = append(n.more().holders, e)
		e.more().others = append(e.more().others, n)
	}
	return e
}

func (g *graph) addNode(n *node) { g.nodes.put(n.kind.index, n.value, n) }

func (g *graph) findNode(nm name) *node { return g.nodes.get(nm.kind.index, nm.value) }

// firstSight is all that a customer seen for the first time takes, in one piece
// of memory: most have few identifiers, and what is used together lies together.
type firstSight struct {
	nodes    [firstNames]node
	cluster  cluster
	evidence evidence
	record   record
	links    [firstNames]*node
	placed   [firstNames]*node
	limits   summary
	entries  [firstNames]entry
}

// firstNames is the most identifiers of a firstSight.
const firstNames = 3

// selfRooted reports whether evidence without linking identifiers is a profile
// of its own: one that can be looked up. What is only blocked belongs to nobody.
func (e *evidence) selfRooted() bool {
	return slices.ContainsFunc(e.others(), (*node).answers)
}

// links reports whether a name ties evidence together.
func (n name) links() bool { return n.kind.Use == Links && !n.blocked() }

// answers reports whether n only looks up, and is not blocked.
func (n *node) answers() bool { return n.kind.Use == LooksUp && !n.blocked() }

// refused appends the identifiers of e that are blocked or were not linked.
func (e *evidence) refused(out []Refusal) []Refusal {
	if e.extra == nil {
		return out
	}
	for _, n := range e.extra.others {
		if n.blocked() {
			out = append(out, Refusal{Identifier: n.identifier(), Reason: ReasonBlocked})
		}
	}
	for _, v := range e.extra.verdicts {
		out = append(out, v.refusal())
	}
	return out
}

// forget drops refusals that aim at n.
func (n *node) forget(gone func(*refusal) bool) {
	if n.extra != nil {
		n.extra.refusals = slices.DeleteFunc(n.extra.refusals, gone)
	}
}
