package world

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Trap is a set of reasons why an event may be given to the wrong person.
type Trap uint16

// The traps.
const (
	SharedTablet  Trap = 1 << iota // on a tablet in a shop
	FamilyPhone                    // with a phone that two members of a family use
	FamilyCard                     // with a card that two members of a family use
	RecycledPhone                  // with a phone that changed hands during the year
	MaskedBuyer                    // on a marketplace, without a card
	CashierCard                    // a guest's receipt, on the card of the cashier
	Dirty                          // with an identifier that is badly typed, empty or a placeholder
	Anonymous                      // with a device, a cookie or an open ID alone
)

var trapNames = [...]string{
	"shared tablet", "family phone", "family card", "recycled phone",
	"masked buyer", "cashier's card", "dirty identifier", "anonymous",
}

// Traps lists every trap, one bit each.
func Traps() []Trap {
	out := make([]Trap, len(trapNames))
	for i := range out {
		out[i] = 1 << i
	}
	return out
}

// String names the traps in the set, separated by commas; "none" for the empty set.
func (t Trap) String() string {
	var names []string
	for i, n := range trapNames {
		if t&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// trapOf says which traps follow from the identifiers themselves.
func (g *generator) trapOf(keys []profile.Identifier) Trap {
	var t Trap
	anonymous := len(keys) > 0
	for _, k := range keys {
		t |= g.special[k]
		if k.Kind != KindDevice && k.Kind != KindCookie && !strings.HasPrefix(k.Kind, KindOpenID) {
			anonymous = false
		}
	}
	if anonymous {
		t |= Anonymous
	}
	return t
}

// layTraps chooses who shares a phone or a card and whose number is recycled,
// before anybody lives.
func (g *generator) layTraps(customers []*person) {
	r := g.h.rand(0x72a95)
	var settled, fresh []*person // members before the start, and who comes in its second half
	for _, p := range customers {
		joined := p.joins[p.primary]
		switch {
		case joined.IsZero() || p.joinVia == tmall || p.joinVia == jd:
		case joined.Before(g.start):
			settled = append(settled, p)
		case joined.After(g.start.AddDate(0, 5, 0)):
			fresh = append(fresh, p)
		}
	}
	r.Shuffle(len(settled), func(i, j int) { settled[i], settled[j] = settled[j], settled[i] })
	r.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
	n := len(customers)

	recycled := min(max(n/80, 2), len(fresh), len(settled)/4)
	for i := range recycled {
		g.recycle(r, settled[i], fresh[i])
	}
	settled = settled[recycled:]
	for i := range min(max(n/50, 2), len(settled)/2) {
		g.relate(settled[2*i], settled[2*i+1], i%2 == 0)
	}
}

// recycle gives the number that a gives up to b, three months later as
// operators do. Six in ten such changes are reported to the group.
func (g *generator) recycle(r *rand.Rand, a, b *person) {
	number := a.phones[0].value
	given := g.start.AddDate(0, 0, 15+r.IntN(30)).Add(14 * time.Hour)
	taken := given.AddDate(0, 0, 90+r.IntN(20))
	a.phones[0].until = given
	a.phones = append(a.phones, spell{g.newPhone(r), given, far})
	a.until = g.end
	b.from, b.until = later(b.from, taken), g.end
	b.phones = []spell{{number, taken, far}}
	for i, joined := range b.joins {
		if !joined.IsZero() {
			b.joins[i] = later(joined, taken.Add(2*day))
		}
	}
	g.special[profile.Identifier{Kind: KindPhone, Value: number}] |= RecycledPhone
	known := chance(r, 0.6)
	if known {
		g.reassigned[number] = taken
	}
	g.truth.recycled = append(g.truth.recycled, Reassignment{Number: number, From: a.id, To: b.id, At: taken, Reported: known})
}

// relate makes b use the phone of a, and the card of a if they share it.
func (g *generator) relate(a, b *person, card bool) {
	a.relative, b.relative = b, a
	b.phones = []spell{{a.phones[0].value, time.Time{}, far}}
	g.special[a.phone(g.start)] |= FamilyPhone
	a.until = g.end
	b.until = g.end
	if card {
		b.guestOf = a
		b.primary, b.second = a.primary, false
		b.joins = [2]time.Time{}
	}
}
