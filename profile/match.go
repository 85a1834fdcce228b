package profile

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"
)

// Matching says what speaks for two profiles being one person.
type Matching struct {
	// Traits are sets of traits that, equal in all, speak for it. Default: name
	// and birthday, 70.
	Traits []TraitMatch
	// LookUp is the weight of an identifier that only looks up and is on both,
	// Refused that of one by which evidence would have linked the two and was
	// refused for a limit. Default: 40 and 30. Negative: none.
	LookUp, Refused int
	// MostShared leaves out what more profiles than this have in common: it
	// says nothing of two of them, and the name of half a city would make
	// millions of pairs. Default: 10.
	MostShared int
	// MinScore leaves out weaker pairs. Default: 1.
	MinScore int
	// After continues behind a match of an earlier call. Default: the best first.
	After *Match
}

// TraitMatch is a set of traits that together tell a person.
type TraitMatch struct {
	Traits []string
	// Weight is 1 to 100.
	Weight int
}

// Match is a pair of profiles that look like one person.
type Match struct {
	// Profile and Other are in byte order.
	Profile ID `json:"profile"`
	Other   ID `json:"other"`
	// Score is 1 to 100: 100 less what all grounds together leave of it, where
	// each takes its weight in hundredths of what the others left. It orders
	// pairs and is no probability.
	Score int `json:"score"`
	// Grounds are what speaks for it, the weightiest first.
	Grounds []Ground `json:"grounds"`
}

// GroundKind says of what sort a [Ground] is.
type GroundKind string

// The sorts of grounds.
const (
	SameTraits  GroundKind = "same_traits" // Names are the traits
	SharedValue GroundKind = "shared"      // Names is the kind of an identifier that only looks up
	RefusedLink GroundKind = "refused"     // Names is the kind of an identifier whose link was refused
)

// Ground is one thing that speaks for a match. It names no value.
type Ground struct {
	Kind   GroundKind `json:"kind"`
	Names  []string   `json:"names"`
	Weight int        `json:"weight"`
}

// String says it for people.
func (g Ground) String() string {
	names := strings.Join(g.Names, " and ")
	switch g.Kind {
	case SameTraits:
		return "same " + names
	case SharedValue:
		return "one " + names + " on both"
	}
	return names + " of both, not linked for a limit"
}

// String says it for people, without any value.
func (m Match) String() string {
	grounds := make([]string, len(m.Grounds))
	for i, g := range m.Grounds {
		grounds[i] = g.String()
	}
	return fmt.Sprintf("%d of 100: %s", m.Score, strings.Join(grounds, "; "))
}

// compare orders matches: the best first, then by ID.
func (m *Match) compare(o *Match) int {
	return cmp.Or(compareInt(int64(o.Score), int64(m.Score)),
		strings.Compare(string(m.Profile), string(o.Profile)), strings.Compare(string(m.Other), string(o.Other)))
}

func (m *Matching) check() error {
	bad := func(field, why string) error { return fmt.Errorf("%w: Matching: %s %s", ErrConfig, field, why) }
	if m.Traits == nil {
		m.Traits = []TraitMatch{{[]string{"name", "birthday"}, 70}}
	}
	for _, t := range m.Traits {
		if len(t.Traits) == 0 || t.Weight < 1 || t.Weight > 100 {
			return bad("Traits", "need traits and a weight of 1 to 100")
		}
	}
	m.LookUp, m.Refused = cmp.Or(m.LookUp, 40), cmp.Or(m.Refused, 30)
	m.MostShared, m.MinScore = cmp.Or(m.MostShared, 10), cmp.Or(m.MinScore, 1)
	switch {
	case m.LookUp > 100 || m.Refused > 100:
		return bad("LookUp and Refused", "are at most 100")
	case m.MostShared < 2:
		return bad("MostShared", "is less than 2")
	case m.MinScore < 0 || m.MinScore > 100:
		return bad("MinScore", "is not 0 to 100")
	}
	return nil
}

// MatchCandidates yields pairs of profiles that look like one person, the best
// first; to merge them is for people to decide ([Directory.Link]). Left out are
// pairs that were declared apart, profiles whose processing is restricted, and
// visitors who are over. The same state yields the same pairs in the same
// order. Texts are equal whatever their case, width and spaces.
//
// To read page by page, break and come back with Matching.After. Every call
// reads all profiles and remembers 40 bytes or so for each thing that speaks for
// a match; an error of Matching matches [ErrConfig].
func (d *Directory) MatchCandidates(ctx context.Context, m Matching) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		matches, err := d.matches(ctx, m)
		if err != nil {
			yield(Match{}, err)
			return
		}
		for i := range matches {
			if m.After != nil && matches[i].compare(m.After) <= 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(Match{}, err)
				return
			}
			if !yield(matches[i], nil) {
				return
			}
		}
	}
}

type pair struct{ a, b ID }

func pairOf(a, b ID) pair {
	if b < a {
		a, b = b, a
	}
	return pair{a, b}
}

// clues are what profiles may have in common, by a hash of it.
type clues struct {
	m       *Matching
	holders map[clue][]ID
	grounds map[clue]Ground
	apart   map[pair]bool
	open    map[ID]bool // whose processing is not restricted
}

type clue [16]byte

func (d *Directory) matches(ctx context.Context, m Matching) ([]Match, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	k := clues{m: &m, holders: map[clue][]ID{}, grounds: map[clue]Ground{}, apart: map[pair]bool{}, open: map[ID]bool{}}
	err := d.eachProfile(ctx, func(g *graph, c *cluster) {
		if !c.restricted() {
			k.open[c.id()] = true
			k.take(g, c)
		}
	})
	if err != nil {
		return nil, err
	}
	found := map[pair][]Ground{}
	for what, ids := range k.holders {
		slices.Sort(ids)
		ids = slices.DeleteFunc(slices.Compact(ids), func(id ID) bool { return !k.open[id] })
		if len(ids) > m.MostShared {
			continue
		}
		for i, a := range ids {
			for _, b := range ids[i+1:] {
				if p := pairOf(a, b); !k.apart[p] {
					found[p] = append(found[p], k.grounds[what])
				}
			}
		}
	}
	matches := make([]Match, 0, len(found))
	for p, grounds := range found {
		slices.SortFunc(grounds, func(a, b Ground) int {
			return cmp.Or(compareInt(int64(b.Weight), int64(a.Weight)), strings.Compare(string(a.Kind), string(b.Kind)), slices.Compare(a.Names, b.Names))
		})
		if s := score(grounds); s >= m.MinScore {
			matches = append(matches, Match{Profile: p.a, Other: p.b, Score: s, Grounds: grounds})
		}
	}
	slices.SortFunc(matches, func(a, b Match) int { return a.compare(&b) })
	return matches, nil
}

// score is what grounds come to, in integers so that it is the same everywhere.
func score(grounds []Ground) int {
	left := 1_000_000
	for _, g := range grounds {
		left = left * (100 - g.Weight) / 100
	}
	return 100 - (left+9_999)/10_000
}

// take notes what a profile may have in common with others.
func (k *clues) take(g *graph, c *cluster) {
	id := c.id()
	golden := map[string]Value{}
	now := g.now().UnixMicro()
	for i := range c.traitsOf() {
		x := &c.traitsOf()[i]
		golden[g.traits[x.trait].name] = g.traits[x.trait].valueAt(x, now)
	}
	for n, rule := range k.m.Traits {
		parts := []string{fmt.Sprint("traits ", n)}
		for _, name := range rule.Traits {
			if v := folded(golden[name]); v != "" {
				parts = append(parts, v)
			}
		}
		if len(parts) > len(rule.Traits) {
			k.note(parts, Ground{SameTraits, rule.Traits, rule.Weight}, id)
		}
	}
	for _, e := range c.evidence {
		for _, n := range e.others() {
			if n.answers() && n.uses > 1 && k.m.LookUp > 0 {
				k.note([]string{"shared", n.kind.full, n.value}, Ground{SharedValue, []string{n.kind.Name}, k.m.LookUp}, id)
			}
		}
		for _, r := range e.verdicts() {
			if r.reason == ReasonLimit && k.m.Refused > 0 {
				what := []string{"refused", r.node.kind.full, r.node.value}
				k.note(what, Ground{RefusedLink, []string{r.node.kind.Name}, k.m.Refused}, id)
				if r.node.home != nil {
					k.note(what, Ground{RefusedLink, []string{r.node.kind.Name}, k.m.Refused}, r.node.home.id())
				}
			}
		}
	}
	for _, n := range c.nodes {
		for _, t := range n.cannot() {
			if other := t.other(n); other.home != nil {
				k.apart[pairOf(id, other.home.id())] = true
			}
		}
	}
}

func (k *clues) note(parts []string, ground Ground, id ID) {
	h := sha256.New()
	for _, p := range parts {
		var size [binary.MaxVarintLen64]byte
		h.Write(size[:binary.PutUvarint(size[:], uint64(len(p)))])
		h.Write([]byte(p))
	}
	key := clue(h.Sum(nil))
	if ids := k.holders[key]; len(ids) > 0 && ids[len(ids)-1] == id {
		return
	}
	k.holders[key] = append(k.holders[key], id)
	k.grounds[key] = ground
}

// folded is a value as it compares: text without case, width and outer or
// repeated spaces; empty for what says nothing.
func folded(v Value) string {
	if s, ok := v.Text(); ok {
		s = strings.Map(unicode.ToLower, asciiWidth(s))
		if s = strings.Join(strings.Fields(s), " "); s == "" {
			return ""
		}
		return "text " + s
	}
	if v.IsZero() {
		return ""
	}
	return v.Kind().String() + " " + v.String()
}

// eachProfile calls f with every profile, in the order of IDs, whole. Of what
// is written meanwhile it says nothing.
func (d *Directory) eachProfile(ctx context.Context, f func(g *graph, c *cluster)) error {
	const size = 256
	page := make([]ID, 0, size)
	read := func() error {
		q := Query{Anchors: page}
		if d.store != nil {
			q.Profiles = page
		}
		return d.view(ctx, q, func(g *graph) error {
			var all []*cluster
			for _, id := range page {
				if c, err := g.whole(id); err == nil && c.id() == id {
					all = append(all, c)
				}
			}
			if g.missing.any() {
				return nil // and once more, with all of it
			}
			for _, c := range all {
				f(g, c)
			}
			return nil
		})
	}
	for id, err := range d.Profiles(ctx) {
		if err != nil {
			return err
		}
		if page = append(page, id); len(page) == size {
			if err := read(); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return read()
}
