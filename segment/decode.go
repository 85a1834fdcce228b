package segment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// definitionFormat is the version of the JSON form of a [Definition].
const definitionFormat = 1

// MarshalJSON writes {"format":1,"name":…,"zone":…,"rule":…}, which
// [ParseDefinition] reads.
func (d Definition) MarshalJSON() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	doc := open(&b)
	fmt.Fprintf(doc.key("format"), "%d", definitionFormat)
	doc.text("name", d.Name)
	if d.Zone != "" {
		doc.text("zone", d.Zone)
	}
	d.Rule.n.encode(doc.key("rule"), true)
	doc.close()
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes, of a rule without functions.
func (d *Definition) UnmarshalJSON(b []byte) error {
	def, err := ParseDefinition(b)
	if err == nil {
		*d = def
	}
	return err
}

// UnmarshalJSON reads what MarshalJSON writes, of a rule without functions.
func (r *Rule) UnmarshalJSON(b []byte) error {
	rule, err := ParseRule(b)
	if err == nil {
		*r = rule
	}
	return err
}

// ParseDefinition reads the JSON form of a definition. Functions are taken by
// name from those given, as [Func] made them, calendars from rules as
// [Attribute.AnniversaryBy] made them, of any attribute. An unknown field or function, a
// missing or surplus value, is an error that matches [ErrRule] or
// [ErrDefinition] and gives the path to the place.
func ParseDefinition(b []byte, functions ...Rule) (Definition, error) {
	p := newParser(functions)
	o := p.object("definition", b)
	format, _ := o.number("format")
	if o.ok() && format != definitionFormat {
		return Definition{}, fmt.Errorf("%w: format %d is not known, %d is", ErrDefinition, format, definitionFormat)
	}
	var d Definition
	d.Name, _ = o.text("name")
	d.Zone, _ = o.text("zone")
	if raw, ok := o.take("rule"); ok {
		d.Rule = Rule{p.rule("rule", raw, 0)}
	}
	o.end()
	if p.err != nil {
		return Definition{}, p.err
	}
	if err := d.check(); err != nil {
		return Definition{}, err
	}
	return d, nil
}

// ParseRule reads the JSON form of a rule, as [ParseDefinition] does.
func ParseRule(b []byte, functions ...Rule) (Rule, error) {
	p := newParser(functions)
	n := p.rule("rule", b, 0)
	if p.err != nil {
		return Rule{}, p.err
	}
	if err := n.check("rule", 0); err != nil {
		return Rule{}, err
	}
	return Rule{n}, nil
}

// parser keeps the first error.
type parser struct {
	functions map[string]*goFunc
	calendars map[string]*calendarDays
	err       error
}

func newParser(functions []Rule) *parser {
	p := &parser{functions: map[string]*goFunc{}, calendars: map[string]*calendarDays{}}
	for i, f := range functions {
		switch {
		case f.n != nil && f.n.kind == nodeFunc:
			p.functions[f.n.fn.name] = f.n.fn
		case f.n != nil && f.n.date.foreign && f.n.date.calendar != nil:
			p.calendars[f.n.date.calendar.name] = f.n.date.calendar
		default:
			p.fail(fmt.Sprintf("functions[%d]", i), "not what Func or AnniversaryBy made")
		}
	}
	return p
}

func (p *parser) fail(path, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s: %s", ErrRule, path, fmt.Sprintf(format, args...))
	}
}

// object is a JSON object whose members are taken out one by one.
type object struct {
	p       *parser
	path    string
	members map[string]json.RawMessage
}

func (p *parser) object(path string, b []byte) *object {
	o := &object{p, path, map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		p.fail(path, "not a JSON object")
		return o
	}
	for dec.More() {
		t, err := dec.Token()
		key, isText := t.(string)
		var raw json.RawMessage
		if err == nil && isText {
			err = dec.Decode(&raw)
		}
		if err != nil {
			p.fail(path, "not JSON: %v", err)
			return o
		}
		if _, twice := o.members[key]; twice {
			p.fail(path, "%q is there twice", key)
			return o
		}
		o.members[key] = raw
	}
	if _, err := dec.Token(); err != nil {
		p.fail(path, "not JSON: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		p.fail(path, "something follows the JSON object")
	}
	return o
}

func (o *object) ok() bool { return o.p.err == nil }

func (o *object) has(key string) bool { _, ok := o.members[key]; return ok }

func (o *object) take(key string) (json.RawMessage, bool) {
	raw, ok := o.members[key]
	delete(o.members, key)
	return raw, ok
}

// end reports what nobody has taken.
func (o *object) end() {
	if len(o.members) > 0 {
		o.p.fail(o.path, "%q is unknown here", slices.Min(slices.Collect(maps.Keys(o.members))))
	}
}

func (o *object) text(key string) (string, bool) {
	raw, ok := o.take(key)
	if !ok {
		return "", false
	}
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		o.p.fail(o.path+"."+key, "not a text")
	}
	return s, true
}

func (o *object) number(key string) (int, bool) {
	raw, ok := o.take(key)
	if !ok {
		return 0, false
	}
	var n int64
	if string(raw) == "null" || json.Unmarshal(raw, &n) != nil || n > math.MaxInt32 || n < math.MinInt32 {
		o.p.fail(o.path+"."+key, "not a whole number in range")
	}
	return int(n), true
}

// yes takes a member that can only be true.
func (o *object) yes(key string) bool {
	raw, ok := o.take(key)
	if ok && string(raw) != "true" {
		o.p.fail(o.path+"."+key, "can only be true")
	}
	return ok
}

func (o *object) duration(key string) (int64, bool) {
	s, ok := o.text(key)
	if !ok {
		return 0, false
	}
	span, err := parseDuration(s)
	if err != nil && o.ok() {
		o.p.fail(o.path+"."+key, "%v", err)
	}
	return span, true
}

func (o *object) value(key string) (profile.Value, bool) {
	raw, ok := o.take(key)
	if !ok {
		return profile.Value{}, false
	}
	return o.p.value(o.path+"."+key, raw), true
}

func (p *parser) value(path string, raw []byte) (v profile.Value) {
	if err := v.UnmarshalJSON(raw); err != nil {
		p.fail(path, "%v", err)
	} else if v.IsZero() {
		p.fail(path, "no value")
	}
	return v
}

func (p *parser) list(path string, raw []byte) []json.RawMessage {
	var list []json.RawMessage
	if string(raw) == "null" || json.Unmarshal(raw, &list) != nil {
		p.fail(path, "not a list")
	}
	return list
}

// rule reads one node.
func (p *parser) rule(path string, b []byte, depth int) *node {
	if depth > maxDepth {
		p.fail(path, "nested more than %d deep", maxDepth)
	}
	if p.err != nil {
		return nil
	}
	o := p.object(path, b)
	n := &node{}
	n.name, _ = o.text("as")
	switch {
	case o.has("all"), o.has("any"):
		word := "all"
		n.kind = nodeAll
		if o.has("any") {
			word, n.kind = "any", nodeAny
		}
		raw, _ := o.take(word)
		for i, k := range p.list(path+"."+word, raw) {
			n.kids = append(n.kids, p.rule(fmt.Sprintf("%s.%s[%d]", path, word, i), k, depth+1))
		}
	case o.has("not"):
		raw, _ := o.take("not")
		n.kind, n.kids = nodeNot, []*node{p.rule(path+".not", raw, depth+1)}
	case o.has("in"):
		n.kind = nodeIn
		n.segment, _ = o.text("in")
	case o.has("func"):
		n.kind = nodeFunc
		name, _ := o.text("func")
		if n.fn = p.functions[name]; n.fn == nil {
			p.fail(path+".func", "function %q is not among those given", name)
		}
	case o.has("related"):
		p.relation(o, n)
	case o.has("attr"):
		p.attribute(o, n)
	case o.has("sequence"):
		n.kind = nodeSequence
		n.first = o.behavior("sequence", depth)
		if n.without = o.has("without"); n.without {
			n.next = o.behavior("without", depth)
		} else {
			n.next = o.behavior("then", depth)
		}
		n.span, _ = o.duration("span")
	case o.has("debut"):
		n.kind = nodeDebut
		n.first = o.behavior("debut", depth)
		n.window = o.window("within")
	default:
		p.measure(o, n, depth)
	}
	o.end()
	if p.err != nil {
		return nil
	}
	return n
}

func (p *parser) attribute(o *object, n *node) {
	n.kind = nodeAttr
	n.attr, _ = o.text("attr")
	switch {
	case o.has("within"):
		n.kind, n.date = nodeDate, dateTest{kind: dateWithin, window: o.window("within")}
	case o.has("ahead"):
		n.kind, n.date.kind = nodeDate, dateAhead
		n.date.span, _ = o.duration("ahead")
	case o.has("anniversary"):
		n.kind, n.date.kind = nodeDate, dateAnniversary
		n.date.days, _ = o.number("anniversary")
		if name, ok := o.text("calendar"); ok {
			n.date.foreign, n.date.calendar = true, p.calendars[name]
			if n.date.calendar == nil {
				p.fail(o.path+".calendar", "calendar %q is not among those given", name)
			}
		}
	default:
		n.pred = o.predicate()
	}
}

func (p *parser) relation(o *object, n *node) {
	kind, _ := o.text("related")
	r := Related(kind)
	if raw, ok := o.take("one_at_a_time"); ok {
		if json.Unmarshal(raw, &r.single) != nil || string(raw) == "null" {
			p.fail(o.path+".one_at_a_time", "true or false")
		}
	}
	switch {
	case o.has("to"):
		raw, _ := o.take("to")
		var parties []string
		for i, v := range p.list(o.path+".to", raw) {
			party, ok := p.value(fmt.Sprintf("%s.to[%d]", o.path, i), v).Text()
			if !ok {
				p.fail(fmt.Sprintf("%s.to[%d]", o.path, i), "a party is a text")
			}
			parties = append(parties, party)
		}
		n.relation = r.To(parties...).n.relation
	case o.has("under"):
		prefix, _ := o.text("under")
		n.relation = r.Under(prefix).n.relation
	default:
		n.relation = r.Exists().n.relation
	}
	n.kind = nodeRelation
}

func (p *parser) measure(o *object, n *node, depth int) {
	for agg := aggCount; agg <= aggLast; agg++ {
		word := aggregateNames[agg]
		if !o.has(word) {
			continue
		}
		n.kind, n.measure.agg = nodeMeasure, agg
		n.measure.of = o.behavior(word, depth)
		if agg != aggCount {
			n.measure.property, _ = o.text("property")
		}
		if trend, ok := o.text("trend"); ok {
			n.kind, n.falling = nodeTrend, trend == "falling"
			if trend != "falling" && trend != "rising" {
				p.fail(o.path+".trend", "a trend is rising or falling")
			}
			return
		}
		n.pred = o.predicate()
		return
	}
	p.fail(o.path, "none of the kinds of rule")
}

func (o *object) predicate() predicate {
	var p predicate
	list := func(key string, op predicateOp) {
		raw, ok := o.take(key)
		if !ok {
			return
		}
		p.op = op
		for i, v := range o.p.list(o.path+"."+key, raw) {
			p.values = append(p.values, o.p.value(fmt.Sprintf("%s.%s[%d]", o.path, key, i), v))
		}
		p.values = distinctValues(p.values)
	}
	switch {
	case o.has("is"):
		list("is", opEqual)
	case o.has("has"):
		list("has", opTagged)
		for _, v := range p.values {
			if v.Kind() != profile.String {
				o.p.fail(o.path+".has", "a tag is a text")
			}
		}
	case o.has("known"):
		o.yes("known")
		p.op = opExists
	case o.has("missing"):
		o.yes("missing")
		p.op = opMissing
	default:
		p.op = opRange
		end := func(loose, strict string) (b bound) {
			var ok bool
			if b.value, ok = o.value(loose); !ok {
				b.value, b.strict = o.value(strict)
			}
			return b
		}
		p.lo, p.hi = end("at_least", "above"), end("at_most", "below")
		if p.lo.value.IsZero() && p.hi.value.IsZero() {
			o.p.fail(o.path, "no test")
		}
	}
	return p
}

func (o *object) behavior(key string, depth int) Behavior {
	raw, ok := o.take(key)
	path := o.path + "." + key
	if !ok {
		o.p.fail(path, "missing")
		return Behavior{}
	}
	in := o.p.object(path, raw)
	var b Behavior
	if name, ok := in.text("events"); ok {
		b = Events(name)
	} else if kind, ok := in.text("orders"); ok {
		switch kind {
		case "bought":
			b = Orders()
		case "net":
			b = NetOrders()
		default:
			o.p.fail(path+".orders", "orders are bought or net")
		}
	} else {
		o.p.fail(path, "neither events nor orders")
	}
	if raw, ok := in.take("where"); ok {
		b.where = o.p.rule(path+".where", raw, depth+1)
	}
	if in.has("within") {
		b.window = in.window("within")
	}
	in.end()
	return b
}

func (o *object) window(key string) Window {
	raw, ok := o.take(key)
	path := o.path + "." + key
	if !ok {
		o.p.fail(path, "missing")
		return Window{}
	}
	in := o.p.object(path, raw)
	defer in.end()
	units := func(key string, make func(int, Unit) Window) Window {
		raw, _ := in.take(key)
		u := o.p.object(path+"."+key, raw)
		defer u.end()
		n, _ := u.number("n")
		name, _ := u.text("unit")
		unit := slices.Index(unitNames[:], name)
		if unit < 1 {
			o.p.fail(path+"."+key+".unit", "a unit is %s", strings.Join(unitNames[1:], ", "))
			return Window{}
		}
		return make(n, Unit(unit))
	}
	switch {
	case in.yes("ever"):
		return Ever()
	case in.has("last"):
		span, _ := in.duration("last")
		return Last(time.Duration(span) * time.Microsecond)
	case in.has("recent"):
		return units("recent", Recent)
	case in.has("previous"):
		return units("previous", Previous)
	}
	instantOf := func(key string) (t time.Time) {
		s, ok := in.text(key)
		if !ok {
			return t
		}
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || t.Year() < 1 || t.Year() > 9999 {
			o.p.fail(path+"."+key, "not an instant as in RFC 3339")
		}
		return t
	}
	if !in.has("from") && !in.has("to") {
		o.p.fail(path, "none of the kinds of window")
	}
	return Between(instantOf("from"), instantOf("to"))
}
