package segment

import (
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Audience is an immutable set of customers at an instant. Its methods are safe
// for concurrent use, and none waits for the engine that it came from. A
// customer who is erased later no longer comes out of it by key, though the
// counts keep the number.
type Audience struct {
	dict *dictionary
	set  *set
	at   time.Time

	once   sync.Once
	sorted []uint32 // members in the order of their keys
}

// NewAudience makes an audience of the caller's own customers, such as an
// uploaded list; one named twice counts once. The error matches
// profile.ErrInvalidID.
func NewAudience(at time.Time, ids ...profile.ID) (*Audience, error) {
	dict := newDictionary()
	for _, id := range ids {
		if err := id.Validate(); err != nil {
			return nil, err
		}
		if _, ok := dict.find(id); !ok {
			dict.add(id)
		}
	}
	return &Audience{dict: dict, set: everyNumber(dict.len()), at: at}, nil
}

// At is the instant of which the audience is.
func (a *Audience) At() time.Time { return a.at }

// Len is the number of members.
func (a *Audience) Len() int { return a.set.n }

// Contains reports whether the customer is a member.
func (a *Audience) Contains(id profile.ID) bool {
	d, ok := a.dict.find(id)
	return ok && a.set.has(d)
}

// IDs yields the members in the byte order of their keys.
func (a *Audience) IDs() iter.Seq[profile.ID] {
	return func(yield func(profile.ID) bool) {
		for _, d := range a.byKey() {
			if id := a.dict.key(d); id != "" && !yield(id) {
				return
			}
		}
	}
}

// Unordered yields the members in no particular order, which is faster than IDs.
func (a *Audience) Unordered() iter.Seq[profile.ID] {
	return func(yield func(profile.ID) bool) {
		a.dict.each(a.set, yield)
	}
}

// Page lists up to limit members whose key comes after one, in byte order; ""
// begins at the beginning. Fewer than limit are the last.
func (a *Audience) Page(after profile.ID, limit int) []profile.ID {
	numbers := a.byKey()
	i := sort.Search(len(numbers), func(i int) bool { return a.dict.key(numbers[i]) > after })
	var page []profile.ID
	for ; i < len(numbers) && len(page) < limit; i++ {
		if id := a.dict.key(numbers[i]); id > after {
			page = append(page, id)
		}
	}
	return page
}

// byKey sorts the members once, at the first need.
func (a *Audience) byKey() []uint32 {
	a.once.Do(func() {
		type member struct {
			id profile.ID
			d  uint32
		}
		members := make([]member, 0, a.set.n)
		a.set.each(func(d uint32) bool {
			if id := a.dict.key(d); id != "" {
				members = append(members, member{id, d})
			}
			return true
		})
		slices.SortFunc(members, func(x, y member) int { return strings.Compare(string(x.id), string(y.id)) })
		a.sorted = make([]uint32, len(members))
		for i, m := range members {
			a.sorted[i] = m.d
		}
	})
	return a.sorted
}

// And is the audience of those who are in both.
func (a *Audience) And(b *Audience) *Audience { return a.combine(opAnd, b) }

// Or is the audience of those who are in either.
func (a *Audience) Or(b *Audience) *Audience { return a.combine(opOr, b) }

// Minus is the audience of those who are in a and not in b.
func (a *Audience) Minus(b *Audience) *Audience { return a.combine(opAndNot, b) }

// Xor is the audience of those who are in exactly one.
func (a *Audience) Xor(b *Audience) *Audience { return a.combine(opXor, b) }

// combine takes the instant of a. Audiences of one engine share its numbers;
// others are matched by key.
func (a *Audience) combine(op setOp, b *Audience) *Audience {
	if a.dict == b.dict {
		return &Audience{dict: a.dict, set: combineSets(op, a.set, b.set), at: a.at}
	}
	if op == opAnd || op == opAndNot {
		return a.where(func(d uint32) bool { return b.Contains(a.dict.key(d)) == (op == opAnd) })
	}
	dict := newDictionary()
	var numbers []uint32
	add := func(x, other *Audience) {
		x.set.each(func(d uint32) bool {
			id := x.dict.key(d)
			if _, ok := dict.find(id); ok || id == "" || op == opXor && other.Contains(id) {
				return true
			}
			numbers = append(numbers, dict.add(id))
			return true
		})
	}
	add(a, b)
	add(b, a)
	return &Audience{dict: dict, set: setOf(numbers), at: a.at}
}

// where keeps the members that pass.
func (a *Audience) where(keep func(d uint32) bool) *Audience {
	var numbers []uint32
	a.set.each(func(d uint32) bool {
		if keep(d) {
			numbers = append(numbers, d)
		}
		return true
	})
	return &Audience{dict: a.dict, set: setOf(numbers), at: a.at}
}

// Overlap counts how two audiences share members.
type Overlap struct {
	// A and B are their sizes, Both is how many are in both.
	A, B, Both int
}

// Either counts those in at least one.
func (o Overlap) Either() int { return o.A + o.B - o.Both }

// OnlyA counts those in the first alone.
func (o Overlap) OnlyA() int { return o.A - o.Both }

// OnlyB counts those in the second alone.
func (o Overlap) OnlyB() int { return o.B - o.Both }

// Jaccard is the share of those in either that is in both, 0 for empty audiences.
func (o Overlap) Jaccard() float64 {
	if o.Either() == 0 {
		return 0
	}
	return float64(o.Both) / float64(o.Either())
}

// Overlap counts how a and b share members, without making a set.
func (a *Audience) Overlap(b *Audience) Overlap {
	o := Overlap{A: a.Len(), B: b.Len()}
	if a.dict == b.dict {
		o.Both = countAnd(a.set, b.set)
		return o
	}
	a.set.each(func(d uint32) bool {
		if b.Contains(a.dict.key(d)) {
			o.Both++
		}
		return true
	})
	return o
}

// OverlapMatrix counts for every pair of audiences how many are in both; the
// diagonal holds their sizes.
func OverlapMatrix(audiences ...*Audience) [][]int {
	m := make([][]int, len(audiences))
	for i := range m {
		m[i] = make([]int, len(audiences))
		m[i][i] = audiences[i].Len()
		for j := range i {
			m[i][j] = audiences[i].Overlap(audiences[j]).Both
			m[j][i] = m[i][j]
		}
	}
	return m
}
