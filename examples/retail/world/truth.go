package world

import (
	"slices"
	"sync"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Truth is what really happened. Its slices are shared: do not change them.
type Truth struct {
	start, end time.Time
	earn       Earn
	people     []*person
	persons    []Person
	byPerson   map[string]int
	members    []*Membership
	byCard     map[string]*Membership
	orders     []*Order
	byNumber   map[string]*Order
	complaints []*Complaint
	repairs    []*Repair
	recycled   []Reassignment
	cashier    Fraud
	events     map[string]int32 // event ID to record
	records    []record
	clusters   []cluster
	phenomena  []Phenomenon
	seed       hasher
	special    map[profile.Identifier]Trap
	reassigned map[string]time.Time

	resolving sync.Mutex
	stale     bool // clusters do not cover all records
}

// Person is somebody in the world.
type Person struct {
	ID     string // "p00017"
	Kind   PersonKind
	Brands []string // that they buy from
	Cards  []string // their own memberships
	Phones []string // in the order of their use
	// Relative shares a phone with them, and the card too if SharesCard.
	Relative   string
	SharesCard bool
}

// Membership is a card of one brand.
type Membership struct {
	Card   string
	Brand  string
	Person string // who joined
	Via    string // the channel
	Joined Fact   // before the start for members from the file
	// Shared marks a card that a relative shows as well.
	Shared bool
	// Staff marks the card of somebody who works at a till.
	Staff bool

	owner  *person
	orders []*Order
	spent  []redemption
}

// Complaint is a customer's complaint.
type Complaint struct {
	ID, Person, Order, Topic, Channel string
	Filed, Closed                     Fact
}

// Repair is an appliance on its way to the workshop and back.
type Repair struct {
	ID, Person, Order, SKU, Outlet string
	Loaner                         bool
	Requested, Returned            Fact
}

// Reassignment is a telephone number that the operator gave to somebody else.
type Reassignment struct {
	Number, From, To string
	At               time.Time
	// Reported says that the feed tells.
	Reported bool
}

// Fraud is what the cashier did.
type Fraud struct {
	Cashier, Card, Person string
	Orders                []string
}

// Persons lists everybody.
func (t *Truth) Persons() []Person { return t.persons }

// Memberships lists every card.
func (t *Truth) Memberships() []*Membership { return t.members }

// Order finds an order by its number, which no two orders share; nil for none.
func (t *Truth) Order(number string) *Order { return t.byNumber[number] }

// Orders lists every order that the feed tells of, as it truly went.
func (t *Truth) Orders() []*Order { return t.orders }

// Complaints lists every complaint.
func (t *Truth) Complaints() []*Complaint { return t.complaints }

// Repairs lists every repair.
func (t *Truth) Repairs() []*Repair { return t.repairs }

// Reassignments lists the recycled numbers.
func (t *Truth) Reassignments() []Reassignment { return t.recycled }

// Fraud is the cashier's doing.
func (t *Truth) Fraud() Fraud { return t.cashier }

// Person is the person whom an event is from, "" for a notice about nobody and
// for an ID that is not in the feed.
func (t *Truth) Person(eventID string) string {
	i, ok := t.events[eventID]
	if !ok || t.records[i].person < 0 {
		return ""
	}
	return t.people[t.records[i].person].id
}

// Event is what is true of an event.
type Event struct {
	// Person is who it is from, "" for a notice about nobody.
	Person string
	// Trap says why it may be taken for somebody else's.
	Trap Trap
	// Knowable says that some identifier of it belongs to that person alone.
	Knowable bool
	// Cluster numbers the events of one person that identifiers tie together,
	// directly or through others of that person; −1 where Knowable is false.
	Cluster int
}

// Event looks an event of the feed up; ok is false for an ID that is not in it.
// The first call after [World.React] takes as long as [Truth.Score].
func (t *Truth) Event(id string) (e Event, ok bool) {
	i, ok := t.events[id]
	if !ok {
		return Event{Cluster: -1}, false
	}
	t.resolve()
	r := &t.records[i]
	e = Event{Trap: r.trap, Knowable: r.cluster >= 0, Cluster: int(r.cluster)}
	if r.person >= 0 {
		e.Person = t.people[r.person].id
	}
	return e, true
}

// settle closes the books when everything has been generated.
func (g *generator) settle() {
	t := g.truth
	t.seed = g.h
	t.people, t.members, t.orders = g.people, g.members, g.orders
	t.complaints, t.repairs, t.records = g.complaints, g.repairs, g.records
	t.events = make(map[string]int32, len(g.records))
	for i := range g.records {
		t.events[g.records[i].id] = int32(i)
	}
	t.byPerson = make(map[string]int, len(g.people))
	for i, p := range g.people {
		t.byPerson[p.id] = i
		x := Person{ID: p.id, Kind: p.kind, Brands: []string{brands[p.primary]}, SharesCard: p.guestOf != nil}
		if p.second {
			x.Brands = append(x.Brands, brands[1-p.primary])
		}
		for b := range brands {
			if m := p.cards[b].card; m != nil && m.owner == p {
				x.Cards = append(x.Cards, m.Card)
			}
		}
		for _, s := range p.phones {
			x.Phones = append(x.Phones, s.value)
		}
		if p.relative != nil {
			x.Relative = p.relative.id
			x.SharesCard = p.guestOf != nil || p.relative.guestOf == p
		}
		t.persons = append(t.persons, x)
		slices.SortStableFunc(p.lives, func(a, b experience) int { return a.at.Compare(b.at) })
	}
	t.byNumber = make(map[string]*Order, len(g.orders))
	for _, o := range g.orders {
		t.byNumber[o.Key.Number] = o
	}
	t.byCard = make(map[string]*Membership, len(g.members))
	for _, m := range g.members {
		t.byCard[m.Card] = m
	}
	t.special, t.reassigned, t.stale = g.special, g.reassigned, true
	t.resolve()
	t.phenomena = g.count()
}
