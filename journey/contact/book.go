package contact

import (
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Book is a customer's [Row] that one goroutine changes in place, for who plays
// through many customers, as simulations do: it answers and records what [Gate]
// and Row do, without a new Row each time. The zero Book is the zero Row.
type Book struct{ row Row }

// Reset begins with a copy of a row, in the space of the one before.
func (b *Book) Reset(r Row) {
	was := &b.row
	clear(was.Consents)
	clear(was.Credits)
	clear(was.Replies)
	clear(was.Follows)
	clear(was.Sent)
	*was = Row{
		Zone: r.Zone, Restricted: r.Restricted,
		Consents: append(was.Consents[:0], r.Consents...), Credits: append(was.Credits[:0], r.Credits...),
		Replies: append(was.Replies[:0], r.Replies...), Follows: append(was.Follows[:0], r.Follows...),
		Sent: append(was.Sent[:0], r.Sent...),
	}
}

// Row is a copy of the present row.
func (b *Book) Row() Row {
	r := b.row
	r.Consents, r.Credits, r.Replies = slices.Clone(r.Consents), slices.Clone(r.Credits), slices.Clone(r.Replies)
	r.Follows, r.Sent = slices.Clone(r.Follows), slices.Clone(r.Sent)
	return r
}

// Zone is the row's.
func (b *Book) Zone() string { return b.row.Zone }

// Consent records an act as [Row.WithConsent] does.
func (b *Book) Consent(act profile.ConsentAct, at time.Time) {
	i, c, news := b.row.weigh(act, at)
	switch {
	case !news:
	case i < 0:
		b.row.Consents = append(b.row.Consents, c)
	default:
		b.row.Consents[i] = c
	}
}

// Decide answers as [Gate.Decide] does, and reserves the message if it goes out.
// The message is not changed.
func (b *Book) Decide(g *Gate, m *Message, f Facts, now time.Time) Decision {
	d := g.decide(&b.row, m, &f, now)
	if d.Sends() {
		g.reserve(&b.row, m, d.Channel, now)
	}
	return d
}

// Settle ends a reservation as [Row.Settle] does.
func (b *Book) Settle(key string, result Result) {
	if i := b.row.held(key); i >= 0 {
		b.row.settle(i, result)
	}
}
