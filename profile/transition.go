package profile

import "slices"

// group is the evidence that went from one cluster to another in a fold.
type group struct {
	from, to *cluster
	namer    *evidence
	size     int
}

// transitions installs the clusters of a fold and tells the feed what became
// of the profiles: evidence that moved together is told as a split by its
// earliest anchor, a merge, or both where it left one profile for another; an
// identifier that moved without evidence as unlinked or linked.
func (f *fold) transitions(now int64, mode Mode) {
	t := teller{g: f.g, now: now, mode: mode, told: map[ID]bool{}}
	groups, created := f.groups()
	for _, e := range f.records {
		e.home = e.links[0].next
	}
	moves := f.moves()
	if f.observed != nil {
		t.told[f.observed.home.id()] = true // its Observed row follows
	}
	for _, n := range f.nodes {
		for _, r := range n.refusals() {
			if n.home != nil {
				n.home.reach(r.evidence.position())
			}
		}
	}
	for _, c := range f.made {
		t.stand(c)
	}
	t.regrouped(created, groups, moves)
	t.traits(f, groups)
}

// teller writes what became of the profiles to the feed.
type teller struct {
	g      *graph
	now    int64
	mode   Mode
	told   map[ID]bool // whom a row named
	stands map[ID]bool // which profiles are
}

func (t *teller) stand(c *cluster) {
	if t.stands == nil {
		t.stands = map[ID]bool{}
	}
	t.stands[c.id()] = true
}

// regrouped tells what became of profiles whose evidence, groups by arrival,
// and whose identifiers moved.
func (t *teller) regrouped(created []*cluster, groups []group, moves []move) {
	for _, c := range created {
		t.tell(Created, c.id(), "")
	}
	for _, gr := range groups {
		if was, moved := gr.from.id(), gr.namer.anchor; was != gr.to.id() && moved != was {
			t.tell(Split, was, moved)
		}
	}
	for _, gr := range groups {
		if is, moved := gr.to.id(), gr.namer.anchor; is != gr.from.id() && moved != is {
			t.tell(Merged, is, moved)
		}
	}
	for _, m := range moves {
		switch {
		case m.from != "" && t.stands[m.from] && !t.told[m.from]:
			t.tell(Unlinked, m.from, m.to)
		case m.to != "" && !t.told[m.to]:
			t.tell(Linked, m.to, m.from)
		}
	}
}

func (t *teller) tell(kind ChangeKind, id, other ID) {
	t.g.feed.add(change{kind: kind, profile: id, other: other, at: t.now, mode: t.mode})
	t.told[id], t.told[other] = true, true
}

// traits gives every cluster made its golden record and tells what changed.
func (t *teller) traits(f *fold, groups []group) {
	before := map[ID]*cluster{}
	for _, c := range f.scope {
		if c.anchor != "" {
			before[c.id()] = c
		}
	}
	same := map[*cluster]*cluster{}
	for _, gr := range groups {
		if gr.size == len(gr.from.evidence) && gr.size == len(gr.to.evidence) {
			same[gr.to] = gr.from
		}
	}
	for _, c := range f.made {
		if c.size == 0 {
			continue
		}
		if old := same[c]; old != nil {
			c.golden = old.golden
			continue
		}
		t.g.buildGolden(c)
		if old := before[c.id()]; old != nil {
			t.g.compareGolden(c.id(), old.traitsOf(), c.traitsOf(), t.now, t.mode)
		}
	}
}

// move is an identifier that went from one profile to another.
type move struct{ from, to ID }

// moves sets the home of every identifier folded and returns those that changed
// hands, each pair of profiles once.
func (f *fold) moves() []move {
	var out []move
	var seen map[move]bool
	for _, n := range f.nodes {
		if m := (move{n.seenOn(), seenOn(n.next, n.nextSince)}); m.from != m.to && !seen[m] {
			if seen == nil {
				seen = map[move]bool{}
			}
			seen[m] = true
			out = append(out, m)
		}
		n.home, n.since, n.next = n.next, n.nextSince, nil
	}
	slices.SortFunc(out, move.compare)
	return out
}

// seenOn is the profile on which an identifier was seen; one that declarations
// alone placed was not.
func (n *node) seenOn() ID { return seenOn(n.home, n.since) }

func seenOn(home *cluster, since int64) ID {
	if since == unseen {
		return ""
	}
	return home.id()
}

// groups are the evidence folded by where it comes from and goes to, by arrival,
// and the clusters that hold nothing but new evidence.
func (f *fold) groups() (groups []group, created []*cluster) {
	index := map[[2]*cluster]int{}
	last := -1
	for _, e := range f.records {
		to, from := e.links[0].next, e.home
		if from == nil {
			if to.anchor == e.anchor {
				created = append(created, to)
			}
			continue
		}
		if last < 0 || groups[last].from != from || groups[last].to != to {
			i, ok := index[[2]*cluster{from, to}]
			if !ok {
				i = len(groups)
				index[[2]*cluster{from, to}] = i
				groups = append(groups, group{from: from, to: to, namer: e})
			}
			last = i
		}
		gr := &groups[last]
		gr.size++
		if e.arrival < gr.namer.arrival {
			gr.namer = e
		}
	}
	slices.SortFunc(groups, func(a, b group) int { return compareInt(int64(a.namer.arrival), int64(b.namer.arrival)) })
	return groups, created
}
