package profile

import (
	"math"
	"slices"
)

// fold decides the links of evidence in the order of its position. It works in
// place where nothing that it touches lies later, and else on scratch state
// that is installed once no verdict outside its scope flips any more.
type fold struct {
	g     *graph
	epoch uint64 // of the scratch state; 0 in place

	scope   []*cluster
	loose   []*node // in scope whether or not a cluster there has them
	records []*evidence
	nodes   []*node
	made    []*cluster
	wider   *cluster // whose turn it is to be folded as well

	verdicts map[*evidence][]*refusal
	updates  []update
	ties     []*tie
	beaten   []*tie

	merging  []golden // in place: the profiles that became one, as they were
	merged   bool
	observed *evidence // whose event caused the fold
}

// update is a new state of a link that stays refused, one end of it outside the scope.
type update struct {
	refusal   *refusal
	verdict   verdict
	near, far *summary
}

// golden is a profile's golden record at an instant.
type golden struct {
	id     ID
	traits []candidate
}

func (f *fold) home(n *node) *cluster {
	if f.epoch == 0 {
		return n.home
	}
	return n.next
}

func (f *fold) since(n *node) int64 {
	if f.epoch == 0 {
		return n.since
	}
	return n.nextSince
}

// put places an identifier that no cluster has.
func (f *fold) put(n *node, c *cluster, since int64) {
	if f.epoch == 0 {
		n.home, n.since = c, since
	} else {
		n.next, n.nextSince = c, since
	}
	c.nodes = append(c.nodes, n)
}

func (f *fold) found(n *node, since int64, room int) *cluster {
	var c *cluster
	if first := f.g.first; f.epoch == 0 && first != nil && n == &first.nodes[0] {
		c = &first.cluster
		c.nodes = first.placed[:0]
		c.limits = &first.limits
		c.limits.entries = first.entries[:0]
		c.limits.add(n, since)
	} else {
		c = &cluster{limits: summaryOf(n, since), nodes: make([]*node, 0, room)}
	}
	c.evidence = c.sole[:0]
	f.put(n, c, since)
	if f.epoch != 0 {
		f.made = append(f.made, c)
	}
	return c
}

// sight notes the first sight of an identifier that only a must-link had placed.
func (f *fold) sight(n *node, c *cluster, at int64) {
	if f.since(n) != unseen {
		return
	}
	if f.epoch == 0 {
		n.since = at
	} else {
		n.nextSince = at
	}
	c.limits = c.limits.seen(n, at)
}

// step places one evidence record: its root's cluster is its home, and each
// further identifier joins that cluster or is refused. It returns nil where a
// verdict flips for a cluster outside the scope, f.wider then.
func (f *fold) step(e *evidence) *cluster {
	root := e.links[0]
	c := f.home(root)
	if c == nil {
		c = f.found(root, e.first, len(e.links))
	}
	f.sight(root, c, e.first)
	for _, n := range e.links[1:] {
		if f.epoch != 0 && n.epoch != f.epoch {
			if !f.stays(e, n, c) {
				return nil
			}
			continue
		}
		if e.unlinked() {
			f.refuse(&refusal{verdict: verdict{reason: ReasonUnlinked}, evidence: e, node: n}, f.home(n))
			continue
		}
		far := f.home(n)
		if far == c {
			f.sight(n, c, e.first)
			continue
		}
		if far == nil && n.extra == nil && f.g.grows(c) {
			if n.kind.limit == nil || judge(c.limits, &summary{entries: []entry{{n, e.first}}}).reason == 0 {
				f.put(n, c, e.first)
				c.limits.add(n, e.first)
				continue
			}
			f.g.first = nil // the refusal keeps the limits as they are
		}
		limits := noLimits
		if far != nil {
			limits = far.limits
		} else if n.kind.limit != nil || n.extra != nil {
			limits = summaryOf(n, e.first)
		}
		if v := judge(c.limits, limits); v.reason != 0 {
			f.refuse(&refusal{verdict: v, evidence: e, node: n, near: c.limits, far: limits}, far)
			continue
		}
		if far == nil {
			f.put(n, c, e.first)
			c.limits = c.limits.join(limits)
			continue
		}
		c = f.merge(c, far)
		f.sight(n, c, e.first)
	}
	if f.epoch == 0 {
		f.g.materialize(c)
	}
	c.hold(e)
	return c
}

// grows reports whether a cluster's limits are its alone, and may change in place.
func (g *graph) grows(c *cluster) bool {
	return g.first != nil && c.limits == &g.first.limits
}

func (f *fold) refuse(r *refusal, far *cluster) {
	if f.epoch != 0 {
		f.verdicts[r.evidence] = append(f.verdicts[r.evidence], r)
		return
	}
	r.evidence.more().verdicts = append(r.evidence.more().verdicts, r)
	r.node.more().refusals = append(r.node.more().refusals, r)
	if far != nil {
		far.reach(r.evidence.position())
	}
}

// stays decides a link to an identifier outside the scope anew. It was
// refused, and the far side has not changed since: the witness tells it.
func (f *fold) stays(e *evidence, n *node, near *cluster) bool {
	i := slices.IndexFunc(e.verdicts(), func(r *refusal) bool { return r.node == n })
	r := e.verdicts()[i]
	if e.unlinked() {
		f.updates = append(f.updates, update{refusal: r, verdict: verdict{reason: ReasonUnlinked}})
	} else {
		v := judge(near.limits, r.far)
		if v.reason == 0 {
			f.wider = n.home
			return false
		}
		f.updates = append(f.updates, update{r, v, near.limits, r.far})
	}
	f.verdicts[e] = append(f.verdicts[e], r)
	return true
}

// recheck decides a link from outside the scope to an identifier in it anew.
func (f *fold) recheck(r *refusal) bool {
	var far *summary
	if c := f.home(r.node); c != nil {
		far = c.limits
	} else {
		far = summaryOf(r.node, r.evidence.first)
	}
	v := judge(r.near, far)
	if v.reason == 0 {
		f.wider = r.evidence.home
		return false
	}
	f.updates = append(f.updates, update{r, v, r.near, far})
	return true
}

// merge makes one cluster of two.
func (f *fold) merge(a, b *cluster) *cluster {
	if f.epoch == 0 {
		if !f.merged {
			f.note(a)
		}
		f.note(b)
		f.merged = true
	}
	if len(a.nodes)+a.size < len(b.nodes)+b.size {
		a, b = b, a
	}
	if f.epoch == 0 {
		f.mergeProfiles(a, b)
	}
	for _, n := range b.nodes {
		if f.epoch == 0 {
			n.home = a
		} else {
			n.next = a
		}
	}
	a.name(b.anchor, b.arrival)
	if b.size > 0 {
		if a.size == 0 {
			a.first, a.last = math.MaxInt64, math.MinInt64
		}
		a.first, a.last = min(a.first, b.first), max(a.last, b.last)
	}
	a.nodes = append(a.nodes, b.nodes...)
	a.evidence = append(a.evidence, b.evidence...)
	a.size += b.size
	a.partial = a.partial || b.partial
	a.parts = append(a.parts, b.parts...)
	a.limits = a.limits.join(b.limits)
	a.events += b.events
	a.reach(b.latest)
	*b = cluster{}
	return a
}

// note keeps what a profile was before it merged.
func (f *fold) note(c *cluster) {
	if c.size > 0 {
		f.merging = append(f.merging, golden{c.id(), slices.Clone(c.traitsOf())})
	}
}

// mergeProfiles moves the evidence of b to a, with its golden record.
func (f *fold) mergeProfiles(a, b *cluster) {
	if b.size == 0 {
		return
	}
	f.g.mergeGolden(a, b)
	for _, e := range b.evidence {
		e.home = a
	}
	if b.partial {
		f.g.rehome(b, a)
	}
}

// rehome moves what was loaded of a profile of a Store without the rest.
func (g *graph) rehome(from, to *cluster) {
	for _, e := range g.evidence {
		if e.home == from {
			e.home = to
		}
	}
	for n := range g.nodes.all() {
		if n.home == from {
			n.home = to
		}
	}
}

// arrive resolves new evidence. Where nothing that it touches lies after it,
// its own step is all there is to do; else what it touches is folded again. It
// returns the number of evidence records folded.
func (g *graph) arrive(e *evidence, now int64, mode Mode) int {
	if len(e.links) == 0 {
		if e.selfRooted() {
			e.home = &cluster{limits: noLimits}
			e.home.hold(e)
			g.feed.add(change{kind: Created, profile: e.anchor, at: now, mode: mode})
		}
		return 1
	}
	if !g.last(e) {
		f := fold{g: g, observed: e}
		f.touch(e)
		return f.run([]*evidence{e}, nil, now, mode)
	}
	f := fold{g: g}
	c := f.step(e)
	e.home = c
	id := c.id()
	if c.anchor == e.anchor {
		g.feed.add(change{kind: Created, profile: id, at: now, mode: mode})
	}
	for _, m := range f.merging {
		if m.id != id {
			g.moves = append(g.moves, Move{m.id, id})
			g.feed.add(change{kind: Merged, profile: id, other: m.id, at: now, mode: mode})
		}
	}
	for _, m := range f.merging {
		if m.id == id {
			g.compareGolden(id, m.traits, c.traitsOf(), now, mode)
		}
	}
	return 1
}

// last reports whether e lies after all that it touches.
func (g *graph) last(e *evidence) bool {
	at := e.position()
	for _, n := range e.links {
		if n.home != nil {
			if at.compare(n.home.latest) <= 0 {
				return false
			}
			continue
		}
		if len(n.must()) > 0 {
			return false // tied to others, and in no profile with them yet
		}
		for _, r := range n.refusals() {
			if at.compare(r.evidence.position()) <= 0 {
				return false
			}
		}
	}
	return true
}

// advance moves evidence to an earlier first sight and folds what it touches again.
func (g *graph) advance(e *evidence, at, now int64, mode Mode) int {
	e.first = at
	if len(e.links) == 0 {
		if e.home != nil {
			e.home.first = at
		}
		return 1
	}
	f := fold{g: g, observed: e}
	f.touch(e)
	return f.run(nil, nil, now, mode)
}

// touch puts the clusters of all identifiers of e into the scope.
func (f *fold) touch(e *evidence) {
	for _, n := range e.links {
		f.widen(n.home)
	}
}

func (f *fold) widen(c *cluster) {
	if c != nil && !slices.Contains(f.scope, c) {
		f.scope = append(f.scope, c)
	}
}

// run folds the scope again, with evidence added and without evidence removed,
// and widens it by the far side of every refused link whose verdict flips,
// until none does. It returns the number of evidence records folded.
func (f *fold) run(added, removed []*evidence, now int64, mode Mode) int {
	folded, done := f.resolve(added, removed)
	if done {
		f.install(removed, now, mode)
	}
	return folded
}

// resolve is run without installing the result, which is in the scratch state
// then; done is false where a Store has to be asked for more first.
func (f *fold) resolve(added, removed []*evidence) (folded int, done bool) {
	f.verdicts = map[*evidence][]*refusal{}
	for {
		for _, c := range f.scope {
			if c.partial {
				f.g.missing.profiles = append(f.g.missing.profiles, c.parts...)
			}
		}
		if f.g.missing.any() {
			return folded, false
		}
		f.g.epoch++
		f.epoch = f.g.epoch
		f.wider = nil
		f.records, f.nodes, f.made = f.records[:0], f.nodes[:0], f.made[:0]
		f.updates, f.ties, f.beaten = f.updates[:0], f.ties[:0], f.beaten[:0]
		clear(f.verdicts)
		done = f.collect(added, removed) && f.fold()
		folded += len(f.records)
		if f.g.missing.any() {
			return folded, false
		}
		if done {
			return folded, true
		}
		f.widen(f.wider)
	}
}

// collect gathers what is in scope. It returns false where a must-link leads out of it.
func (f *fold) collect(added, removed []*evidence) bool {
	for _, c := range f.scope {
		c.epoch = f.epoch
	}
	for _, e := range removed {
		e.epoch, e.removed = f.epoch, true
	}
	for _, e := range added {
		e.epoch = f.epoch
		f.records = append(f.records, e)
	}
	for _, c := range f.scope {
		for _, e := range c.evidence {
			if !e.removed {
				e.epoch = f.epoch
				f.records = append(f.records, e)
			}
		}
		for _, n := range c.nodes {
			if !f.enlist(n) {
				return false
			}
		}
	}
	for _, e := range f.records {
		for _, n := range e.links {
			if n.home == nil && !f.enlist(n) {
				return false
			}
		}
	}
	for _, n := range f.loose {
		if !f.enlist(n) {
			return false
		}
	}
	return true
}

// enlist puts an identifier in scope with all that must-links tie to it.
func (f *fold) enlist(n *node) bool {
	if n.epoch == f.epoch {
		return true
	}
	if n.stub {
		f.g.missing.names = append(f.g.missing.names, n.row())
		return false
	}
	n.epoch, n.next, n.nextSince = f.epoch, nil, 0
	f.nodes = append(f.nodes, n)
	for _, t := range n.must() {
		other := t.other(n)
		if other.home != nil && other.home.epoch != f.epoch {
			f.wider = other.home
			return false
		}
		if t.a == n {
			f.ties = append(f.ties, t)
		}
		if !f.enlist(other) {
			return false
		}
	}
	return true
}

// stage is one step of a fold: evidence in scope, or a link into the scope that
// was refused.
type stage struct {
	at       position
	evidence *evidence
	refusal  *refusal
}

// fold plays the scope: must-links, then evidence in order. It returns false
// where a verdict flips for a cluster outside, f.wider then.
func (f *fold) fold() bool {
	slices.SortFunc(f.ties, compareTies)
	for _, t := range f.ties {
		f.bind(t)
	}
	stages := make([]stage, 0, len(f.records))
	for _, e := range f.records {
		stages = append(stages, stage{at: e.position(), evidence: e})
	}
	for _, n := range f.nodes {
		for _, r := range n.refusals() {
			if r.evidence.epoch != f.epoch && r.reason != ReasonUnlinked {
				stages = append(stages, stage{at: r.evidence.position(), refusal: r})
			}
		}
	}
	slices.SortFunc(stages, func(a, b stage) int { return a.at.compare(b.at) })
	for _, s := range stages {
		if s.refusal != nil {
			if !f.recheck(s.refusal) {
				return false
			}
		} else if f.step(s.evidence) == nil {
			return false
		}
	}
	return true
}

// bind folds a must-link; only a cannot-link stands against it.
func (f *fold) bind(t *tie) {
	a, b := f.home(t.a), f.home(t.b)
	if a == nil {
		a = f.found(t.a, unseen, 2)
	}
	if b == nil {
		b = f.found(t.b, unseen, 2)
	}
	if a == b {
		return
	}
	if judge(&summary{apart: a.limits.apart}, &summary{apart: b.limits.apart}).reason != 0 {
		f.beaten = append(f.beaten, t)
		return
	}
	f.merge(a, b)
}

// install makes the scratch state the state, and tells the feed what became of
// the profiles.
func (f *fold) install(removed []*evidence, now int64, mode Mode) {
	for _, n := range f.nodes {
		n.forget(func(r *refusal) bool { return r.evidence.epoch == f.epoch })
	}
	for _, e := range removed {
		for _, r := range e.verdicts() {
			r.node.forget(func(x *refusal) bool { return x == r })
		}
	}
	for _, u := range f.updates {
		u.refusal.verdict, u.refusal.near, u.refusal.far = u.verdict, u.near, u.far
	}
	for _, e := range f.records {
		refusals := f.verdicts[e]
		if len(refusals) > 0 || len(e.verdicts()) > 0 {
			e.more().verdicts = refusals
		}
		for _, r := range refusals {
			if r.node.epoch == f.epoch {
				r.node.more().refusals = append(r.node.more().refusals, r)
			}
		}
	}
	for _, t := range f.ties {
		t.beaten = slices.Contains(f.beaten, t)
	}
	f.transitions(now, mode)
}
