package world

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
)

// act is one thing that a person will do.
type act struct {
	at    time.Time
	kind  actKind
	brand int
	ch    channel
}

type actKind uint8

const (
	joins actKind = iota
	buys
	browses
	abandons
	hesitates
	changesPhone
	addsAssistant
	chats
	calls
	optsOut
	moves
)

// enrol reports who was a member before the start, as history.
func (g *generator) enrol(p *person) {
	for b, t := range p.joins {
		if !t.IsZero() && t.Before(g.start) {
			g.join(p, b, crm, t, nil)
		}
	}
}

// live generates the year of p: what they do is planned first and then
// happens in order, because what a channel sees depends on what came before.
func (g *generator) live(p *person) {
	acts := g.plan(p)
	slices.SortStableFunc(acts, func(a, b act) int { return a.at.Compare(b.at) })
	for _, a := range acts {
		switch a.kind {
		case joins:
			g.join(p, a.brand, a.ch, a.at, nil)
		case buys:
			g.buy(p, purchase{at: a.at, brand: a.brand, ch: a.ch})
		case browses:
			g.browse(p, a.brand, a.ch, a.at)
		case abandons:
			g.abandon(p, a.brand, a.ch, a.at)
		case hesitates:
			g.hesitate(p, a.brand, a.ch, a.at)
		case changesPhone:
			g.changePhone(p, a.at)
		case addsAssistant:
			g.addAssistant(p, a.brand, a.at)
		case chats:
			g.emit(p, record{
				source: wecom, name: feed.AssistantChatted, brand: brands[a.brand], time: a.at,
				ids: p.seen(wecom, a.brand, a.at, false), props: []pair{text("assistant", g.assistant(p, a.brand))},
			})
		case calls:
			g.call(p, a.brand, a.at)
		case optsOut:
			g.optOut(p, a.brand, a.at)
		case moves:
			g.move(p, a.at)
		}
	}
}

func (g *generator) plan(p *person) []act {
	r := p.r
	var acts []act
	add := func(kind actKind, at time.Time, brand int, ch channel) {
		if !at.Before(g.start) && at.Before(g.end) {
			acts = append(acts, act{at, kind, brand, ch})
		}
	}
	for b, t := range p.joins {
		if !t.IsZero() && p.joinVia != tmall && p.joinVia != jd { // there it comes with an order
			add(joins, t, b, p.joinVia)
		}
	}
	if p.guestOf != nil {
		since := g.cal.moment(r, mini, g.start, g.start.AddDate(0, 2, 0))
		p.cards[p.primary] = holding{p.guestOf.cards[p.primary].card, since}
		p.from = later(p.from, since)
		add(browses, since, p.primary, mini)
	}
	years := float64(p.until.Sub(p.from)) / float64(365*day)
	if years <= 0 {
		return acts
	}
	for range poisson(r, p.orderRate*years) {
		ch := channel(pick(r, p.mix, 0, 6))
		add(buys, g.cal.moment(r, ch, p.from, p.until), g.brand(p), ch)
	}
	for range poisson(r, p.visitRate*years) {
		ch := channel(pick(r, p.mix, 0, 6))
		switch ch {
		case tmall, jd: // marketplaces do not tell who looked
			continue
		case till:
			if !chance(r, 0.2) {
				continue
			}
			ch = tablet
		}
		b := g.brand(p)
		kind := browses
		switch x := r.Float64(); {
		case x < 0.14 && ch != tablet && p.kind == Customer:
			kind = abandons
		case x < 0.19 && ch != tablet:
			kind = hesitates
		}
		add(kind, g.cal.moment(r, ch, p.from, p.until), b, ch)
	}
	if p.kind != Customer {
		return acts
	}
	for _, s := range p.phones[1:] {
		add(changesPhone, s.from.Add(time.Duration(1+r.IntN(72))*time.Hour), p.primary, mini)
	}
	if p.joinVia == till || p.joinVia == tablet || chance(r, 0.1) {
		if chance(r, 0.4) {
			t := g.cal.moment(r, till, p.from, p.until)
			add(addsAssistant, t, p.primary, wecom)
			for range poisson(r, 2.5) {
				add(chats, g.cal.moment(r, mini, later(t, p.from), g.end), p.primary, wecom)
			}
		}
	}
	if chance(r, 0.12) {
		add(calls, g.cal.moment(r, till, p.from, p.until), p.primary, call)
	}
	if !p.joins[p.primary].IsZero() && chance(r, 0.10) {
		add(optsOut, g.cal.moment(r, mini, later(p.from, p.joins[p.primary]), g.end), p.primary, mini)
	}
	if !p.joins[p.primary].IsZero() && chance(r, 0.04) {
		add(moves, g.cal.moment(r, mini, later(p.from, p.joins[p.primary]), g.end), p.primary, mini)
	}
	return acts
}

// brand is what p wants this time.
func (g *generator) brand(p *person) int {
	if p.second && chance(p.r, 0.25) {
		return 1 - p.primary
	}
	return p.primary
}

// join makes p a member of a brand. extra are identifiers that the channel
// adds; crm is the file of members from before the start.
func (g *generator) join(p *person, brand int, via channel, t time.Time, extra []profile.Identifier) {
	if p.cards[brand].card != nil {
		return
	}
	m := &Membership{
		Card: g.newCard(brand), Brand: brands[brand], Person: p.id, Via: via.String(), Joined: Fact{At: t},
		Staff: p.kind == Staff, owner: p,
	}
	p.cards[brand] = holding{m, t}
	if p.relative != nil && p.relative.guestOf == p {
		m.Shared = true
		g.special[m.identifier()] |= FamilyCard
	}
	g.members = append(g.members, m)

	ids := slices.Clone(extra)
	rec := record{source: via, name: feed.MemberJoined, brand: brands[brand], time: t}
	switch via {
	case mini:
		ids = append(p.wechat(brand), p.phone(t))
	case app:
		d := p.device(t)
		p.loggedIn[d.Value] = true
		ids = []profile.Identifier{d, p.phone(t)}
	case web:
		c := p.cookie(t)
		p.loggedIn[c.Value] = true
		ids = []profile.Identifier{c, p.phone(t)}
		if p.email != "" {
			ids = append(ids, profile.Identifier{Kind: KindEmail, Value: p.email})
		}
	case tablet:
		ids = []profile.Identifier{g.tablet(p, brand), p.phone(t)}
	case crm:
		rec.mode = profile.Backfill
		ids = []profile.Identifier{p.phone(t)}
		switch {
		case p.joinVia == mini && p.showsUnion:
			ids = append(ids, profile.Identifier{Kind: KindUnionID, Value: p.union})
		case p.joinVia == web && p.email != "":
			ids = append(ids, profile.Identifier{Kind: KindEmail, Value: p.email})
		}
		m.Via = p.joinVia.String()
	default:
		ids = append(ids, p.phone(t))
	}
	rec.ids = append(ids, m.identifier())
	rec.props = []pair{text("card", m.Card), text("via", m.Via)}
	rec.traits = []pair{text("name", p.name), text("city", p.city), text("birthday", p.birthday)}
	if via == till || via == tablet || p.joinVia == till || p.joinVia == tablet {
		o := g.outlets[p.outlet[brand]]
		rec.props = append(rec.props, text("outlet", o.ID))
		rec.traits = append(rec.traits, text("home_outlet", o.ID))
	}
	rec.consents = g.consents(p, brand, via, t)
	if via == crm {
		p.known[p.joinVia] = true
	}
	m.Joined = g.emit(p, rec)
	p.known[via] = true
}

const policy = "2025-06"

// consents are what p ticked when they joined.
func (g *generator) consents(p *person, brand int, via channel, t time.Time) []profile.ConsentAct {
	r := p.r
	var acts []profile.ConsentAct
	tick := func(channel string, share float64) {
		x := r.Float64()
		if x > share+0.15 {
			return // neither asked nor answered
		}
		acts = append(acts, profile.ConsentAct{
			Purpose: "marketing", Channel: channel, Brand: brands[brand],
			Granted: x <= share, Policy: policy, Proof: "form/" + via.String(),
		})
		if channel == "sms" && x <= share {
			p.hasSMS = true
		}
	}
	tick("wechat", 0.75)
	tick("sms", 0.60)
	if p.email != "" {
		tick("email", 0.45)
	}
	if p.joinVia == app {
		tick("push", 0.55)
	}
	if chance(r, 0.85) {
		acts = append(acts, profile.ConsentAct{Purpose: "survey", Brand: brands[brand], Granted: true, Policy: policy, Proof: "form/" + via.String()})
	}
	return acts
}

// optOut withdraws: mostly by answering a text message, which names the
// address alone, else for every channel of the brand or of the group.
func (g *generator) optOut(p *person, brand int, t time.Time) {
	m := p.card(brand, t)
	if m == nil {
		return
	}
	act := profile.ConsentAct{Purpose: "marketing", Brand: brands[brand], Policy: policy, Proof: "settings"}
	rec := record{source: mini, name: feed.ConsentChanged, brand: brands[brand], time: t, ids: p.seen(mini, brand, t, true)}
	switch {
	case p.hasSMS && chance(p.r, 0.6):
		act.Channel, act.Address, act.Proof = "sms", profile.Identifier{Kind: KindPhone, Value: "+86" + p.phone(t).Value}, "sms/TD"
		rec.source, rec.ids = call, []profile.Identifier{p.phone(t)}
	case chance(p.r, 0.3):
		act.Brand = ""
	}
	rec.consents = []profile.ConsentAct{act}
	g.emit(p, rec)
	if chance(p.r, 0.1) { // and thinks better of it
		act.Granted = true
		rec.consents = []profile.ConsentAct{act}
		rec.time = t.Add(time.Duration(5+p.r.IntN(40)) * day)
		g.emit(p, rec)
	}
}

// signs says whether p is signed in for what they do now, and reports the
// sign-in where it is new.
func (g *generator) signs(p *person, ch channel, brand int, t time.Time) bool {
	if p.kind == Visitor {
		return false
	}
	r := p.r
	switch ch {
	case mini:
		return p.card(brand, t) != nil && chance(r, 0.5)
	case app, web:
		key, stays, share := p.device(t).Value, 0.85, 0.5
		if ch == web {
			key, stays, share = p.cookie(t).Value, 0.6, 0.35
		}
		if p.loggedIn[key] {
			return chance(r, stays)
		}
		if (p.known[ch] || p.anyCard(brand, t) != nil) && chance(r, share) {
			g.signIn(p, ch, brand, t)
			return true
		}
	case tablet:
		return chance(r, 0.45) // asked for the number by an assistant
	}
	return false
}

// signIn ties a device or a cookie to what p is known by.
func (g *generator) signIn(p *person, ch channel, brand int, t time.Time) {
	key := p.device(t).Value
	if ch == web {
		key = p.cookie(t).Value
	}
	p.loggedIn[key] = true
	ids := p.seen(ch, brand, t, true)
	if ch == app && p.anyCard(brand, t) != nil {
		ids = append(ids, p.phone(t))
	}
	g.emit(p, record{source: ch, name: feed.CustomerIdentified, brand: brands[brand], time: t, ids: ids})
	p.known[ch] = true
}

// browse looks at some products.
func (g *generator) browse(p *person, brand int, ch channel, t time.Time) {
	n := 1 + p.r.IntN(5)
	var ids []profile.Identifier
	signed := g.signs(p, ch, brand, t)
	if p.guestOf != nil && !p.known[mini] && ch == mini {
		// The family signs in with the number and the card that they share.
		g.emit(p, record{
			source: mini, name: feed.CustomerIdentified, brand: brands[brand], time: t,
			ids: append(p.wechat(brand), p.phone(t), p.guestOf.cards[brand].card.identifier()),
		})
		p.known[mini] = true
	}
	if ch == tablet {
		ids, n = []profile.Identifier{g.tablet(p, brand)}, min(n, 3)
		if signed {
			if m := p.card(brand, t); m != nil && chance(p.r, 0.5) {
				ids = append(ids, m.identifier())
			} else {
				ids = append(ids, p.phone(t))
			}
		}
	} else {
		ids = p.seen(ch, brand, t, signed)
	}
	g.view(p, brand, ch, t, n, ids, nil)
}

// view emits n views from t on; with a product given, all are of that one.
func (g *generator) view(p *person, brand int, ch channel, t time.Time, n int, ids []profile.Identifier, one *product) time.Time {
	products := g.catalog.products[brand]
	for range n {
		item := one
		if item == nil {
			item = &products[p.r.IntN(len(products))]
		}
		g.emit(p, record{
			source: ch, name: feed.ProductViewed, brand: brands[brand], time: t, ids: ids,
			props: []pair{text("sku", item.sku), text("category", item.category)},
		})
		t = t.Add(time.Duration(10+p.r.IntN(240)) * time.Second)
	}
	return t
}

// hesitate comes back to one product three or four times within two days.
func (g *generator) hesitate(p *person, brand int, ch channel, t time.Time) {
	products := g.catalog.products[brand]
	item := &products[p.r.IntN(len(products))]
	ids := p.seen(ch, brand, t, g.signs(p, ch, brand, t))
	for range 3 + p.r.IntN(2) {
		g.view(p, brand, ch, t, 1, ids, item)
		t = t.Add(time.Duration(2+p.r.IntN(14)) * time.Hour)
	}
}

// abandon fills a cart and leaves it; some come back to it by themselves, at a
// till the next day or where it stands.
func (g *generator) abandon(p *person, brand int, ch channel, t time.Time) {
	products := g.catalog.products[brand]
	ids := p.seen(ch, brand, t, g.signs(p, ch, brand, t))
	t = g.view(p, brand, ch, t, 1+p.r.IntN(3), ids, nil)
	item := products[p.r.IntN(len(products))]
	id := g.newCart()
	g.fillCart(p, brand, ch, t, ids, id, item)
	back := t.Add(minutes(p.r, 60, 36*60))
	hour := back.In(Zone).Hour()
	shops := p.mix[till+1] > p.mix[till] && p.card(brand, t) != nil
	switch {
	case !back.Before(g.end):
		g.abandoned++
	case shops && hour >= 10 && hour < 21 && chance(p.r, 0.3):
		g.buy(p, purchase{at: back, brand: brand, ch: till, cart: id, item: &item})
	case chance(p.r, 0.12):
		g.buy(p, purchase{at: back, brand: brand, ch: ch, cart: id, item: &item})
	default:
		g.abandoned++
	}
}

func (g *generator) fillCart(p *person, brand int, ch channel, t time.Time, ids []profile.Identifier, cart string, item product) {
	g.emit(p, record{
		source: ch, name: feed.CartUpdated, brand: brands[brand], time: t, ids: ids,
		props: []pair{text("cart_id", cart), text("sku", item.sku), text("category", item.category), number("price", item.price)},
	})
	if ch == mini && chance(p.r, 0.3) {
		g.emit(p, record{
			source: ch, name: feed.MessageGranted, brand: brands[brand], time: t.Add(5 * time.Second), ids: ids,
			props: []pair{text("channel", "wechat"), text("template", "cart")},
		})
	}
}

// changePhone tells the group of a new number.
func (g *generator) changePhone(p *person, t time.Time) {
	m := p.anyCard(p.primary, t)
	if m == nil {
		return
	}
	g.emit(p, record{
		source: mini, name: feed.ProfileUpdated, brand: m.Brand, time: t,
		ids: []profile.Identifier{m.identifier(), p.phone(t)},
	})
}

// move changes the city.
func (g *generator) move(p *person, t time.Time) {
	m := p.anyCard(p.primary, t)
	if m == nil {
		return
	}
	p.city = cities[p.r.IntN(len(cities))]
	g.emit(p, record{
		source: mini, name: feed.ProfileUpdated, brand: m.Brand, time: t, ids: p.seen(mini, p.primary, t, true),
		traits: []pair{text("city", p.city)},
	})
}

func (g *generator) assistant(p *person, brand int) string {
	o := g.outlets[p.outlet[brand]]
	return o.Assistants[p.index%len(o.Assistants)]
}

// addAssistant makes p a contact of a shop assistant, who learns the WeChat
// account from the platform, or asks for the number, or neither.
func (g *generator) addAssistant(p *person, brand int, t time.Time) {
	ids := p.seen(wecom, brand, t, false)
	switch x := p.r.Float64(); {
	case x < 0.55 && p.showsUnion:
		ids = append(ids, profile.Identifier{Kind: KindUnionID, Value: p.union})
	case x < 0.85:
		ids = append(ids, p.phone(t))
	}
	g.emit(p, record{
		source: wecom, name: feed.AssistantAdded, brand: brands[brand], time: t, ids: ids,
		props: []pair{text("assistant", g.assistant(p, brand)), text("outlet", g.outlets[p.outlet[brand]].ID)},
	})
	p.known[wecom] = true
}

func (g *generator) call(p *person, brand int, t time.Time) {
	reasons := [...]string{"opening hours", "size", "delivery", "invoice", "warranty"}
	g.emit(p, record{
		source: call, name: feed.CallReceived, brand: brands[brand], time: t, ids: p.seen(call, brand, t, false),
		props: []pair{text("reason", reasons[p.r.IntN(len(reasons))])},
	})
}

func (g *generator) tablet(p *person, brand int) profile.Identifier {
	tablets := g.outlets[p.outlet[brand]].tablets
	return profile.Identifier{Kind: KindDevice, Value: tablets[p.index%len(tablets)]}
}

func minutes(r *rand.Rand, from, to int) time.Duration {
	return time.Duration(from*60+r.IntN((to-from)*60)) * time.Second
}
