package world

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// record is an event and what is true of it.
type record struct {
	id, name, brand string
	source          channel
	mode            profile.Mode
	time            time.Time
	ids             []profile.Identifier // as delivered
	keys            []profile.Identifier // the same, cleaned, without those that name nobody
	traits, props   []pair
	order           *commerce.Event
	consents        []profile.ConsentAct
	person          int32 // index, −1 for nobody
	trap            Trap
	arrived         time.Time // the first time
	cluster         int32     // see identity.go
}

type pair struct {
	name  string
	value profile.Value
}

// delivery is a record on its way; a record that is sent twice has two.
type delivery struct {
	at     time.Time
	record int32
}

func (r *record) event() profile.Event {
	e := profile.Event{
		ID: r.id, Source: r.source.String(), Name: r.name, Time: r.time, Mode: r.mode, Brand: r.brand,
		Identifiers: slices.Clone(r.ids),
		Traits:      values(r.traits), Properties: values(r.props),
		Consents: slices.Clone(r.consents),
	}
	if r.order != nil {
		o := *r.order
		o.ID, o.Time = r.id, r.time
		o.Lines, o.Replacement, o.Payments = slices.Clone(o.Lines), slices.Clone(o.Replacement), slices.Clone(o.Payments)
		e.Order = &o
	}
	return e
}

func values(pairs []pair) profile.Values {
	if len(pairs) == 0 {
		return nil
	}
	m := make(profile.Values, len(pairs))
	for _, p := range pairs {
		m[p.name] = p.value
	}
	return m
}

func text(name, s string) pair { return pair{name, profile.Text(s)} }

func number(name string, n int64) pair { return pair{name, profile.Int(n)} }

// Feed yields the deliveries of the year in order of arrival, the same ones at
// each call and never an error. Every event is the reader's own copy.
func (w *World) Feed() feed.Feed {
	return func(yield func(feed.Delivery, error) bool) {
		for _, d := range w.deliveries {
			if !yield(feed.Delivery{At: d.at, Event: w.records[d.record].event()}, nil) {
				return
			}
		}
	}
}

// The shares of deliveries, see the package's documentation.
const (
	lateShare     = 0.025
	veryLateShare = 0.002
	againShare    = 0.015
)

// emit adds what rec reports to the feed unless it happens after the end, and
// returns when it happened and arrived; the zero Fact if it did not.
func (g *generator) emit(p *person, rec record) Fact {
	if !rec.time.Before(g.end) {
		return Fact{}
	}
	r := p.r
	rec.time = rec.time.Truncate(time.Millisecond)
	n := uint64(len(g.records))
	rec.id = g.h.token(rec.source.String()+"-", hexa, 16, 0xe7e27, n)
	rec.person = int32(p.index)
	if rec.keys == nil {
		rec.keys = rec.ids
	}
	rec.trap |= g.trapOf(rec.keys)
	if len(rec.keys) == 0 && len(rec.ids) > 0 {
		rec.trap |= Dirty
	}
	switch rec.source {
	case till, tablet, call, crm: // typed by hand
		rec.ids, rec.trap = mistype(r, rec.ids, rec.trap)
	}
	rec.arrived = rec.time.Add(g.delay(r, &rec))
	i := int32(len(g.records))
	g.records = append(g.records, rec)
	g.deliveries = append(g.deliveries, delivery{rec.arrived, i})
	if rec.mode == profile.Live && chance(r, againShare) {
		gap := time.Duration(5+r.IntN(7200)) * time.Second
		if chance(r, 0.1) {
			gap += time.Duration(1+r.IntN(5)) * day
		}
		g.deliveries = append(g.deliveries, delivery{rec.arrived.Add(gap), i})
	}
	return Fact{At: rec.time, Arrived: rec.arrived, record: i}
}

// delay is how long the source takes to report an event.
func (g *generator) delay(r *rand.Rand, rec *record) time.Duration {
	if rec.mode == profile.Backfill {
		return g.start.Sub(rec.time) + time.Duration(r.IntN(1800_000))*time.Millisecond
	}
	local := rec.time.In(Zone)
	sale := local.Month() == time.November && local.Day() >= 10 && local.Day() <= 12
	if sale && rec.name == feed.MemberJoined && (rec.source == tmall || rec.source == jd) {
		bulk := time.Date(local.Year(), time.November, 13, 10, 0, 0, 0, Zone)
		return bulk.Sub(rec.time) + time.Duration(r.IntN(600_000))*time.Millisecond
	}
	var d time.Duration
	switch rec.source {
	case till:
		d = time.Duration(1+r.IntN(600)) * time.Second
	case tmall, jd:
		d = time.Duration(5+r.IntN(900)) * time.Second
		if sale {
			d += time.Duration(r.IntN(4*3600)) * time.Second
		}
	case call, wecom, oper:
		d = time.Duration(30+r.IntN(900)) * time.Second
	default:
		d = time.Duration(150+r.IntN(5000)) * time.Millisecond
	}
	if rec.name == feed.PointsRedeemed {
		return d // the ledger is asked while the customer waits
	}
	switch x := r.Float64(); {
	case x < veryLateShare:
		d += 3*day + time.Duration(r.Int64N(int64(11*day)))
	case x < veryLateShare+lateShare:
		d += time.Hour + time.Duration(r.Int64N(int64(3*day)))
	}
	return d.Truncate(time.Millisecond)
}

// mistype writes the phones among ids as clerks do: with the country's prefix,
// in full-width digits, with spaces, or next to an empty field. The number
// stays readable to who normalizes it.
func mistype(r *rand.Rand, ids []profile.Identifier, trap Trap) ([]profile.Identifier, Trap) {
	for i, id := range ids {
		if id.Kind != KindPhone || len(id.Value) != 11 || !chance(r, 0.15) {
			continue
		}
		v := id.Value
		switch r.IntN(5) {
		case 0:
			v = "0086" + v
		case 1:
			v = "+86 " + v
		case 2:
			v = strings.Map(func(c rune) rune { return c - '0' + '０' }, v)
		case 3:
			v = v[:3] + " " + v[3:7] + " " + v[7:]
		case 4:
			v = v[:3] + "-" + v[3:7] + "-" + v[7:]
		}
		ids = slices.Clone(ids)
		ids[i].Value = v
		trap |= Dirty
	}
	if chance(r, 0.02) {
		ids = append(slices.Clone(ids), profile.Identifier{Kind: KindEmail, Value: ""})
		trap |= Dirty
	}
	return ids, trap
}
