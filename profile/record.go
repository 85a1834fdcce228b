package profile

import (
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile/commerce"
)

// record is an event in its place, as it is kept: names are interned, maps are
// packed, and what few events have stands apart.
type record struct {
	id         string
	source     uint32
	name       uint32
	brand      uint32
	mode       Mode
	stripped   bool // in this session
	at         int64
	seq        uint64
	evidence   *evidence // nil once retracted
	ids        []Identifier
	traits     fields
	properties fields
	more       *more
}

type more struct {
	order     *commerce.Event
	consents  []ConsentAct
	relations []RelationAct
}

func compareRecords(a, b *record) int {
	if a.at != b.at {
		return compareInt(a.at, b.at)
	}
	return strings.Compare(a.id, b.id)
}

// keepRecord makes the record of an event, all of it copied.
func (g *graph) keepRecord(p *prepared, e *evidence) *record {
	in := p.event
	rec := &record{}
	if g.first != nil && e == &g.first.evidence && g.first.record.id == "" {
		rec = &g.first.record
	}
	*rec = record{
		id: in.ID, source: g.sources.id(in.Source), name: g.words.id(in.Name), brand: g.words.id(in.Brand),
		mode: in.Mode, at: p.at, evidence: e,
	}
	// Sources tend to report the same identifiers again and again.
	ids := writable(in.Identifiers)
	if n := len(e.records); n > 0 && slices.Equal(e.records[n-1].ids, ids) {
		rec.ids = e.records[n-1].ids
	} else {
		rec.ids = slices.Clone(ids)
	}
	var stack [256]byte
	packed := stack[:0]
	for name, v := range in.Traits {
		packed = appendField(packed, g.traitID(name), v)
	}
	rec.traits = fields(packed)
	packed = packed[:0]
	for name, v := range in.Properties {
		packed = appendField(packed, g.words.id(name), v)
	}
	rec.properties = fields(packed)
	if in.Order != nil || len(in.Consents) > 0 || len(in.Relations) > 0 {
		rec.more = &more{order: orderOf(in), consents: slices.Clone(p.consents), relations: relationsOf(in)}
	}
	return rec
}

// writable are identifiers as any Store can write them: text, and no longer
// than they may be. Those that this changes were refused.
func writable(ids []Identifier) []Identifier {
	text := func(s string) bool { return len(s) <= MaxValueBytes && checkText(s) == nil }
	if !slices.ContainsFunc(ids, func(id Identifier) bool { return !text(id.Kind) || !text(id.Value) }) {
		return ids
	}
	ids = slices.Clone(ids)
	for i := range ids {
		for _, s := range [...]*string{&ids[i].Kind, &ids[i].Value} {
			if !text(*s) {
				clean := strings.ToValidUTF8(strings.ReplaceAll(*s, "\x00", "\ufffd"), "\ufffd")
				*s = strings.ToValidUTF8(clean[:min(len(clean), MaxValueBytes)], "")
			}
		}
	}
	return ids
}

// eventOf gives a record back as the event that it was. Identifiers, the order,
// relations and consents are shared.
func (g *graph) eventOf(rec *record) Event {
	e := Event{
		ID: rec.id, Source: g.sources.names[rec.source], Name: g.words.names[rec.name], Brand: g.words.names[rec.brand],
		Time: time.UnixMicro(rec.at).UTC(), Mode: rec.mode, Identifiers: rec.ids,
	}
	e.Traits, e.Properties = g.values(rec.traits), g.values(rec.properties)
	if rec.more != nil {
		e.Order, e.Consents, e.Relations = rec.more.order, rec.more.consents, rec.more.relations
	}
	return e
}

// values unpacks fields; nil where there are none.
func (g *graph) values(f fields) Values {
	if f == "" {
		return nil
	}
	v := make(Values, f.count())
	for f != "" {
		is := f.next()
		v[g.words.names[is.name]] = is.value
	}
	return v
}

// consents are the acts that the event reported.
func (rec *record) consents() []ConsentAct {
	if rec.more == nil {
		return nil
	}
	return rec.more.consents
}

// relations are the relation acts that the event reported.
func (rec *record) relations() []RelationAct {
	if rec.more == nil {
		return nil
	}
	return rec.more.relations
}

// relationsOf copies the relation acts of an event.
func relationsOf(e *Event) []RelationAct {
	acts := slices.Clone(e.Relations)
	for i := range acts {
		acts[i].Until = canonical(acts[i].Until)
	}
	return acts
}

// words numbers texts that recur: the names of events, properties and brands.
type words struct {
	names []string
	ids   map[string]uint32
}

func (w *words) id(s string) uint32 {
	if id, ok := w.ids[s]; ok {
		return id
	}
	id := uint32(len(w.names))
	s = strings.Clone(s)
	w.names = append(w.names, s)
	w.ids[s] = id
	return id
}

func canonical(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// orderOf copies the commerce fact of an event, with the event's ID and time
// where it has none of its own.
func orderOf(e *Event) *commerce.Event {
	if e.Order == nil {
		return nil
	}
	c := e.Order.Identified(e.ID, e.Time)
	c.Time, c.PromisedBy = canonical(c.Time), canonical(c.PromisedBy)
	c.Aliases = slices.Clone(c.Aliases)
	c.Payments = slices.Clone(c.Payments)
	c.Lines, c.Replacement = cloneLines(c.Lines), cloneLines(c.Replacement)
	return &c
}

func cloneLines(lines []commerce.Line) []commerce.Line {
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i].Discounts = slices.Clone(lines[i].Discounts)
	}
	return lines
}
