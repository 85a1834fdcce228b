package world

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
)

// World is one generated year.
type World struct {
	start, end time.Time
	outlets    []Outlet
	records    []record
	deliveries []delivery
	truth      *Truth
	gen        *generator
}

// New generates a world. The same Config gives the same world; an unusable
// one an error that matches [ErrConfig]. 4,000 customers take about a second.
func New(cfg Config) (*World, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	start, end := cfg.Start, cfg.Start.AddDate(1, 0, 0)
	h := hasher(splitmix(cfg.Seed))
	g := &generator{
		World:      &World{start: start, end: end, truth: &Truth{start: start, end: end, earn: cfg.Earn}},
		h:          h,
		cal:        newCalendar(start, end),
		catalog:    newCatalogue(h),
		special:    map[profile.Identifier]Trap{},
		reassigned: map[string]time.Time{},
		reactions:  map[string][]feed.Delivery{},
	}
	g.openOutlets()
	customers := make([]*person, cfg.Customers)
	for i := range customers {
		customers[i] = g.newCustomer()
	}
	g.layTraps(customers)
	for range cfg.Customers / 5 {
		g.newVisitor()
	}
	for _, p := range g.people {
		g.enrol(p)
	}
	for _, p := range g.people {
		g.live(p)
	}
	g.cheat()
	g.reassign()
	g.redeem()
	slices.SortFunc(g.deliveries, func(a, b delivery) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(g.records[a.record].id, g.records[b.record].id))
	})
	g.settle()
	g.World.gen = g
	return g.World, nil
}

// Start is the first instant of the year.
func (w *World) Start() time.Time { return w.start }

// End is the first instant after the year. Deliveries of its last days arrive later.
func (w *World) End() time.Time { return w.end }

// Outlets are the master data of the shops.
func (w *World) Outlets() []Outlet { return w.outlets }

// Truth is what the generator knows.
func (w *World) Truth() *Truth { return w.truth }

// generator is a World in the making.
type generator struct {
	*World
	h          hasher
	cal        *calendar
	catalog    catalog
	people     []*person
	members    []*Membership
	orders     []*Order
	complaints []*Complaint
	repairs    []*Repair
	special    map[profile.Identifier]Trap
	reassigned map[string]time.Time // reported changes of a number's owner
	reactions  map[string][]feed.Delivery

	phones, cards                    uint64
	carts, cases, reviews, abandoned int
}

const outletsPerBrand = 4

func (g *generator) openOutlets() {
	for b, brand := range brands {
		for i, city := range outletPlaces[b] {
			o := Outlet{ID: fmt.Sprintf("%s-%d", brand, i+1), Brand: brand, City: city}
			for j := range 2 {
				n := uint64(b*100 + i*10 + j)
				o.tablets = append(o.tablets, g.h.token("", hexa, 32, 0x7ab1e7, n))
				o.Cashiers = append(o.Cashiers, fmt.Sprintf("%s-c%d", o.ID, j+1))
				o.Assistants = append(o.Assistants, fmt.Sprintf("%s-a%d", o.ID, j+1))
				g.special[profile.Identifier{Kind: KindDevice, Value: o.tablets[j]}] |= SharedTablet
			}
			o.Tablets = o.tablets[:1:1]
			g.outlets = append(g.outlets, o)
		}
	}
}

// cheat lets a cashier of the second outlet of lumen book guests' receipts on
// a card of their own, from the third month on, two to three times a week and
// several on one day.
func (g *generator) cheat() {
	c := g.newPerson(Staff)
	c.outlet[0] = 1
	c.joinVia = till
	outlet := g.outlets[1]
	cashier := outlet.Cashiers[1]
	g.join(c, 0, till, g.start.Add(20*day+13*time.Hour), nil)
	card := c.cards[0].card
	if card == nil {
		return
	}
	g.truth.cashier = Fraud{Cashier: cashier, Card: card.Card, Person: c.id}
	r := c.r
	for t := g.start.AddDate(0, 2, 0); t.Before(g.end); t = t.AddDate(0, 0, 1+r.IntN(5)) {
		for range 1 + r.IntN(3) {
			guest := g.newPerson(Guest)
			at := g.cal.moment(r, till, t, t.AddDate(0, 0, 1))
			o := &Order{
				Person: guest.id, Brand: Lumen, Channel: till.String(), buyer: guest, card: card,
				Outlet: outlet.ID, Cashier: cashier, CashierCard: true,
			}
			g.receipt(guest, o, purchase{at: at, ch: till}, []profile.Identifier{card.identifier()}, nil)
			g.truth.cashier.Orders = append(g.truth.cashier.Orders, o.Key.Number)
		}
	}
}

// reassign reports recycled numbers as the operator's list does.
func (g *generator) reassign() {
	nobody := &person{index: -1, r: g.h.rand(0x0be2)}
	for _, x := range g.truth.recycled {
		if x.Reported {
			g.emit(nobody, record{
				source: oper, name: feed.PhoneReassigned, time: x.At.Add(hours(nobody.r, 1, 24)), keys: []profile.Identifier{},
				props: []pair{text("phone", x.Number), {"as_of", profile.Time(x.At)}},
			})
		}
	}
}

func hours(r *rand.Rand, from, to int) time.Duration { return minutes(r, from*60, to*60) }
