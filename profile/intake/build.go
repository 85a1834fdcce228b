package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

var (
	errMissing  = errors.New("is missing")
	errUnlisted = errors.New("holds a value that the mapping does not list")
	errNotText  = errors.New("holds an object, or an array where one value is meant")
	errNotFlag  = errors.New("is neither true nor false")
	errArray    = errors.New("is not an array of objects")
)

// builder makes events of records under one header.
type builder struct {
	*program
	bound []int // by slot
	each  func(string, *profile.Event) error
}

// rowError is a reason for a reject: what it is about, and the condition.
type rowError struct {
	about string
	err   error
}

func (e *rowError) Error() string { return e.about + ": " + e.err.Error() }

func (e *rowError) Unwrap() error { return e.err }

// at is one row, or one element of an array in a JSON row.
type at struct {
	cells []string
	json  map[string]any
}

func (r row) at() at { return at{r.cells, r.json} }

// cell is the text of a field, or its several texts; both are empty where it
// is absent.
func (b *builder) cell(f *field, r at) (text string, several []string, err error) {
	switch {
	case f == nil:
		return "", nil, nil
	case f.Const != "":
		text = f.Const
	case f.slot >= 0:
		text = r.cells[b.bound[f.slot]]
	default:
		if text, several, err = inJSON(r.json, f.path); err != nil {
			return "", nil, &rowError{f.label, err}
		}
	}
	text = strings.TrimSpace(text)
	if f.Values != nil {
		for i, s := range several {
			if several[i], err = f.translate(s); err != nil {
				return "", nil, &rowError{f.label, err}
			}
		}
		if len(several) == 0 {
			if text, err = f.translate(text); err != nil {
				return "", nil, &rowError{f.label, err}
			}
		}
	}
	if f.Required && text == "" && len(several) == 0 {
		return "", nil, &rowError{f.label, errMissing}
	}
	return text, several, nil
}

func (f *field) translate(s string) (string, error) {
	if to, ok := f.Values[s]; ok {
		return to, nil
	}
	if to, ok := f.Values["*"]; ok {
		return to, nil
	}
	if s == "" {
		return "", nil
	}
	return "", errUnlisted
}

// inJSON follows a path into an object: its text, or the texts of an array.
func inJSON(object map[string]any, path []string) (string, []string, error) {
	v, ok := object[strings.Join(path, ".")]
	if !ok {
		v = object[path[0]]
		for _, name := range path[1:] {
			inner, ok := v.(map[string]any)
			if !ok {
				return "", nil, nil
			}
			v = inner[name]
		}
	}
	if array, ok := v.([]any); ok && len(array) == 0 {
		return "", nil, nil
	} else if ok {
		texts := make([]string, 0, len(array))
		for _, e := range array {
			s, ok := scalar(e)
			if !ok {
				return "", nil, errNotText
			}
			texts = append(texts, strings.TrimSpace(s))
		}
		return "", texts, nil
	}
	s, ok := scalar(v)
	if !ok {
		return "", nil, errNotText
	}
	return s, nil, nil
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// text reads a field that is one text.
func (b *builder) text(f *field, r at) (string, error) {
	s, several, err := b.cell(f, r)
	switch {
	case err != nil:
		return "", err
	case several != nil:
		return "", &rowError{f.label, errNotText}
	}
	return s, nil
}

// read reads a field by a function; an absent one is the zero value.
func read[T any](b *builder, f *field, r at, by func(string) (T, error)) (T, error) {
	var zero T
	s, err := b.text(f, r)
	if err != nil || s == "" {
		return zero, err
	}
	v, err := by(s)
	if err != nil {
		return zero, &rowError{f.label, err}
	}
	return v, nil
}

func (b *builder) instant(f *field, r at) (time.Time, error) {
	return read(b, f, r, func(s string) (time.Time, error) { return f.clock.read(s) })
}

func (b *builder) money(f *field, r at) (int64, error) {
	return read(b, f, r, func(s string) (int64, error) { return f.numerals.money(s, f.places) })
}

func flag(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "t", "yes", "y", "1":
		return true, nil
	case "false", "f", "no", "n", "0":
		return false, nil
	}
	return false, errNotFlag
}

// value reads a trait or property.
func (b *builder) value(f *field, r at) (profile.Value, error) {
	s, several, err := b.cell(f, r)
	if err != nil || s == "" && several == nil {
		return profile.Value{}, err
	}
	if f.Type == TagsType {
		if several == nil {
			sep := f.Separator
			if sep == "" {
				sep = ","
			}
			several = strings.Split(s, sep)
		}
		tags := make([]string, 0, len(several))
		for _, t := range several {
			if t = strings.TrimSpace(t); t != "" {
				tags = append(tags, t)
			}
		}
		return profile.Tags(tags...), nil
	}
	if several != nil {
		return profile.Value{}, &rowError{f.label, errNotText}
	}
	v, err := f.parse(s)
	if err != nil {
		return profile.Value{}, &rowError{f.label, err}
	}
	return v, nil
}

func (f *field) parse(s string) (v profile.Value, err error) {
	var n int64
	switch f.Type {
	case IntegerType:
		n, err = f.numerals.integer(s)
		return profile.Int(n), err
	case MoneyType:
		n, err = f.numerals.money(s, f.places)
		return profile.Int(n), err
	case DecimalType:
		return f.numerals.decimal(s)
	case BoolType:
		yes, err := flag(s)
		return profile.Flag(yes), err
	case TimeType:
		t, err := f.clock.read(s)
		return profile.Time(t), err
	}
	return profile.Text(s), nil
}

// events makes the events of a record: none where no condition holds.
func (b *builder) events(rows []row) ([]profile.Event, error) {
	var out []profile.Event
	for _, p := range b.program.events {
		holds, err := b.holds(p.when, rows[0].at())
		if err != nil {
			return nil, err
		}
		if !holds {
			continue
		}
		e, err := b.event(p, rows)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (b *builder) holds(when []condition, r at) (bool, error) {
	for _, w := range when {
		s, err := b.text(w.on, r)
		if err != nil {
			return false, err
		}
		if len(w.is) > 0 && !slices.Contains(w.is, s) || slices.Contains(w.not, s) {
			return false, nil
		}
	}
	return true, nil
}

func (b *builder) event(p *eventProgram, rows []row) (profile.Event, error) {
	r := rows[0].at()
	e := profile.Event{Source: b.Source, Name: p.name, Mode: b.mode, Brand: b.Brand}
	var err error
	if e.Time, err = b.instant(p.time, r); err != nil {
		return e, err
	}
	if e.Time.IsZero() {
		return e, &rowError{p.time.label, errMissing}
	}
	if p.brand != nil {
		if e.Brand, err = b.text(p.brand, r); err != nil {
			return e, err
		}
	}
	if e.Identifiers, err = b.identifiers(p, r); err != nil {
		return e, err
	}
	if e.Traits, err = b.values(p.traits, r); err != nil {
		return e, err
	}
	if e.Properties, err = b.values(p.properties, r); err != nil {
		return e, err
	}
	if e.Consents, err = b.consents(p.consents, r, e.Brand); err != nil {
		return e, err
	}
	if p.order != nil {
		if e.Order, err = b.order(p.order, rows); err != nil {
			return e, err
		}
	}
	id, err := b.number(p.id, r)
	if err != nil {
		return e, err
	}
	if e.ID, err = eventID(e, id); err != nil {
		return e, err
	}
	raw := rows[0].text
	for _, more := range rows[1:] {
		raw += "\n" + more.text
	}
	return e, finish(b.each, raw, &e)
}

// finish gives the caller the last word on an event and checks its order.
func finish(each func(string, *profile.Event) error, raw string, e *profile.Event) error {
	if each != nil {
		if err := each(raw, e); err != nil {
			return err
		}
	}
	if e.Order != nil {
		if err := e.Order.Identified(e.ID, e.Time).Validate(); err != nil {
			return &rowError{"order", err}
		}
	}
	return nil
}

// inNumber keeps the parts of a number apart.
var inNumber = strings.NewReplacer("%", "%25", "/", "%2F")

// number is what the fields of an ID make, empty for no fields.
func (b *builder) number(fields []*field, r at) (string, error) {
	parts := make([]string, len(fields))
	for i, f := range fields {
		var err error
		if parts[i], err = b.text(f, r); err != nil {
			return "", err
		}
		if parts[i] == "" {
			return "", &rowError{f.label, errMissing}
		}
		if len(fields) > 1 {
			parts[i] = inNumber.Replace(parts[i])
		}
	}
	return strings.Join(parts, "/"), nil
}

// maxID is the greatest length of an event ID that is spelled out; beyond it,
// it is hashed.
const maxID = 128

// eventID follows from the number that the source gave the event, else from
// all that the event says.
func eventID(e profile.Event, number string) (string, error) {
	if id := e.Source + "/" + e.Name + "/" + number; number != "" && len(id) <= maxID {
		return id, nil
	}
	content := []byte(e.Source + "\x00" + e.Name + "\x00" + number)
	if number == "" {
		e.Mode = profile.Live // the same in either mode
		var err error
		if content, err = json.Marshal(e); err != nil {
			return "", &rowError{"the row", errors.New("holds what cannot be recorded")}
		}
	}
	sum := sha256.Sum256(content)
	return e.Source + "/" + hex.EncodeToString(sum[:16]), nil
}

func (b *builder) identifiers(p *eventProgram, r at) ([]profile.Identifier, error) {
	var ids []profile.Identifier
	for _, m := range p.identifiers {
		value, err := b.text(m.value, r)
		if err != nil {
			return nil, err
		}
		scope, err := b.text(m.scope, r)
		if err != nil {
			return nil, err
		}
		if value == "" {
			continue
		}
		kind := m.kind
		if m.scope != nil {
			if scope == "" {
				return nil, &rowError{m.scope.label, errMissing}
			}
			kind += "/" + scope
		}
		ids = append(ids, profile.Identifier{Kind: kind, Value: value})
	}
	if len(ids) == 0 {
		return nil, &rowError{"identifiers", errMissing}
	}
	return ids, nil
}

func (b *builder) values(fields []named, r at) (profile.Values, error) {
	var out profile.Values
	for _, f := range fields {
		v, err := b.value(f.field, r)
		if err != nil {
			return nil, err
		}
		if v.IsZero() {
			continue
		}
		if out == nil {
			out = make(profile.Values, len(fields))
		}
		out[f.name] = v
	}
	return out, nil
}

func (b *builder) consents(maps []consentProgram, r at, brand string) ([]profile.ConsentAct, error) {
	var acts []profile.ConsentAct
	for _, m := range maps {
		granted, err := b.text(m.granted, r)
		if err != nil {
			return nil, err
		}
		if granted == "" {
			continue
		}
		act := profile.ConsentAct{Purpose: m.Purpose, Channel: m.Channel, Brand: brand, Inferred: m.Inferred}
		if act.Granted, err = flag(granted); err != nil {
			return nil, &rowError{m.granted.label, err}
		}
		if act.Policy, err = b.text(m.policy, r); err != nil {
			return nil, err
		}
		if act.Proof, err = b.text(m.proof, r); err != nil {
			return nil, err
		}
		if act.ExpiresAt, err = b.instant(m.expires, r); err != nil {
			return nil, err
		}
		acts = append(acts, act)
	}
	return acts, nil
}

func (b *builder) order(p *orderProgram, rows []row) (*commerce.Event, error) {
	r := rows[0].at()
	o := &commerce.Event{Kind: p.kind}
	var err error
	if o.Order, err = b.key(p.key, r); err != nil {
		return nil, err
	}
	for _, a := range p.aliases {
		k, err := b.key(a, r)
		if err != nil {
			return nil, err
		}
		if k.Number != "" {
			o.Aliases = append(o.Aliases, k)
		}
	}
	if o.Ref, err = b.text(p.ref, r); err != nil {
		return nil, err
	}
	if o.Currency, err = b.text(p.currency, r); err != nil {
		return nil, err
	}
	if o.Freight, err = b.money(p.freight, r); err != nil {
		return nil, err
	}
	if o.Amount, err = b.money(p.amount, r); err != nil {
		return nil, err
	}
	if o.PromisedBy, err = b.instant(p.promised, r); err != nil {
		return nil, err
	}
	if err := b.lines(p, rows, o); err != nil {
		return nil, err
	}
	return o, b.payments(p, rows, o)
}

func (b *builder) key(p keyProgram, r at) (k commerce.Key, err error) {
	if k.Source, err = b.text(p.source, r); err != nil {
		return k, err
	}
	if k.Outlet, err = b.text(p.outlet, r); err != nil {
		return k, err
	}
	k.Number, err = b.text(p.number, r)
	return k, err
}

// each are the places that a list is read from.
func (b *builder) places(path string, rows []row) ([]at, error) {
	switch path {
	case "":
		return []at{rows[0].at()}, nil
	case Rows:
		all := make([]at, len(rows))
		for i, r := range rows {
			all[i] = r.at()
		}
		return all, nil
	}
	var v any = rows[0].json
	if whole, ok := rows[0].json[path]; ok {
		v = whole
	} else {
		for name := range strings.SplitSeq(path, ".") {
			object, _ := v.(map[string]any)
			v = object[name]
		}
	}
	if v == nil {
		return nil, nil
	}
	array, ok := v.([]any)
	all := make([]at, len(array))
	for i, e := range array {
		if all[i].json, ok = e.(map[string]any); !ok {
			break
		}
	}
	if !ok {
		return nil, &rowError{"field " + path, errArray}
	}
	return all, nil
}

func (b *builder) lines(p *orderProgram, rows []row, o *commerce.Event) error {
	describes := o.Kind == commerce.Placed || o.Kind == commerce.Paid || o.Kind == commerce.DepositPaid || o.Kind == commerce.BalancePaid
	for _, m := range p.lines {
		places, err := b.places(m.each, rows)
		if err != nil {
			return err
		}
		for _, r := range places {
			l, filled, err := b.line(m, r)
			if err != nil {
				return err
			}
			if !filled {
				continue
			}
			to := &o.Lines
			if m.replacement {
				to = &o.Replacement
			}
			if m.id == nil && (describes || m.replacement) {
				l.ID = strconv.Itoa(len(*to) + 1)
			}
			*to = append(*to, l)
		}
	}
	return nil
}

func (b *builder) line(m lineProgram, r at) (l commerce.Line, filled bool, err error) {
	for _, f := range []*field{m.id, m.sku, m.category, m.quantity, m.list, m.net} {
		s, err := b.text(f, r)
		if err != nil {
			return l, false, err
		}
		filled = filled || s != "" && f.Const == ""
	}
	if !filled {
		return l, false, nil
	}
	if l.ID, err = b.text(m.id, r); err != nil {
		return l, false, err
	}
	if l.SKU, err = b.text(m.sku, r); err != nil {
		return l, false, err
	}
	if l.Category, err = b.text(m.category, r); err != nil {
		return l, false, err
	}
	l.Quantity, err = read(b, m.quantity, r, func(s string) (int64, error) { return m.quantity.numerals.integer(s) })
	if err != nil {
		return l, false, err
	}
	if q, err := b.text(m.quantity, r); err == nil && q == "" {
		l.Quantity = 1
	}
	if l.List, err = b.money(m.list, r); err != nil {
		return l, false, err
	}
	if l.Net, err = b.money(m.net, r); err != nil {
		return l, false, err
	}
	for _, d := range m.discounts {
		amount, err := b.money(d.amount, r)
		if err != nil {
			return l, false, err
		}
		if amount != 0 {
			l.Discounts = append(l.Discounts, commerce.Discount{Funder: d.funder, Amount: amount})
		}
	}
	return l, true, nil
}

func (b *builder) payments(p *orderProgram, rows []row, o *commerce.Event) error {
	for _, m := range p.payments {
		places, err := b.places(m.each, rows)
		if err != nil {
			return err
		}
		for _, r := range places {
			amount, err := b.money(m.amount, r)
			if err != nil {
				return err
			}
			if amount == 0 {
				continue
			}
			tender, err := b.text(m.tender, r)
			if err != nil {
				return err
			}
			o.Payments = append(o.Payments, commerce.Payment{Tender: tender, Amount: amount})
		}
	}
	return nil
}

// readCells makes the cells or the object of a row, or says what is wrong.
func (b *builder) readCells(r *row, width int) {
	if r.fault = textFault(r.text); r.fault != "" {
		return
	}
	if b.Input == JSONLines {
		r.json, r.fault = readJSON(r.text)
		return
	}
	r.cells, r.fault = splitCSV(r.text, b.comma)
	if r.fault == "" && len(r.cells) != width {
		r.fault = fmt.Sprintf("has %d cells, the header %d", len(r.cells), width)
	}
}

// sameGroup reports whether two sound rows are of one record.
func (b *builder) sameGroup(x, y row) bool {
	if len(b.groupBy) == 0 {
		return false
	}
	for _, f := range b.groupBy {
		if i := b.bound[f.slot]; strings.TrimSpace(x.cells[i]) != strings.TrimSpace(y.cells[i]) {
			return false
		}
	}
	return true
}
