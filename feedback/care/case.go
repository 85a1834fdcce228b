package care

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// Errors of this package; match them with errors.Is.
var (
	// ErrInvalid reports input or configuration that breaks a stated rule.
	ErrInvalid = errors.New("care: invalid")
	// ErrMismatch reports an ID that is already used with other content.
	ErrMismatch = errors.New("care: ID already used with other content")
	// ErrNotFound reports a case that does not exist.
	ErrNotFound = errors.New("care: not found")
	// ErrNotAllowed reports a verb that the state of the case does not allow.
	ErrNotAllowed = errors.New("care: not allowed in this state")
	// ErrOutOfOrder reports an action that arrived late and does not fit in
	// before what was done since, or lies before the opening.
	ErrOutOfOrder = errors.New("care: action does not fit into what was done since")
	// ErrLoaner reports a loaner that is out when it must not be, or is not
	// out when it should be.
	ErrLoaner = errors.New("care: loaner")
	// ErrConflict reports that records changed between read and commit. A desk
	// retries; inside the caller's transaction it means roll back and run again.
	ErrConflict = errors.New("care: concurrent change")
)

// Opening opens a case.
type Opening struct {
	// ID is the case's, given by the caller. It outlives an erasure, so it
	// must not name a person.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Customer may be empty for somebody unknown.
	Customer profile.ID `json:"customer,omitempty"`
	// Time is when it was opened; clocks start then. Mode is Live or Backfill.
	Time time.Time    `json:"time"`
	Mode profile.Mode `json:"mode,omitempty"`
	// Brand and Priority choose the policy.
	Brand    string `json:"brand,omitempty"`
	Priority string `json:"priority,omitempty"`
	// Topic is a short key, Text the customer's own words.
	Topic string `json:"topic,omitempty"`
	Text  string `json:"text,omitempty"`
	// Order, Product (SKU) and Serial say what it is about. Serial is the ID
	// of a [Product] where that is registered.
	Order   commerce.Key `json:"order,omitzero"`
	Product string       `json:"product,omitempty"`
	Serial  string       `json:"serial,omitempty"`
	// Outlet is where it was opened and goods are dropped off, PickUp where
	// they are handed back; empty means the same outlet.
	Outlet string `json:"outlet,omitempty"`
	PickUp string `json:"pick_up,omitempty"`
	// Response is the feedback that caused the case.
	Response string `json:"response,omitempty"`
	// Actor is who opened it.
	Actor string `json:"actor,omitempty"`
}

// Action is something done on a case. Any of its parts may be empty.
type Action struct {
	// ID is unique within the case.
	ID   string `json:"id"`
	Case string `json:"case"`
	// Time is when it was done, not before the case was opened.
	Time  time.Time    `json:"time"`
	Mode  profile.Mode `json:"mode,omitempty"`
	Actor string       `json:"actor,omitempty"`
	// Verb moves the case along its flow; empty leaves its state.
	Verb string `json:"verb,omitempty"`
	// Reply says that the customer was answered, which a first response waits for.
	Reply bool `json:"reply,omitempty"`
	// Note is free text.
	Note string `json:"note,omitempty"`
	// Assign hands the case to somebody.
	Assign string `json:"assign,omitempty"`
	// Promise tells the customer a time; it replaces the former promise. Note
	// says why.
	Promise time.Time `json:"promise,omitzero"`
	// Lend hands out a loaner, Reclaim takes it back.
	Lend    string `json:"lend,omitempty"`
	Reclaim string `json:"reclaim,omitempty"`
	// Ship starts a courier leg, Arrived ends the one with that tracking number.
	Ship    Leg    `json:"ship,omitzero"`
	Arrived string `json:"arrived,omitempty"`
}

// Leg is one way of the goods with a courier.
type Leg struct {
	Carrier  string `json:"carrier"`
	Tracking string `json:"tracking"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	// SentAt and ArrivedAt are set by the actions.
	SentAt    time.Time `json:"sent_at,omitzero"`
	ArrivedAt time.Time `json:"arrived_at,omitzero"`
}

// Promise is a time that the customer was told.
type Promise struct {
	By     time.Time    `json:"by"`
	MadeAt time.Time    `json:"made_at"`
	Actor  string       `json:"actor,omitempty"`
	Reason string       `json:"reason,omitempty"`
	Mode   profile.Mode `json:"mode,omitempty"`
	// KeptAt is when the case was done in time; a promise that was replaced
	// before its time or broken has none.
	KeptAt time.Time `json:"kept_at,omitzero"`
}

// Entry is an action with what it did to the state.
type Entry struct {
	Action
	From       string    `json:"from"`
	To         string    `json:"to"`
	RecordedAt time.Time `json:"recorded_at"`
}

// Case is the state of a case with its whole history.
type Case struct {
	Opening
	// State is that of the flow, Phase what it means.
	State string `json:"state"`
	Phase Phase  `json:"phase"`
	// Assignee has the case.
	Assignee string `json:"assignee,omitempty"`
	// Clocks measure the targets of the policy that applied when it was opened.
	Clocks []Clock `json:"clocks,omitempty"`
	// Lapses are what was over by time before the last action, in order. What
	// has lapsed since is in [Desk.Status].
	Lapses []Lapse `json:"lapses,omitempty"`
	// Promises in the order made; the last one counts.
	Promises []Promise `json:"promises,omitempty"`
	// WarrantyUntil is that of the registered product when the case was
	// opened; zero where none was registered.
	WarrantyUntil time.Time `json:"warranty_until,omitzero"`
	// Loaner is out with the customer.
	Loaner string `json:"loaner,omitempty"`
	// Legs are the ways with couriers.
	Legs []Leg `json:"legs,omitempty"`
	// History lists all actions in order.
	History []Entry `json:"history,omitempty"`
	// Pending are notices not yet delivered, Announced the lapses that have
	// been made a notice of.
	Pending   []Notice `json:"pending,omitempty"`
	Announced []string `json:"announced,omitempty"`
	// Failures counts how often RunDue failed to deliver the first pending
	// notice, RetryAt is when it tries again.
	Failures int       `json:"failures,omitempty"`
	RetryAt  time.Time `json:"retry_at,omitzero"`
	// NextDue is when RunDue has something to do; zero for nothing.
	NextDue time.Time `json:"next_due,omitzero"`
	// RecordedAt is when the desk learned of the case.
	RecordedAt time.Time `json:"recorded_at"`
	// Erased says that the person and all free text were taken out.
	Erased bool `json:"erased,omitempty"`
	// Trimmed says that its free text was dropped after its time.
	Trimmed bool `json:"trimmed,omitempty"`
	// Version counts the writes of the record; the store keeps it.
	Version uint64 `json:"version,omitempty"`
}

func (c Case) clone() Case {
	c.Clocks = slices.Clone(c.Clocks)
	for i := range c.Clocks {
		c.Clocks[i].Target.EscalateAt = slices.Clone(c.Clocks[i].Target.EscalateAt)
	}
	c.Lapses = slices.Clone(c.Lapses)
	c.Promises = slices.Clone(c.Promises)
	c.Legs = slices.Clone(c.Legs)
	c.History = slices.Clone(c.History)
	c.Pending = slices.Clone(c.Pending)
	c.Announced = slices.Clone(c.Announced)
	return c
}

// UnderWarranty reports whether the product was under warranty when the case
// was opened, as far as it was registered.
func (c Case) UnderWarranty() bool { return c.Time.Before(c.WarrantyUntil) }

func (c *Case) lastTime() time.Time {
	if n := len(c.History); n > 0 {
		return c.History[n-1].Time
	}
	return c.Time
}

const (
	maxKeyBytes  = 256
	maxTextRunes = 10_000
)

func (o Opening) validate() error {
	fail := func(err error) error { return fmt.Errorf("%w: opening: %w", ErrInvalid, err) }
	if o.ID == "" {
		return fail(errors.New("no ID"))
	}
	if err := checkKeys(o.ID, string(o.Kind), o.Brand, o.Priority, o.Topic, o.Order.Source, o.Order.Outlet,
		o.Order.Number, o.Product, o.Serial, o.Outlet, o.PickUp, o.Response, o.Actor); err != nil {
		return fail(err)
	}
	if err := checkText(o.Text); err != nil {
		return fail(err)
	}
	if o.Customer != "" {
		if err := o.Customer.Validate(); err != nil {
			return fail(err)
		}
	}
	if err := checkTime(o.Time); err != nil {
		return fail(err)
	}
	if o.Mode > profile.Backfill {
		return fail(errors.New("unknown mode"))
	}
	return nil
}

func (a Action) validate() error {
	fail := func(err error) error { return fmt.Errorf("%w: action: %w", ErrInvalid, err) }
	if a.ID == "" || a.Case == "" {
		return fail(errors.New("no ID or no case"))
	}
	if err := checkKeys(a.ID, a.Case, a.Actor, a.Verb, a.Assign, a.Lend, a.Reclaim, a.Ship.Carrier,
		a.Ship.Tracking, a.Ship.From, a.Ship.To, a.Arrived); err != nil {
		return fail(err)
	}
	if err := checkText(a.Note); err != nil {
		return fail(err)
	}
	if err := checkTime(a.Time); err != nil {
		return fail(err)
	}
	if !a.Promise.IsZero() {
		if err := checkTime(a.Promise); err != nil {
			return fail(err)
		}
		if !a.Promise.After(a.Time) {
			return fail(errors.New("promise of a time that is not ahead"))
		}
	}
	if a.Ship != (Leg{}) && (a.Ship.Tracking == "" || !a.Ship.SentAt.IsZero() || !a.Ship.ArrivedAt.IsZero()) {
		return fail(errors.New("a courier leg needs a tracking number, and its times are not given"))
	}
	if a.Mode > profile.Backfill {
		return fail(errors.New("unknown mode"))
	}
	return nil
}

func checkKeys(keys ...string) error {
	for _, k := range keys {
		if len(k) > maxKeyBytes {
			return fmt.Errorf("%d bytes, at most %d allowed", len(k), maxKeyBytes)
		}
		if strings.IndexByte(k, 0) >= 0 || !utf8.ValidString(k) {
			return errors.New("text with NUL or invalid UTF-8")
		}
	}
	return nil
}

func checkText(s string) error {
	if utf8.RuneCountInString(s) > maxTextRunes {
		return fmt.Errorf("text of more than %d characters", maxTextRunes)
	}
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return errors.New("text with NUL or invalid UTF-8")
	}
	return nil
}

func checkTime(t time.Time) error {
	if t.IsZero() {
		return errors.New("no time")
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return errors.New("time outside the years 1 to 9999")
	}
	return nil
}

// micro brings a time to UTC and the microsecond, the resolution of every record.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Truncate(time.Microsecond).UTC()
}
