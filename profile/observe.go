package profile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	// ErrInvalidEvent reports an event that cannot be recorded; the text says
	// which field and why, without repeating its content.
	ErrInvalidEvent = errors.New("profile: invalid event")
	// ErrNoIdentifier reports an event none of whose identifiers can be used:
	// it belongs to nobody. The receipt says why each was refused.
	ErrNoIdentifier = errors.New("profile: event without a usable identifier")
	// ErrEventConflict reports an event whose ID is taken by another content.
	ErrEventConflict = errors.New("profile: event ID taken by another content")
)

// The bounds of an event.
const (
	// MaxIdentifiers is the most identifiers in one event. A profile has no such bound.
	MaxIdentifiers = 256
	// MaxTraits is the most traits, and the most properties, in one event.
	MaxTraits = 1024
)

// EvidenceKey names a record of evidence: a distinct set of normalized
// identifiers. It is a hash of the set, so it is the same in every directory.
type EvidenceKey [16]byte

// String is the key in hexadecimal.
func (k EvidenceKey) String() string { return hex.EncodeToString(k[:]) }

// IsZero reports whether k names nothing.
func (k EvidenceKey) IsZero() bool { return k == EvidenceKey{} }

// MarshalText writes the key in hexadecimal.
func (k EvidenceKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *EvidenceKey) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(k[:], b); err != nil || n != len(k) {
		return errors.New("profile: malformed evidence key")
	}
	return nil
}

// Receipt says what became of an event.
type Receipt struct {
	// Event is the event's ID.
	Event string `json:"event"`
	// Profile is the customer to whom the event belongs now; empty where every
	// identifier is blocked.
	Profile ID `json:"profile,omitempty"`
	// Evidence is the record that the event is part of.
	Evidence EvidenceKey `json:"evidence,omitzero"`
	// Duplicate is true where the event had been recorded before.
	Duplicate bool `json:"duplicate,omitempty"`
	// Retracted is true where the event had been recorded and retracted: it stays out.
	Retracted bool `json:"retracted,omitempty"`
	// Refused are the identifiers that were not used, or not linked, and why.
	Refused []Refusal `json:"refused,omitempty"`
	// RefusedTraits are the traits whose value their rule does not accept, in order.
	RefusedTraits []string `json:"refused_traits,omitempty"`
	// Seq is the position of the event's Observed row in the change feed; 0 if
	// the Store numbers later.
	Seq uint64 `json:"seq,omitempty"`
	// Folded is the number of evidence records whose links were decided anew.
	Folded int `json:"folded,omitempty"`
	// Err says why the event of a batch was not recorded.
	Err error `json:"-"`
}

// Observe records an event and resolves whose it is.
//
// The same ID with the same content, whatever its Mode, is a duplicate and
// changes nothing; with other content it is [ErrEventConflict]. An identifier
// that cannot be used is left out and reported in the receipt; an event with
// none left is [ErrNoIdentifier], and one that is out of form, or further in the
// future than Config.MaxAhead, is [ErrInvalidEvent]: both record nothing, and the ID stays free.
//
// Times are truncated to the microsecond. The event is copied; the caller may
// reuse its maps and slices. Safe for concurrent use.
func (d *Directory) Observe(ctx context.Context, e Event) (Receipt, error) {
	if d.store != nil {
		receipts, err := d.ObserveBatch(ctx, []Event{e})
		if err != nil {
			return Receipt{}, err
		}
		return receipts[0], receipts[0].Err
	}
	var buf [8]name
	p, _, refused, err := d.prepare(d.rules(), &e, d.now(), buf[:0])
	if err == nil {
		if err := ctx.Err(); err != nil {
			return Receipt{}, err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if p.rules != d.graph.rules {
			p, _, refused, err = d.prepare(d.graph.rules, &e, p.now, buf[:0])
		}
	}
	if err != nil {
		return Receipt{Event: e.ID, Refused: refused, Err: err}, err
	}
	r := d.graph.observe(&p, refused)
	return r, r.Err
}

// ObserveBatch is Observe for many events, committed together: the receipts
// stand in the order of the events, and an event that cannot be recorded has
// its error in its receipt and does not stop the others. The error is that of
// the context or the Store; then nothing is recorded.
func (d *Directory) ObserveBatch(ctx context.Context, events []Event) ([]Receipt, error) {
	for {
		rules := d.rules()
		batch, receipts := d.prepareBatch(rules, events)
		if d.store != nil {
			recorded, err := d.observeStored(ctx, rules, batch, receipts)
			if errors.Is(err, errOvertaken) {
				continue
			}
			return recorded, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.mu.Lock()
		if rules != d.graph.rules {
			d.mu.Unlock()
			continue
		}
		defer d.mu.Unlock()
		for i := range batch {
			if receipts[i].Err == nil {
				receipts[i] = d.graph.observe(&batch[i], receipts[i].Refused)
			}
		}
		return receipts, nil
	}
}

// errOvertaken reports that the rules changed since events were prepared.
var errOvertaken = errors.New("profile: prepared under former rules")

func (d *Directory) prepareBatch(rules *rules, events []Event) ([]prepared, []Receipt) {
	batch := make([]prepared, len(events))
	receipts := make([]Receipt, len(events))
	buf := make([]name, 0, 4*len(events))
	now := d.now()
	for i := range events {
		receipts[i].Event = events[i].ID
		batch[i], buf, receipts[i].Refused, receipts[i].Err = d.prepare(rules, &events[i], now, buf)
	}
	return batch, receipts
}

// observeStored records a prepared batch in the Store, in one commit; doors are
// the receipts as far as the door goes.
func (d *Directory) observeStored(ctx context.Context, rules *rules, batch []prepared, doors []Receipt) ([]Receipt, error) {
	q := Query{Arrivals: len(batch)}
	for i := range batch {
		if doors[i].Err != nil {
			continue
		}
		q.Events = append(q.Events, batch[i].event.ID)
		q.Evidence = append(q.Evidence, batch[i].key)
		for _, n := range batch[i].names {
			q.Names = append(q.Names, n.row())
		}
		q.Tombstones = append(q.Tombstones, rules.hashes(&batch[i])...)
	}
	receipts := slices.Clone(doors)
	err := d.update(ctx, q, func(g *graph) error {
		if g.rules != rules {
			return errOvertaken
		}
		for i := range batch {
			if doors[i].Err == nil {
				receipts[i] = g.observe(&batch[i], doors[i].Refused)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return receipts, nil
}

// name is an identifier made ready: its kind and scope, and its normalized
// value, followed by NUL and the day of the release for one that was released
// and came to somebody else.
type name struct {
	kind  *scoped
	value string
}

func (n name) identifier() Identifier {
	value, _, _ := strings.Cut(n.value, "\x00")
	return Identifier{Kind: n.kind.full, Value: value}
}

// blocked reports whether the value is on its kind's list, whoever owns it.
func (n name) blocked() bool {
	if len(n.kind.blocked) == 0 && len(n.kind.patterns) == 0 {
		return false
	}
	value, _, _ := strings.Cut(n.value, "\x00")
	return n.kind.blocks(value)
}

// compareNames is the order of linking: strongest first.
func compareNames(a, b name) int {
	if a.kind != b.kind {
		if c := compareInt(int64(a.kind.Priority), int64(b.kind.Priority)); c != 0 {
			return c
		}
	}
	if c := strings.Compare(a.value, b.value); c != 0 {
		return c
	}
	return strings.Compare(a.kind.full, b.kind.full)
}

// prepared is an event checked and normalized, ready for the graph. It refers
// to the caller's event, which the graph copies.
type prepared struct {
	event    *Event
	rules    *rules // by which it was normalized
	at       int64
	now      time.Time
	names    []name // distinct, in the order of linking
	key      EvidenceKey
	consents []ConsentAct // normalized, a copy
}

// prepare checks an event. Its names go to the end of buf, which it returns
// with the identifiers that it refused. Nothing here reaches the heap where all
// goes well, and so the prepared event is a result.
func (d *Directory) prepare(rules *rules, e *Event, now time.Time, buf []name) (prepared, []name, []Refusal, error) {
	p := prepared{event: e, rules: rules, now: now}
	if err := d.checkEvent(rules, e, now); err != nil {
		return p, buf, nil, err
	}
	var refused []Refusal
	p.at = e.Time.UnixMicro()
	from, kept := len(buf), false
	for _, id := range e.Identifiers {
		n, reason := rules.name(id, e.Brand)
		switch {
		case reason != 0:
			refused = append(refused, Refusal{Identifier: id, Reason: reason})
		case n.kind.Use == Kept:
			kept = true
		default:
			buf = append(buf, n)
		}
	}
	if len(buf) == from {
		if kept {
			return p, buf, refused, fmt.Errorf("%w: only identifiers that are kept without use", ErrNoIdentifier)
		}
		return p, buf, refused, ErrNoIdentifier
	}
	p.names = buf[from:len(buf):len(buf)]
	if len(p.names) > 1 {
		slices.SortFunc(p.names, compareNames)
		p.names = slices.Compact(p.names)
	}
	p.key = evidenceKey(p.names)
	if len(e.Consents) > 0 {
		p.consents = rules.consents(e)
	}
	return p, buf, refused, nil
}

// consents copies the consent acts of a checked event, with normalized addresses.
func (r *rules) consents(e *Event) []ConsentAct {
	acts := slices.Clone(e.Consents)
	for i := range acts {
		acts[i].ExpiresAt = canonical(acts[i].ExpiresAt)
		if acts[i].Address != (Identifier{}) {
			if n, reason := r.name(acts[i].Address, e.Brand); reason == 0 {
				acts[i].Address = n.identifier()
			}
		}
	}
	return acts
}

// evidenceKey hashes the set of names. They arrive in the order of linking,
// which a configuration can change, so they are put in the order of their kinds first.
func evidenceKey(names []name) EvidenceKey {
	var sorted [8]name
	if len(names) > 1 && !slices.IsSortedFunc(names, compareKinds) {
		names = append(sorted[:0], names...)
		slices.SortFunc(names, compareKinds)
	}
	var stack [256]byte
	buf := stack[:0]
	for _, n := range names {
		buf = binary.AppendUvarint(buf, uint64(len(n.kind.full)))
		buf = append(buf, n.kind.full...)
		buf = binary.AppendUvarint(buf, uint64(len(n.value)))
		buf = append(buf, n.value...)
	}
	sum := sha256.Sum256(buf)
	return EvidenceKey(sum[:16])
}

func compareKinds(a, b name) int {
	if a.kind != b.kind {
		return strings.Compare(a.kind.full, b.kind.full)
	}
	return strings.Compare(a.value, b.value)
}

func (d *Directory) checkEvent(rules *rules, e *Event, now time.Time) error {
	bad := func(field, why string) error {
		return fmt.Errorf("%w: %s %s", ErrInvalidEvent, field, why)
	}
	switch {
	case e.ID == "" || len(e.ID) > MaxValueBytes || checkText(e.ID) != nil:
		return bad("ID", "is empty, too long or not text")
	case len(e.Source) > maxName || checkText(e.Source) != nil:
		return bad("Source", "is too long or not text")
	case len(e.Name) > maxName || checkText(e.Name) != nil:
		return bad("Name", "is too long or not text")
	case len(e.Brand) > maxName || checkText(e.Brand) != nil:
		return bad("Brand", "is too long or not text")
	case e.Mode > Backfill:
		return bad("Mode", "is unknown")
	case e.Time.IsZero():
		return bad("Time", "is missing")
	case len(e.Identifiers) > MaxIdentifiers:
		return bad("Identifiers", "are more than 256")
	case len(e.Traits) > MaxTraits || len(e.Properties) > MaxTraits:
		return bad("Traits or Properties", "are more than 1024")
	}
	if at := e.Time.UnixMicro(); at < minInstant || at > maxInstant {
		return bad("Time", "is outside the years 1 to 9999")
	} else if at-d.maxAhead > now.UnixMicro() {
		return bad("Time", "is in the future")
	}
	for _, values := range [...]Values{e.Traits, e.Properties} {
		for n, v := range values {
			if n == "" || len(n) > maxName || checkText(n) != nil {
				return bad("the name of a trait or property", "is empty, too long or not text")
			}
			if err := v.check(); err != nil {
				return bad("a trait or property", "holds no value: "+err.Error())
			}
		}
	}
	if e.Order != nil {
		if err := e.Order.Identified(e.ID, e.Time).Validate(); err != nil {
			return fmt.Errorf("%w: Order: %w", ErrInvalidEvent, err)
		}
	}
	for i := range e.Relations {
		for _, s := range [...]string{e.Relations[i].Type, e.Relations[i].Party} {
			if s == "" || len(s) > MaxValueBytes || checkText(s) != nil {
				return bad("Relations", "need a type and a party")
			}
		}
		if !representable(e.Relations[i].Until) {
			return bad("Relations", "end outside the years 1 to 9999")
		}
	}
	for i := range e.Consents {
		c := &e.Consents[i]
		if c.Purpose == "" || len(c.Purpose) > maxName || checkText(c.Purpose) != nil {
			return bad("Consents", "need a purpose")
		}
		for _, s := range [...]string{c.Channel, c.Brand, c.Policy, c.Proof, c.Guardian, c.Address.Kind, c.Address.Value} {
			if len(s) > MaxValueBytes || checkText(s) != nil {
				return bad("Consents", "hold what is too long or not text")
			}
		}
		switch {
		case !representable(c.ExpiresAt):
			return bad("Consents", "expire outside the years 1 to 9999")
		case c.Pending && !c.Granted:
			return bad("Consents", "wait for the confirmation of what is no grant")
		}
		if c.Address.Kind != "" || c.Address.Value != "" {
			if _, reason := rules.name(c.Address, e.Brand); reason != 0 {
				return bad("Consents", "name an address that is "+reason.String())
			}
		}
	}
	return nil
}

// representable reports whether an instant that may be absent fits JSON and SQL.
func representable(t time.Time) bool {
	return t.IsZero() || t.UnixMicro() >= minInstant && t.UnixMicro() <= maxInstant
}

// sameContent compares all that an event says with a record; Mode is how it
// was delivered.
func (g *graph) sameContent(rec *record, p *prepared) bool {
	e := p.event
	if rec.at != p.at || g.sources.names[rec.source] != e.Source ||
		g.words.names[rec.brand] != e.Brand || !slices.Equal(rec.ids, writable(e.Identifiers)) ||
		!slices.Equal(rec.consents(), p.consents) || !slices.Equal(rec.relations(), relationsOf(e)) ||
		!g.hasValues(rec.traits, e.Traits) {
		return false
	}
	if g.rules.retention.bare(e.Name, p.at, p.now.UnixMicro()) {
		return true // the rest is over, if it is there still
	}
	if g.words.names[rec.name] != e.Name || !g.hasValues(rec.properties, e.Properties) {
		return false
	}
	if rec.more == nil || rec.more.order == nil || e.Order == nil {
		return e.Order == nil && (rec.more == nil || rec.more.order == nil)
	}
	return rec.more.order.Equal(*orderOf(e))
}

// hasValues reports whether fields are just those of an event.
func (g *graph) hasValues(f fields, values Values) bool {
	n := 0
	for ; f != ""; n++ {
		is := f.next()
		if v, ok := values[g.words.names[is.name]]; !ok || v != is.value {
			return false
		}
	}
	return n == len(values)
}
