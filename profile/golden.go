package profile

import (
	"slices"
	"sort"
	"strings"
)

// traitID numbers the name of a trait, and makes its rule ready.
func (g *graph) traitID(name string) uint32 {
	id := g.words.id(name)
	for int(id) >= len(g.traits) {
		g.traits = append(g.traits, nil)
	}
	if g.traits[id] == nil {
		rule := g.rules.trait(name)
		t := &trait{
			name: g.words.names[id], policy: rule.Policy, typ: rule.Type,
			half: rule.HalfLife.Microseconds(), ttl: rule.TTL.Microseconds(),
		}
		if len(rule.Sources) > 0 {
			t.ranks = ranking(rule.Sources)
		}
		g.traits[id] = t
	}
	return id
}

// report folds the traits of an event into its evidence and its profile. It
// returns the traits whose golden value changed, in changed's space.
func (g *graph) report(e *evidence, rec *record, changed []uint32) []uint32 {
	if e.traits == nil && rec.traits != "" {
		e.traits = make([]candidate, 0, rec.traits.count())
	}
	for rest := rec.traits; rest != ""; {
		f := rest.next()
		t := g.traits[f.name]
		if !t.accepts(f.value) {
			continue
		}
		c := t.candidateOf(rec, f)
		if g.contribute(e, &c) {
			changed = append(changed, f.name)
		}
	}
	return changed
}

// refusedTraits are the names of the traits whose rule refuses their value.
func (g *graph) refusedTraits(rec *record) []string {
	var refused []string
	for rest := rec.traits; rest != ""; {
		f := rest.next()
		if t := g.traits[f.name]; f.value.kind != None && !t.accepts(f.value) {
			refused = append(refused, t.name)
		}
	}
	slices.Sort(refused)
	return refused
}

// contribute adds a candidate to its evidence and reports whether the golden
// value of the profile changed.
func (g *graph) contribute(e *evidence, c *candidate) bool {
	home := e.home
	t := g.traits[c.trait]
	i := sort.Search(len(e.traits), func(i int) bool {
		x := &e.traits[i]
		return x.trait > c.trait || x.trait == c.trait && x.src >= c.src
	})
	if home != nil && home.golden == nil {
		other := i > 0 && e.traits[i-1].trait == c.trait ||
			i < len(e.traits) && e.traits[i].trait == c.trait && e.traits[i].src != c.src
		if !other {
			return g.foldInto(&e.traits, i, c, t)
		}
		home.golden = slices.Clone(e.traits)
	}
	g.foldInto(&e.traits, i, c, t)
	if home == nil {
		return false
	}
	return g.foldGolden(&home.golden, c)
}

// foldInto combines c into the candidate at i if that is of the same trait and
// source, else inserts it there; it reports whether a value changed.
func (g *graph) foldInto(list *[]candidate, i int, c *candidate, t *trait) bool {
	if i < len(*list) && (*list)[i].trait == c.trait && (*list)[i].src == c.src {
		return t.combine(&(*list)[i], c, &g.sources)
	}
	*list = slices.Insert(*list, i, *c)
	return !c.val.IsZero()
}

func (g *graph) foldGolden(golden *[]candidate, c *candidate) bool {
	i := sort.Search(len(*golden), func(i int) bool { return (*golden)[i].trait >= c.trait })
	if i < len(*golden) && (*golden)[i].trait == c.trait {
		return g.traits[c.trait].combine(&(*golden)[i], c, &g.sources)
	}
	*golden = slices.Insert(*golden, i, *c)
	return !c.val.IsZero()
}

// traitsOf are the golden candidates of a profile, by trait.
func (c *cluster) traitsOf() []candidate {
	if c == nil {
		return nil
	}
	if c.golden != nil || c.size == 0 {
		return c.golden
	}
	return c.evidence[0].traits
}

// materialize makes the golden record of a sole evidence one of its own,
// before another joins.
func (g *graph) materialize(c *cluster) {
	if c.golden == nil && c.size > 0 {
		c.golden = append([]candidate{}, c.evidence[0].traits...)
	}
}

// mergeGolden folds the golden record of b into that of a.
func (g *graph) mergeGolden(a, b *cluster) {
	if a.size == 0 {
		a.golden = append([]candidate{}, b.traitsOf()...)
		return
	}
	g.materialize(a)
	for _, c := range b.traitsOf() {
		g.foldGolden(&a.golden, &c)
	}
}

// buildGolden computes the golden record of a cluster from its evidence.
func (g *graph) buildGolden(c *cluster) {
	c.golden = nil
	if c.size == 1 {
		traits := c.evidence[0].traits
		several := false
		for i := 1; i < len(traits); i++ {
			several = several || traits[i-1].trait == traits[i].trait
		}
		if !several {
			return
		}
	}
	c.golden = []candidate{}
	for _, e := range c.evidence {
		for i := range e.traits {
			x := e.traits[i]
			g.foldGolden(&c.golden, &x)
		}
	}
}

// compareGolden tells the feed which golden values of a profile differ.
func (g *graph) compareGolden(id ID, before, after []candidate, now int64, mode Mode) {
	var changed []uint32
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].trait < after[0].trait:
			if !before[0].val.IsZero() {
				changed = append(changed, before[0].trait)
			}
			before = before[1:]
		case len(before) == 0 || after[0].trait < before[0].trait:
			if !after[0].val.IsZero() {
				changed = append(changed, after[0].trait)
			}
			after = after[1:]
		default:
			if !before[0].equal(&after[0]) {
				changed = append(changed, after[0].trait)
			}
			before, after = before[1:], after[1:]
		}
	}
	if len(changed) > 0 {
		g.feed.add(change{kind: TraitChanged, profile: id, names: g.names(changed), at: now, mode: mode})
	}
}

// names interns the names of traits for the feed.
func (g *graph) names(ids []uint32) uint32 {
	if len(ids) > 1 {
		slices.SortFunc(ids, func(a, b uint32) int { return strings.Compare(g.traits[a].name, g.traits[b].name) })
	}
	return g.feed.intern(ids, g.traits)
}
