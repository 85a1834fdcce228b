package journey

import (
	"context"
	"slices"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// ask puts a message before the contact policy and stores the answer: the new
// time of a deferred one, the end of a suppressed one, or lease and reservation
// in one commit. It reports whether the message is to be sent now.
func (e *Engine) ask(ctx context.Context, er *EffectRow, now time.Time, p *Progress) (send bool, err error) {
	err = again(ctx, func() error {
		f := &er.Effect
		found, err := e.store.Get(ctx, Lookup{Customer: f.Customer, Instance: f.Instance, Effect: f.Key})
		if err != nil {
			return err
		}
		if found.Effect == nil || found.Effect.Version != er.Version {
			return errLost
		}
		m := er.message(found.Instance == nil || found.Instance.Instance.NeedUntil > f.Seq)
		facts := contact.Facts{Zone: e.location(found.Contact.Row.Zone)}
		if facts.Consent, err = e.consents(ctx, f, now); err != nil {
			return err
		}
		d, row := e.gate.Decide(found.Contact.Row, m, facts, now)
		next := *er
		next.Decision, next.Detail = d, ""
		switch d.Verdict {
		case contact.Allow, contact.Fallback:
			found.Contact.Row = row
			if err := e.lease(ctx, &next, now, &found.Contact); err != nil {
				return err
			}
			*er, send = next, true
			return nil
		case contact.Defer:
			next.State, next.Wake = Pending, micro(d.Until)
			if err := e.write(ctx, &next, now); err != nil {
				return err
			}
			p.Deferred++
			return nil
		}
		next.State, next.Wake = Suppressed, time.Time{}
		if err := e.finish(ctx, &next, now, p); err != nil {
			return err
		}
		p.Suppressed++
		return nil
	})
	return send, err
}

// message is the effect as the contact policy sees it.
func (er *EffectRow) message(needMet bool) contact.Message {
	f := &er.Effect
	return contact.Message{
		Key: f.Key, Template: f.Name, Purpose: f.Purpose, Category: f.Category, Brand: f.Brand,
		Channels: f.Channels, NotAfter: f.NotAfter, Missing: f.Missing, Refused: er.Refused, NeedMet: needMet,
	}
}

// release is the contact row after a message has come out of its lease: its
// reservation is final, given back, or, while nobody knows, kept. changed is
// false where there is nothing to do.
func (er *EffectRow) release(row contact.Row) (after contact.Row, changed bool) {
	result, over := er.result()
	if !over || !slices.ContainsFunc(row.Sent, func(s contact.Sent) bool { return s.Key == er.Effect.Key && s.Held }) {
		return row, false
	}
	return row.Settle(er.Effect.Key, result), true
}

// result is how the message's reservation ends; over is false while it is kept.
func (er *EffectRow) result() (result contact.Result, over bool) {
	switch er.State {
	case Confirmed:
		return contact.Confirmed, true
	case Uncertain, Leased:
		return 0, false
	}
	return contact.Rejected, true
}

// Contact is what is known of a customer for the contact policy.
func (e *Engine) Contact(ctx context.Context, id profile.ID) (contact.Row, error) {
	f, err := e.store.Get(ctx, Lookup{Customer: id})
	return f.Contact.Row, err
}

// UpdateContact changes a customer's contact row: consents, credits, replies,
// follows, zone. The function gets the present row and returns the new one; it
// may be called more than once. Waits for a local time follow a new zone.
func (e *Engine) UpdateContact(ctx context.Context, id profile.ID, change func(contact.Row) contact.Row) error {
	if err := id.Validate(); err != nil {
		return err
	}
	now := e.now()
	return again(ctx, func() error {
		f, err := e.store.Get(ctx, Lookup{Customer: id})
		if err != nil {
			return err
		}
		u := e.unit(now, &f)
		was, is := u.contact.Row, change(u.contact.Row)
		for _, row := range u.rows {
			if was.Zone == is.Zone {
				break
			}
			if err := u.elapse(ctx, row, now); err != nil { // what is over is over by the old clock
				return err
			}
		}
		u.setContact(is)
		for _, row := range u.rows {
			if was.Zone == is.Zone {
				break
			}
			if _, err := u.hear(ctx, row, Input{Kind: ZoneInput, Time: now, Mode: row.Instance.Mode}, now); err != nil {
				return err
			}
		}
		return u.commit(ctx)
	})
}
