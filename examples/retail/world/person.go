package world

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// PersonKind says what a person is to the group.
type PersonKind uint8

// The kinds of person.
const (
	Customer PersonKind = iota // makes themselves known in some channel
	Visitor                    // browses and never says who they are
	Guest                      // whose receipt the cashier booked on another card
	Staff                      // works at a till
)

func (k PersonKind) String() string {
	return [...]string{"customer", "visitor", "guest", "staff"}[k]
}

// person is somebody while their year is generated.
type person struct {
	index                int
	id                   string
	kind                 PersonKind
	r                    *rand.Rand
	name, city, birthday string
	phones               []spell
	email                string // "" for who has none
	union                string
	showsUnion           bool
	openID               [2]string
	devices, cookies     []spell
	wecom                string
	mix                  []float64 // cumulative over mini … till
	primary              int       // brand
	second               bool      // buys from the other brand too
	outlet               [2]int    // home outlet of each brand
	orderRate, visitRate float64   // a year
	mood                 float64   // what they would answer to NPS on a plain day
	from, until          time.Time // buys and browses within
	joins                [2]time.Time
	joinVia              channel
	cards                [2]holding
	relative             *person // shares a phone
	guestOf              *person // whose card this one uses
	known                [nChannels]bool
	loggedIn             map[string]bool // devices and cookies
	lives                []experience
	orders               []*Order
	hasSMS               bool
}

// spell is a value in use from one instant to another.
type spell struct {
	value       string
	from, until time.Time
}

// holding is a card that a person shows from an instant on.
type holding struct {
	card  *Membership
	since time.Time
}

// experience is something that moves the answer to a survey by delta, fading
// over months.
type experience struct {
	at    time.Time
	delta float64
	topic string
}

var far = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func at(spells []spell, t time.Time) string {
	for i := len(spells) - 1; i > 0; i-- {
		if !t.Before(spells[i].from) {
			return spells[i].value
		}
	}
	return spells[0].value
}

func (p *person) phone(t time.Time) profile.Identifier {
	return profile.Identifier{Kind: KindPhone, Value: at(p.phones, t)}
}

func (p *person) device(t time.Time) profile.Identifier {
	return profile.Identifier{Kind: KindDevice, Value: at(p.devices, t)}
}

func (p *person) cookie(t time.Time) profile.Identifier {
	return profile.Identifier{Kind: KindCookie, Value: at(p.cookies, t)}
}

// card is the card that p shows for a brand at an instant, nil for none.
func (p *person) card(brand int, t time.Time) *Membership {
	if h := p.cards[brand]; h.card != nil && !t.Before(h.since) {
		return h.card
	}
	return nil
}

// anyCard is card for the brand or else for the other one.
func (p *person) anyCard(brand int, t time.Time) *Membership {
	if c := p.card(brand, t); c != nil {
		return c
	}
	return p.card(1-brand, t)
}

func (m *Membership) identifier() profile.Identifier {
	return profile.Identifier{Kind: KindMember + "/" + m.Brand, Value: m.Card}
}

// wechat is what the mini program of a brand sees.
func (p *person) wechat(brand int) []profile.Identifier {
	ids := []profile.Identifier{{Kind: KindOpenID + "/" + brands[brand] + "-mini", Value: p.openID[brand]}}
	if p.showsUnion {
		ids = append(ids, profile.Identifier{Kind: KindUnionID, Value: p.union})
	}
	return ids
}

// seen is what a channel sees of p at an instant; signed says whether they are
// signed in.
func (p *person) seen(ch channel, brand int, t time.Time, signed bool) []profile.Identifier {
	var ids []profile.Identifier
	switch ch {
	case mini:
		ids = p.wechat(brand)
		if signed {
			if c := p.card(brand, t); c != nil {
				ids = append(ids, c.identifier())
			} else {
				ids = append(ids, p.phone(t))
			}
		}
	case app:
		ids = []profile.Identifier{p.device(t)}
		if signed {
			if c := p.anyCard(brand, t); c != nil {
				ids = append(ids, c.identifier())
			} else {
				ids = append(ids, p.phone(t))
			}
		}
	case web:
		ids = []profile.Identifier{p.cookie(t)}
		if signed {
			if p.email != "" {
				ids = append(ids, profile.Identifier{Kind: KindEmail, Value: p.email})
			} else {
				ids = append(ids, p.phone(t))
			}
			if c := p.card(brand, t); c != nil {
				ids = append(ids, c.identifier())
			}
		}
	case wecom:
		ids = []profile.Identifier{{Kind: KindWeCom, Value: p.wecom}}
	default:
		ids = []profile.Identifier{p.phone(t)}
	}
	return ids
}

// archetypes are shares of the customers with their shares of orders over
// mini, app, web, tmall, jd, till; how many join, and how many had done so
// before the start.
var archetypes = []struct {
	share           float64
	mix             [6]float64
	member, already float64
}{
	{0.26, [6]float64{0.75, 0.05, 0, 0.10, 0, 0.10}, 0.80, 0.55},
	{0.13, [6]float64{0.10, 0.70, 0, 0.10, 0, 0.10}, 0.85, 0.55},
	{0.10, [6]float64{0, 0, 0.80, 0.10, 0.10, 0}, 0.60, 0.50},
	{0.22, [6]float64{0.15, 0, 0, 0, 0, 0.85}, 1, 0.60},
	{0.15, [6]float64{0, 0, 0, 0.60, 0.40, 0}, 0.35, 0.25},
	{0.14, [6]float64{0.30, 0.15, 0.10, 0.10, 0.05, 0.30}, 0.95, 0.65},
}

func (g *generator) newPerson(kind PersonKind) *person {
	i := len(g.people)
	r := g.h.rand(0x9e750, uint64(i))
	p := &person{index: i, id: fmt.Sprintf("p%05d", i+1), kind: kind, r: r, loggedIn: map[string]bool{}}
	g.people = append(g.people, p)
	p.name = families[r.IntN(len(families))] + " " + givens[r.IntN(len(givens))]
	if chance(r, 0.5) {
		p.name += givens[r.IntN(len(givens))]
	}
	p.city = cities[r.IntN(len(cities))]
	p.birthday = fmt.Sprintf("%02d-%02d", 1+r.IntN(12), 1+r.IntN(28))
	p.phones = []spell{{g.newPhone(r), time.Time{}, far}}
	p.union = g.h.token("u", base62, 27, 0x0410, uint64(i))
	p.showsUnion = chance(r, 0.9)
	for b := range brands {
		p.openID[b] = g.h.token("o", base62, 27, 0x09e4, uint64(i), uint64(b))
		p.outlet[b] = b*outletsPerBrand + r.IntN(outletsPerBrand)
	}
	p.wecom = g.h.token("wm", base62, 30, 0x3ec0, uint64(i))
	p.devices = g.spells(r, 0.25, 0xde71, i, func(x uint64) string {
		return g.h.token("", hexa, 32, x)
	})
	p.cookies = g.spells(r, 0.9, 0xc00c, i, func(x uint64) string {
		return g.h.token("c.", base62, 20, x)
	})
	if chance(r, 0.4) {
		p.email = g.h.token("", "abcdefghijkmnopqrstuvwxyz", 5, 0xe3a1, uint64(i)) + strconv.Itoa(i) + "@example.com"
	}
	p.mood = min(max(7.7+1.5*r.NormFloat64(), 1), 10)
	p.from, p.until = g.start, g.end
	return p
}

// spells are one value for the year, or several with random changes; more is
// the chance of each further one.
func (g *generator) spells(r *rand.Rand, more float64, salt uint64, index int, value func(uint64) string) []spell {
	out := []spell{{value(g.h.mix(salt, uint64(index), 0)), time.Time{}, far}}
	for t := g.start; chance(r, more); {
		t = t.Add(time.Duration(60+r.IntN(150)) * day)
		if !t.Before(g.end) {
			break
		}
		out[len(out)-1].until = t
		out = append(out, spell{value(g.h.mix(salt, uint64(index), uint64(len(out)))), t, far})
	}
	return out
}

// newPhone never gives a number twice: the last eight digits are a count run
// through a bijection.
func (g *generator) newPhone(r *rand.Rand) string {
	g.phones++
	n := (g.phones*48_271 + 7_919 + uint64(g.h)%90_000_000) % 100_000_000
	return mobile[r.IntN(len(mobile))] + fmt.Sprintf("%08d", n)
}

// newCustomer chooses how somebody shops and whether, where and when they join.
func (g *generator) newCustomer() *person {
	p := g.newPerson(Customer)
	r := p.r
	x := r.Float64()
	kind := archetypes[len(archetypes)-1]
	for _, a := range archetypes {
		if x < a.share {
			kind = a
			break
		}
		x -= a.share
	}
	p.mix = cumulate(kind.mix[:]...)
	p.primary = pick(r, []float64{0, 0.6, 1}, 0, 2)
	p.second = chance(r, 0.3)
	p.orderRate = []float64{0.9, 2.2, 4.5, 8, 16}[pick(r, []float64{0, 0.30, 0.60, 0.80, 0.95, 1}, 0, 5)]
	p.visitRate = 6 + 2.5*p.orderRate*(0.5+r.Float64())
	member := chance(r, kind.member)
	already := member && chance(r, kind.already)
	if !already && chance(r, 0.7) {
		p.from = g.start.Add(time.Duration(r.Int64N(int64(g.end.Sub(g.start) * 9 / 10))))
	}
	if chance(r, 0.3) { // who stops buying one day
		p.until = p.from.Add(30*day + time.Duration(r.Int64N(int64(g.end.Sub(p.from)+day))))
		if p.until.After(g.end) {
			p.until = g.end
		}
	}
	p.joinVia = channel(pick(r, p.mix, 0, 6))
	if p.joinVia == till && chance(r, 0.4) {
		p.joinVia = tablet
	}
	if member {
		if already {
			p.joins[p.primary] = g.start.Add(-time.Duration(1+r.Int64N(int64(900*day/time.Second))) * time.Second)
		} else {
			until := p.from.Add(min(p.until.Sub(p.from), 60*day))
			p.joins[p.primary] = g.cal.moment(r, p.joinVia, p.from, until)
		}
		if p.second && chance(r, 0.6) {
			p.joins[1-p.primary] = g.cal.moment(r, p.joinVia, later(p.from, p.joins[p.primary]), g.end)
		}
	}
	return p
}

// newVisitor browses and leaves.
func (g *generator) newVisitor() *person {
	p := g.newPerson(Visitor)
	ch := channel(pick(p.r, []float64{0, 0.45, 0.65, 1}, 0, 3))
	var mix [6]float64
	mix[ch] = 1
	p.mix = cumulate(mix[:]...)
	p.primary = pick(p.r, []float64{0, 0.6, 1}, 0, 2)
	p.visitRate = 4
	p.from = g.start.Add(time.Duration(p.r.Int64N(int64(g.end.Sub(g.start) * 9 / 10))))
	p.until = p.from.Add(min(g.end.Sub(p.from), time.Duration(5+p.r.IntN(60))*day))
	return p
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
