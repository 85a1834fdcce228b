package profile

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// ConsentQuery asks for permission to reach a customer.
type ConsentQuery struct {
	// Purpose is what for; required.
	Purpose string `json:"purpose"`
	// Channel, Address and Brand narrow the question. An act covers a question
	// where each of its fields is empty or the same, so an act for one channel
	// says nothing about a question for every channel.
	Channel string     `json:"channel,omitempty"`
	Address Identifier `json:"address,omitzero"`
	Brand   string     `json:"brand,omitempty"`
	// With are purposes that need a consent of their own besides: sensitive
	// data, sharing, cross-border use. Each must be granted within the same
	// scope, explicitly.
	With []string `json:"with,omitempty"`
	// Minor asks for a minor: only what a guardian granted explicitly counts.
	Minor bool `json:"minor,omitempty"`
}

// ConsentReason says why a permission stands as it does.
type ConsentReason uint8

// The reasons of a [Permission].
const (
	NeverAsked       ConsentReason = iota // no act covers the question
	ExplicitGrant                         // an explicit grant stands
	ExplicitRefusal                       // an explicit withdrawal stands
	InferredGrant                         // only inferred acts cover it, none of them against
	InferredRefusal                       // an inferred act is against, and no explicit one covers it
	ConsentExpired                        // the grant is over
	ConsentPending                        // a grant awaits its confirmation
	ProcessingHalted                      // the customer's processing is restricted
	AddressReleased                       // the address came to somebody else since the grant
)

var consentReasonNames = [...]string{
	"never_asked", "explicit_grant", "explicit_refusal", "inferred_grant", "inferred_refusal", "expired", "pending", "restricted", "address_released",
}

func (r ConsentReason) String() string {
	if int(r) < len(consentReasonNames) {
		return consentReasonNames[r]
	}
	return "unknown"
}

// MarshalText writes the name of r.
func (r ConsentReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *ConsentReason) UnmarshalText(b []byte) error {
	i := slices.Index(consentReasonNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("profile: unknown consent reason %q", b)
	}
	*r = ConsentReason(i)
	return nil
}

// Permission answers a [ConsentQuery].
type Permission struct {
	// Granted is the answer.
	Granted bool `json:"granted"`
	// Reason says why.
	Reason ConsentReason `json:"reason"`
	// Act decided, was done At and reported by Event; zero for [NeverAsked].
	Act   ConsentAct `json:"act,omitzero"`
	At    time.Time  `json:"at,omitzero"`
	Event string     `json:"event,omitempty"`
}

// String says it for people.
func (p Permission) String() string {
	day := p.At.Format(time.DateOnly)
	switch p.Reason {
	case ExplicitGrant:
		return "granted by the customer on " + day
	case ExplicitRefusal:
		return "withdrawn by the customer on " + day
	case InferredGrant:
		return "inferred on " + day + ", nothing against it"
	case InferredRefusal:
		return "inferred refusal of " + day
	case ConsentExpired:
		return "granted on " + day + ", expired on " + p.Act.ExpiresAt.Format(time.DateOnly)
	case ConsentPending:
		return "asked for on " + day + ", not confirmed yet"
	case ProcessingHalted:
		return "processing of the customer's data is restricted"
	case AddressReleased:
		return "granted on " + day + ", but the address is another person's since"
	}
	return "the customer was never asked"
}

// consent is an act in its place.
type consent struct {
	act   ConsentAct
	at    int64
	event string
}

// consent keeps the acts of a record.
func (e *evidence) consent(rec *record) {
	for _, act := range rec.consents() {
		e.more().consents = append(e.more().consents, consent{act: act, at: rec.at, event: rec.id})
	}
}

// May answers whether a customer, by a present or former ID, has permitted to
// be reached, as things stood at a time; errors as for [Directory.Resolve].
//
// Acts are scoped by address, purpose, channel and brand. Within a scope the
// customer's latest explicit act wins. Of several scopes that cover the
// question, a grant beats a withdrawal only if it is later and at least as narrow: who
// withdraws from everything and then subscribes to one channel may be reached
// there, and who leaves one channel is not brought back by a later grant for
// all. Of acts in no such order, by scope or by time, the withdrawal wins.
// Inferred acts count only where no explicit act covers the question, and then
// any refusal wins. A grant is over at its expiry, and for an address where
// that was released ([Directory.Release]). For an address that is none, masked
// for example, the customer was never asked.
func (d *Directory) May(ctx context.Context, id ID, q ConsentQuery, at time.Time) (Permission, error) {
	ask := Query{Anchors: []ID{id}}
	var address name
	if q.Address != (Identifier{}) {
		n, reason := d.rules().name(q.Address, q.Brand)
		if reason != 0 {
			_, err := d.Resolve(ctx, id)
			return Permission{}, err
		}
		address, q.Address = n, n.identifier()
		ask.Names = []Name{n.row()}
	}
	answer := Permission{}
	err := d.view(ctx, ask, func(g *graph) error {
		c, err := g.whole(id)
		if err != nil {
			return err
		}
		if c.restricted() {
			answer = Permission{Reason: ProcessingHalted}
			return nil
		}
		answer = c.may(q, at, false)
		for _, also := range q.With {
			if !answer.Granted {
				break
			}
			besides := q
			besides.Purpose = also
			if a := c.may(besides, at, true); !a.Granted {
				answer = a
			}
		}
		if answer.Granted && answer.At.Before(g.ownedSince(address, at)) {
			answer.Granted, answer.Reason = false, AddressReleased
		}
		return nil
	})
	return answer, err
}

// ownedSince is when a value came to whom it belonged at an instant; the zero
// time where it was never released until then.
func (g *graph) ownedSince(address name, at time.Time) time.Time {
	var since time.Time
	if address.kind == nil {
		return since
	}
	if n := g.findNode(address); n != nil {
		for _, r := range n.releases() {
			if r <= at.UnixMicro() {
				since = instant(r)
			}
		}
	}
	return since
}

// may decides for one purpose. separate asks for a consent of its own, which
// nothing inferred is.
func (c *cluster) may(q ConsentQuery, at time.Time, separate bool) Permission {
	var acts []consent
	var asked *consent
	for _, e := range c.evidence {
		for _, k := range e.consents() {
			switch {
			case k.at > at.UnixMicro() || !k.covers(q):
			case k.act.Pending:
				if asked == nil || k.newer(asked) {
					asked = &k
				}
			case k.act.Granted && q.Minor && k.act.Guardian == "":
			case k.act.Granted && k.act.Inferred && (separate || q.Minor):
			default:
				acts = append(acts, k)
			}
		}
	}
	p := permission(acts, at)
	if !p.Granted && asked != nil && !asked.over(at) && asked.at >= p.At.UnixMicro() {
		return Permission{Reason: ConsentPending, Act: asked.act, At: time.UnixMicro(asked.at).UTC(), Event: asked.event}
	}
	return p
}

func (k *consent) covers(q ConsentQuery) bool {
	a := &k.act
	return a.Purpose == q.Purpose &&
		(a.Channel == "" || a.Channel == q.Channel) &&
		(a.Brand == "" || a.Brand == q.Brand) &&
		(a.Address == Identifier{} || a.Address == q.Address)
}

func (k *consent) sameScope(l *consent) bool { return k.within(l) && l.within(k) }

// within reports whether the scope of k is at least as narrow as that of l.
func (k *consent) within(l *consent) bool {
	return (l.act.Channel == "" || k.act.Channel == l.act.Channel) &&
		(l.act.Brand == "" || k.act.Brand == l.act.Brand) &&
		(l.act.Address == Identifier{} || k.act.Address == l.act.Address)
}

// permission decides among the acts that cover a question.
func permission(acts []consent, at time.Time) Permission {
	standing := standingActs(acts)
	answer := func(k *consent, reason ConsentReason) Permission {
		return Permission{
			Granted: reason == ExplicitGrant || reason == InferredGrant, Reason: reason,
			Act: k.act, At: time.UnixMicro(k.at).UTC(), Event: k.event,
		}
	}
	var expired, beaten *consent
	for i := range standing {
		grant := &standing[i]
		if !grant.act.Granted {
			continue
		}
		against := slices.IndexFunc(standing, func(w consent) bool {
			return !w.act.Granted && (w.at >= grant.at || !grant.within(&w))
		})
		switch {
		case against >= 0:
			beaten = &standing[against]
		case grant.over(at):
			expired = grant
		default:
			return answer(grant, ExplicitGrant)
		}
	}
	switch {
	case expired != nil:
		return answer(expired, ConsentExpired)
	case beaten != nil:
		return answer(beaten, ExplicitRefusal)
	case len(standing) > 0:
		return answer(&standing[0], ExplicitRefusal)
	}
	var inferred, over *consent
	for i := range acts {
		k := &acts[i]
		switch {
		case !k.act.Granted:
			if inferred == nil || inferred.act.Granted || k.newer(inferred) {
				inferred = k
			}
		case k.over(at):
			over = k
		case inferred == nil || inferred.act.Granted && k.newer(inferred):
			inferred = k
		}
	}
	switch {
	case inferred != nil && inferred.act.Granted:
		return answer(inferred, InferredGrant)
	case inferred != nil:
		return answer(inferred, InferredRefusal)
	case over != nil:
		return answer(over, ConsentExpired)
	}
	return Permission{}
}

func (k *consent) over(at time.Time) bool {
	return !k.act.ExpiresAt.IsZero() && !at.Before(k.act.ExpiresAt)
}

func (k *consent) newer(l *consent) bool {
	return k.at > l.at || k.at == l.at && k.event > l.event
}

// standingActs keeps the latest explicit act of every scope, newest first; of
// acts at one instant, the withdrawal.
func standingActs(acts []consent) []consent {
	explicit := make([]consent, 0, len(acts))
	for _, k := range acts {
		if !k.act.Inferred {
			explicit = append(explicit, k)
		}
	}
	slices.SortFunc(explicit, func(a, b consent) int {
		switch {
		case a.at != b.at:
			return compareInt(b.at, a.at)
		case a.act.Granted != b.act.Granted:
			if a.act.Granted {
				return 1
			}
			return -1
		case a.newer(&b):
			return -1
		}
		return 1
	})
	standing := explicit[:0]
	for i := range explicit {
		k := explicit[i]
		if !slices.ContainsFunc(standing, func(s consent) bool { return s.sameScope(&k) }) {
			standing = append(standing, k)
		}
	}
	return standing
}
