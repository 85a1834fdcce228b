package segment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// MarshalJSON writes the rule as a document that [ParseRule] reads. Functions
// stand by their name.
func (r Rule) MarshalJSON() ([]byte, error) {
	if err := r.n.check("rule", 0); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	r.n.encode(&b, true)
	return b.Bytes(), nil
}

// document builds one JSON object with its members in the order of writing, so
// that equal rules are equal texts.
type document struct {
	b *bytes.Buffer
	n int
}

func open(b *bytes.Buffer) *document {
	b.WriteByte('{')
	return &document{b: b}
}

func (d *document) key(name string) *bytes.Buffer {
	if d.n++; d.n > 1 {
		d.b.WriteByte(',')
	}
	text(d.b, name)
	d.b.WriteByte(':')
	return d.b
}

func (d *document) text(name, s string) { text(d.key(name), s) }
func (d *document) close()              { d.b.WriteByte('}') }

func text(b *bytes.Buffer, s string) {
	raw, _ := json.Marshal(s) // a string always has a JSON form
	b.Write(raw)
}

func value(b *bytes.Buffer, v profile.Value) {
	raw, err := v.MarshalJSON()
	if err != nil { // text that is not UTF-8 cannot come out of check
		raw = []byte("null")
	}
	b.Write(raw)
}

// encode writes the node; names are left out where only the meaning counts.
func (n *node) encode(b *bytes.Buffer, names bool) {
	d := open(b)
	if names && n.name != "" {
		d.text("as", n.name)
	}
	switch n.kind {
	case nodeAll, nodeAny:
		word := "all"
		if n.kind == nodeAny {
			word = "any"
		}
		d.key(word).WriteByte('[')
		for i, k := range n.kids {
			if i > 0 {
				b.WriteByte(',')
			}
			k.encode(b, names)
		}
		b.WriteByte(']')
	case nodeNot:
		d.key("not")
		n.kids[0].encode(b, names)
	case nodeIn:
		d.text("in", n.segment)
	case nodeAttr:
		d.text("attr", n.attr)
		n.pred.encode(d)
	case nodeDate:
		d.text("attr", n.attr)
		switch n.date.kind {
		case dateWithin:
			n.date.window.encode(d.key("within"))
		case dateAhead:
			d.text("ahead", durationText(n.date.span))
		case dateAnniversary:
			fmt.Fprintf(d.key("anniversary"), "%d", n.date.days)
			if n.date.foreign {
				d.text("calendar", n.date.calendar.name)
			}
		}
	case nodeMeasure, nodeTrend:
		n.measure.encode(d, names)
		if n.kind == nodeMeasure {
			n.pred.encode(d)
		} else if n.falling {
			d.text("trend", "falling")
		} else {
			d.text("trend", "rising")
		}
	case nodeSequence:
		n.first.encode(d.key("sequence"), names)
		word := "then"
		if n.without {
			word = "without"
		}
		n.next.encode(d.key(word), names)
		d.text("span", durationText(n.span))
	case nodeDebut:
		n.first.encode(d.key("debut"), names)
		n.window.encode(d.key("within"))
	case nodeRelation:
		n.relation.encode(d)
	case nodeFunc:
		d.text("func", n.fn.name)
	}
	d.close()
}

func (p predicate) encode(d *document) {
	list := func(name string) {
		b := d.key(name)
		b.WriteByte('[')
		for i, v := range p.values {
			if i > 0 {
				b.WriteByte(',')
			}
			value(b, v)
		}
		b.WriteByte(']')
	}
	end := func(b bound, loose, strict string) {
		switch {
		case b.value.IsZero():
		case b.strict:
			value(d.key(strict), b.value)
		default:
			value(d.key(loose), b.value)
		}
	}
	switch p.op {
	case opExists:
		d.key("known").WriteString("true")
	case opMissing:
		d.key("missing").WriteString("true")
	case opEqual:
		list("is")
	case opTagged:
		list("has")
	case opRange:
		end(p.lo, "at_least", "above")
		end(p.hi, "at_most", "below")
	}
}

func (t relationTest) encode(d *document) {
	d.text("related", t.kind)
	if t.single != singleByDefault(t.kind) {
		fmt.Fprintf(d.key("one_at_a_time"), "%t", t.single)
	}
	switch {
	case t.listed:
		b := d.key("to")
		b.WriteByte('[')
		for i, party := range t.to {
			if i > 0 {
				b.WriteByte(',')
			}
			text(b, party)
		}
		b.WriteByte(']')
	case t.under != "":
		d.text("under", t.under)
	}
}

func (m Measure) encode(d *document, names bool) {
	m.of.encode(d.key(aggregateNames[m.agg]), names)
	if m.agg != aggCount {
		d.text("property", m.property)
	}
}

func (b Behavior) encode(out *bytes.Buffer, names bool) {
	d := open(out)
	switch b.source {
	case sourceEvents:
		d.text("events", b.event)
	case sourceOrders:
		d.text("orders", "bought")
	case sourceNetOrders:
		d.text("orders", "net")
	case sourceRelations: // the key of a stream, no document
		d.text("relations", b.event)
	}
	if b.where != nil {
		d.key("where")
		b.where.encode(out, names)
	}
	if b.window.kind != windowEver {
		b.window.encode(d.key("within"))
	}
	d.close()
}

func (w Window) encode(b *bytes.Buffer) {
	d := open(b)
	units := func(name string, n int) {
		u := open(d.key(name))
		fmt.Fprintf(u.key("n"), "%d", n)
		u.text("unit", w.unit.String())
		u.close()
	}
	switch w.kind {
	case windowEver:
		d.key("ever").WriteString("true")
	case windowRolling:
		d.text("last", durationText(w.span))
	case windowCalendar:
		switch w.skip {
		case 0:
			units("recent", w.back+1)
		default:
			units("previous", w.back)
		}
	case windowFixed:
		if w.from != always {
			d.text("from", instant(w.from).Format(time.RFC3339Nano))
		}
		if w.to != never {
			d.text("to", instant(w.to).Format(time.RFC3339Nano))
		}
	}
	d.close()
}

// durationText writes a duration as "90d" where it is whole days, else as Go does.
func durationText(span int64) string {
	if span%microsPerDay == 0 {
		return fmt.Sprintf("%dd", span/microsPerDay)
	}
	return (time.Duration(span) * time.Microsecond).String()
}

func parseDuration(s string) (int64, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int64
		if _, err := fmt.Sscanf(days, "%d", &n); err != nil || fmt.Sprint(n) != days || n < 0 || n > maxDays {
			return 0, fmt.Errorf("a duration is like 90d or 36h30m, at most %d days", maxDays)
		}
		return n * microsPerDay, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d%time.Microsecond != 0 {
		return 0, fmt.Errorf("a duration is like 90d or 36h30m, in whole microseconds")
	}
	return d.Microseconds(), nil
}
