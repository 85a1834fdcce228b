package intake

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// program is a mapping made ready.
type program struct {
	Mapping
	mode    profile.Mode
	comma   byte
	hash    string         // of the mapping
	slots   map[string]int // of the columns that the mapping reads
	groupBy []*field
	events  []*eventProgram
}

type eventProgram struct {
	name               string
	when               []condition
	id                 []*field
	time, brand        *field
	identifiers        []identifierProgram
	traits, properties []named
	order              *orderProgram
	consents           []consentProgram
}

type condition struct {
	on      *field
	is, not []string
}

type identifierProgram struct {
	kind         string
	scope, value *field
}

type named struct {
	name string
	*field
}

type consentProgram struct {
	ConsentMap
	granted, policy, proof, expires *field
}

type orderProgram struct {
	kind                                     commerce.EventKind
	key                                      keyProgram
	aliases                                  []keyProgram
	ref, currency, freight, amount, promised *field
	lines                                    []lineProgram
	payments                                 []paymentProgram
}

type keyProgram struct{ source, outlet, number *field }

type lineProgram struct {
	each                                   string
	id, sku, category, quantity, list, net *field
	discounts                              []discountProgram
	replacement                            bool
}

type discountProgram struct {
	funder string
	amount *field
}

type paymentProgram struct {
	each           string
	tender, amount *field
}

// field is a Field made ready; nil for one that is not mapped.
type field struct {
	Field
	label    string   // for reasons: "column paid_at"
	path     []string // in JSON
	slot     int      // of the column, −1 for none
	clock    clock
	numerals numerals
	places   int
}

// compiler collects the first fault, with the path to it.
type compiler struct {
	m   Mapping
	p   *program
	err error
}

func (c *compiler) fail(path, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s: %s", ErrMapping, path, fmt.Sprintf(format, args...))
	}
}

// compile checks a mapping and makes it ready.
func compile(m Mapping) (*program, error) {
	c := compiler{m: m, p: &program{Mapping: m, slots: map[string]int{}}}
	c.head()
	if len(m.Events) == 0 {
		c.fail("events", "is empty")
	}
	for i, e := range m.Events {
		c.p.events = append(c.p.events, c.event(fmt.Sprintf("events[%d]", i), e))
	}
	if c.err != nil {
		return nil, c.err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMapping, err)
	}
	sum := sha256.Sum256(b)
	c.p.hash = hex.EncodeToString(sum[:16])
	if len(m.Columns) > 0 {
		if _, err := c.p.bind(m.Columns); err != nil {
			return nil, fmt.Errorf("%w: columns: %w", ErrMapping, err)
		}
	}
	return c.p, nil
}

// bind finds the columns of the mapping in a header: the index of each slot.
func (p *program) bind(header []string) ([]int, *FileError) {
	at := make(map[string]int, len(header))
	var unknown, repeated, missing []string
	for i, name := range header {
		if _, ok := at[name]; ok {
			repeated = append(repeated, name)
		}
		at[name] = i
		if _, ok := p.slots[name]; !ok && !slices.Contains(p.Ignore, name) && !slices.Contains(p.Ignore, "*") {
			unknown = append(unknown, name)
		}
	}
	bound := make([]int, len(p.slots))
	for name, slot := range p.slots {
		i, ok := at[name]
		if !ok {
			missing = append(missing, name)
		}
		bound[slot] = i
	}
	slices.Sort(missing)
	switch {
	case len(missing) > 0:
		// The line may be no header at all: what it holds is not repeated.
		return nil, &FileError{Columns: missing, Err: ErrMissingColumn}
	case len(repeated) > 0:
		return nil, &FileError{Columns: repeated, Err: ErrRepeatedColumn}
	case len(unknown) > 0:
		return nil, &FileError{Columns: unknown, Err: ErrUnknownColumn}
	}
	return bound, nil
}

func (c *compiler) head() {
	m := c.m
	if m.Source == "" {
		c.fail("source", "is missing")
	}
	switch m.Mode {
	case Live:
	case Backfill:
		c.p.mode = profile.Backfill
	case "":
		c.fail("mode", "is missing: say live or backfill")
	default:
		c.fail("mode", "is neither live nor backfill")
	}
	switch comma := cmp.Or(m.Comma, ","); {
	case len(comma) != 1 || comma[0] >= 0x80 || strings.ContainsAny(comma, "\"\r\n\x00"):
		c.fail("comma", "is not one ASCII character that may separate")
	default:
		c.p.comma = comma[0]
	}
	switch m.Input {
	case "", CSV:
	case JSONLines:
		for path, set := range map[string]bool{
			"columns": len(m.Columns) > 0, "ignore": len(m.Ignore) > 0,
			"group_by": len(m.GroupBy) > 0, "comma": m.Comma != "",
		} {
			if set {
				c.fail(path, "is for CSV")
			}
		}
	default:
		c.fail("input", "is neither csv nor jsonl")
	}
	if _, err := newClock(m.Zone, m.Layouts); err != nil {
		c.err = cmp.Or(c.err, fmt.Errorf("%w: %w", ErrMapping, err))
	}
	if point := cmp.Or(m.Point, "."); point == m.Thousands || strings.ContainsAny(point+m.Thousands, "0123456789+-") {
		c.fail("point", "and thousands are not two different marks")
	}
	for i, name := range m.GroupBy {
		c.p.groupBy = append(c.p.groupBy, c.field(fmt.Sprintf("group_by[%d]", i), "", Column(name)))
	}
}

func (c *compiler) event(path string, e EventMap) *eventProgram {
	p := &eventProgram{name: e.Name}
	for i, w := range e.When {
		at := fmt.Sprintf("%s.when[%d]", path, i)
		if len(w.Is)+len(w.Not) == 0 {
			c.fail(at, "says neither is nor not")
		}
		p.when = append(p.when, condition{c.field(at+".column", "", Column(w.Column)), w.Is, w.Not})
	}
	for i, f := range e.ID {
		p.id = append(p.id, c.field(fmt.Sprintf("%s.id[%d]", path, i), "", f))
	}
	p.time = c.field(path+".time", "", e.Time)
	p.brand = c.optional(path+".brand", "", e.Brand)
	if len(e.Identifiers) == 0 {
		c.fail(path+".identifiers", "is empty")
	}
	for i, id := range e.Identifiers {
		at := fmt.Sprintf("%s.identifiers[%d]", path, i)
		if id.Kind == "" {
			c.fail(at+".kind", "is missing")
		}
		p.identifiers = append(p.identifiers, identifierProgram{
			id.Kind, c.optional(at+".scope", "", id.Scope), c.field(at+".value", "", id.Value),
		})
	}
	p.traits = c.named(path+".traits", e.Traits)
	p.properties = c.named(path+".properties", e.Properties)
	if e.Order != nil {
		p.order = c.order(path+".order", *e.Order)
	}
	for i, a := range e.Consents {
		at := fmt.Sprintf("%s.consents[%d]", path, i)
		if a.Purpose == "" {
			c.fail(at+".purpose", "is missing")
		}
		p.consents = append(p.consents, consentProgram{
			a, c.field(at+".granted", "", a.Granted), c.optional(at+".policy", "", a.Policy),
			c.optional(at+".proof", "", a.Proof), c.optional(at+".expires_at", "", a.ExpiresAt),
		})
	}
	return p
}

func (c *compiler) named(path string, fields map[string]Field) []named {
	var out []named
	for name, f := range fields {
		at := path + "." + name
		if name == "" {
			c.fail(at, "has no name")
		}
		switch f.Type {
		case "", TextType, IntegerType, DecimalType, MoneyType, BoolType, TimeType, TagsType:
		default:
			c.fail(at+".type", "is unknown")
		}
		out = append(out, named{name, c.typed(at, "", f)})
	}
	slices.SortFunc(out, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return out
}

func (c *compiler) order(path string, o OrderMap) *orderProgram {
	p := &orderProgram{kind: o.Kind}
	switch o.Kind {
	case commerce.Placed, commerce.Paid, commerce.Shipped, commerce.Received, commerce.Completed, commerce.Closed,
		commerce.Returned, commerce.Refunded, commerce.Exchanged, commerce.PriceProtected, commerce.DepositPaid, commerce.BalancePaid:
	default:
		c.fail(path+".kind", "is unknown")
	}
	p.key = c.key(path+".key", o.Key)
	for i, a := range o.Aliases {
		p.aliases = append(p.aliases, c.key(fmt.Sprintf("%s.aliases[%d]", path, i), a))
	}
	p.ref = c.optional(path+".ref", "", o.Ref)
	p.currency = c.optional(path+".currency", "", o.Currency)
	p.freight = c.optional(path+".freight", "", o.Freight)
	p.amount = c.optional(path+".amount", "", o.Amount)
	p.promised = c.optional(path+".promised_by", "", o.PromisedBy)
	for i, l := range o.Lines {
		at := fmt.Sprintf("%s.lines[%d]", path, i)
		line := lineProgram{
			each: c.each(at, l.Each), replacement: l.Replacement,
			id: c.optional(at+".id", l.Each, l.ID), sku: c.optional(at+".sku", l.Each, l.SKU),
			category: c.optional(at+".category", l.Each, l.Category), quantity: c.optional(at+".quantity", l.Each, l.Quantity),
			list: c.optional(at+".list", l.Each, l.List), net: c.optional(at+".net", l.Each, l.Net),
		}
		for j, d := range l.Discounts {
			if d.Funder == "" {
				c.fail(fmt.Sprintf("%s.discounts[%d].funder", at, j), "is missing")
			}
			line.discounts = append(line.discounts, discountProgram{
				d.Funder, c.field(fmt.Sprintf("%s.discounts[%d].amount", at, j), l.Each, d.Amount),
			})
		}
		p.lines = append(p.lines, line)
	}
	for i, m := range o.Payments {
		at := fmt.Sprintf("%s.payments[%d]", path, i)
		p.payments = append(p.payments, paymentProgram{
			c.each(at, m.Each), c.field(at+".tender", m.Each, m.Tender), c.field(at+".amount", m.Each, m.Amount),
		})
	}
	return p
}

func (c *compiler) key(path string, k KeyMap) keyProgram {
	if k.Source.isZero() {
		k.Source = Const(c.m.Source)
	}
	return keyProgram{
		c.field(path+".source", "", k.Source), c.optional(path+".outlet", "", k.Outlet), c.field(path+".number", "", k.Number),
	}
}

func (c *compiler) each(path, each string) string {
	if each != "" && (each == Rows) == (c.m.Input == JSONLines) {
		c.fail(path+".each", "is %q for CSV and the path of an array for JSON lines", Rows)
	}
	return each
}

func (f Field) isZero() bool { return reflect.ValueOf(f).IsZero() }

// optional compiles a field that need not be mapped.
func (c *compiler) optional(path, each string, f Field) *field {
	if f.isZero() {
		return nil
	}
	return c.field(path, each, f)
}

// field compiles a field whose type its use decides.
func (c *compiler) field(path, each string, f Field) *field {
	if f.Type != "" || f.Separator != "" {
		c.fail(path, "type and separator are for traits and properties")
	}
	return c.typed(path, each, f)
}

func (c *compiler) typed(path, each string, f Field) *field {
	if (f.Column == "") == (f.Const == "") {
		c.fail(path, "needs either column or const")
	}
	places := 2
	if c.m.Places != nil {
		places = *c.m.Places
	}
	if f.Places != nil {
		places = *f.Places
	}
	if places < 0 || places > 6 {
		c.fail(path+".places", "is not 0 to 6")
	}
	layouts := f.Layouts
	if len(layouts) == 0 {
		layouts = c.m.Layouts
	}
	clock, err := newClock(cmp.Or(f.Zone, c.m.Zone), layouts)
	if err != nil {
		c.fail(path, "%v", err)
	}
	out := &field{
		Field: f, label: "column " + f.Column, clock: clock, places: places, slot: -1,
		numerals: numerals{cmp.Or(c.m.Point, "."), c.m.Thousands},
	}
	if f.Column == "" {
		out.label = path
		return out
	}
	if c.m.Input == JSONLines {
		out.path = strings.Split(f.Column, ".")
		if each != "" {
			out.label = "field " + each + "." + f.Column
		} else {
			out.label = "field " + f.Column
		}
		return out
	}
	slot, ok := c.p.slots[f.Column]
	if !ok {
		slot = len(c.p.slots)
		c.p.slots[f.Column] = slot
	}
	out.slot = slot
	return out
}
