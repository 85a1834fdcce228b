package intake

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// SpecFormat is the version of the JSON form of a [Spec].
const SpecFormat = 1

// Spec reads messages of the Segment spec
// (https://segment.com/docs/connections/spec/): identify, track, page, screen,
// group, alias, alone or in a batch. The zero fields have useful defaults, but
// for Source and Mode.
//
// The event ID is the source and the messageId, or a hash of the message. A
// track event keeps its name; page and screen are "page.viewed" and
// "screen.viewed", group is "group.joined" with group_id and what is said of the
// group as properties; identify and alias have no name.
//
// Nested properties and traits get names with dots. An array of texts becomes
// tags; of an array of objects, each field that holds texts only becomes tags,
// "products.sku"; what else is in arrays is left out, like nulls.
//
// Of the e-commerce events of the spec, three are commerce facts too: Order
// Completed is an order paid, once however often it is reported, Order Refunded
// a refund, Order Cancelled the order's closing. The order is keyed by Source and
// order_id; amounts are rounded to the minor unit of their currency, two digits
// where none is named; without total, what is owed follows from subtotal,
// products or revenue, and tax and shipping. A message of these that says no
// order is broken. What else happens before and around an order (Product Added,
// Checkout Started, Order Updated) is an event with properties.
//
// Time is corrected for clocks that are wrong: timestamp + (received − sentAt),
// where received is when the message came in. It is taken as it stands where
// sentAt is missing, where nothing says when the message came in, and where
// originalTimestamp says that it was corrected before. A message that comes
// again has another sentAt: the time first accepted stands, if the sink can be
// asked for it as [profile.Directory] can.
type Spec struct {
	// Source names the system; required.
	Source string `json:"source"`
	// Brand is the brand of every event; empty for the whole group.
	Brand string `json:"brand,omitempty"`
	// Mode is [Live] or [Backfill]; required.
	Mode Mode `json:"mode"`
	// UserKind is the kind of userId. Default: "account/" and the Source.
	UserKind string `json:"user_kind,omitempty"`
	// AnonymousKind is the kind of anonymousId. Default: "cookie".
	AnonymousKind string `json:"anonymous_kind,omitempty"`
	// PreviousKind is the kind of the previousId of an alias. Default: AnonymousKind.
	PreviousKind string `json:"previous_kind,omitempty"`
	// DeviceKind is the kind of context.device.id. Default: "device".
	DeviceKind string `json:"device_kind,omitempty"`
	// Identifiers names traits that are identifiers, with their kind; they are
	// no traits then. nil stands for email and phone.
	Identifiers map[string]string `json:"identifiers,omitempty"`
	// ExternalIDs names types of context.externalIds, with their kind. Others
	// are ignored.
	ExternalIDs map[string]string `json:"external_ids,omitempty"`
	// NoOrders takes the e-commerce events as plain events.
	NoOrders bool `json:"no_orders,omitempty"`
	// Types says which traits and properties are times (RFC 3339 or a date, in
	// UTC) or money (two places), which JSON cannot. nil stands for the traits
	// createdAt and birthday as times.
	Types map[string]Type `json:"types,omitempty"`
}

type plainSpec Spec

// MarshalJSON writes the spec with its format version.
func (s Spec) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Format int `json:"format"`
		plainSpec
	}{SpecFormat, plainSpec(s)})
}

// UnmarshalJSON reads what MarshalJSON writes. A missing or other format
// version, and any unknown field, is an error that matches [ErrMapping].
func (s *Spec) UnmarshalJSON(b []byte) error {
	var in struct {
		Format int `json:"format"`
		plainSpec
	}
	if err := strict(b, &in); err != nil {
		return fmt.Errorf("%w: %w", ErrMapping, err)
	}
	if in.Format != SpecFormat {
		return fmt.Errorf("%w: format: is %d, this reads %d", ErrMapping, in.Format, SpecFormat)
	}
	*s = Spec(in.plainSpec)
	return nil
}

// ParseSpec reads the JSON form of a spec and checks it as [New] would. All
// errors match [ErrMapping].
func ParseSpec(r io.Reader) (Spec, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return Spec{}, fmt.Errorf("%w: %w", ErrMapping, err)
	}
	var s Spec
	if err := json.Unmarshal(b, &s); err != nil {
		if !errors.Is(err, ErrMapping) {
			err = fmt.Errorf("%w: %w", ErrMapping, err)
		}
		return Spec{}, err
	}
	_, err = compileSpec(s)
	return s, err
}

// specDecoder makes events of messages.
type specDecoder struct {
	Spec
	mode  profile.Mode
	clock clock
	hash  string
	each  func(string, *profile.Event) error
}

func compileSpec(s Spec) (*specDecoder, error) {
	d := &specDecoder{Spec: s}
	switch {
	case s.Source == "":
		return nil, fmt.Errorf("%w: source: is missing", ErrMapping)
	case s.Mode == Backfill:
		d.mode = profile.Backfill
	case s.Mode != Live:
		return nil, fmt.Errorf("%w: mode: is missing: say live or backfill", ErrMapping)
	}
	for name, t := range s.Types {
		switch t {
		case TimeType, MoneyType:
		default:
			return nil, fmt.Errorf("%w: types.%s: is neither time nor money", ErrMapping, name)
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMapping, err)
	}
	sum := sha256.Sum256(b)
	d.hash = hex.EncodeToString(sum[:16])
	d.UserKind = cmp.Or(s.UserKind, "account/"+s.Source)
	d.AnonymousKind = cmp.Or(s.AnonymousKind, "cookie")
	d.PreviousKind = cmp.Or(s.PreviousKind, d.AnonymousKind)
	d.DeviceKind = cmp.Or(s.DeviceKind, "device")
	if s.Identifiers == nil {
		d.Identifiers = map[string]string{"email": "email", "phone": "phone"}
	}
	if s.Types == nil {
		d.Types = map[string]Type{"createdAt": TimeType, "birthday": TimeType}
	}
	if d.clock, err = newClock("", []string{time.RFC3339, time.DateOnly}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMapping, err)
	}
	return d, nil
}

// message is one message of the spec. Fields that the library has no use for
// are ignored.
type message struct {
	Type              string         `json:"type"`
	MessageID         string         `json:"messageId"`
	UserID            string         `json:"userId"`
	AnonymousID       string         `json:"anonymousId"`
	PreviousID        string         `json:"previousId"`
	GroupID           string         `json:"groupId"`
	Event             string         `json:"event"`
	Name              string         `json:"name"`
	Category          string         `json:"category"`
	Timestamp         string         `json:"timestamp"`
	OriginalTimestamp string         `json:"originalTimestamp"`
	SentAt            string         `json:"sentAt"`
	ReceivedAt        string         `json:"receivedAt"`
	Traits            map[string]any `json:"traits"`
	Properties        map[string]any `json:"properties"`
	Context           struct {
		Traits map[string]any `json:"traits"`
		Device struct {
			ID string `json:"id"`
		} `json:"device"`
		ExternalIDs []struct {
			ID   string `json:"id"`
			Type string `json:"type"`
		} `json:"externalIds"`
	} `json:"context"`
}

// batch is what the batch endpoint takes.
type batch struct {
	Batch  []json.RawMessage `json:"batch"`
	SentAt string            `json:"sentAt"`
}

// decode makes the events of one body: a message or a batch. What is broken in
// a batch does not stop the rest of it: reasons say what was left out.
func (d *specDecoder) decode(text string, received time.Time) (events []profile.Event, reasons []string) {
	var b batch
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return nil, []string{"is not a message of the spec"}
	}
	if b.Batch == nil {
		e, err := d.event([]byte(text), "", received)
		if err != nil {
			return nil, []string{err.Error()}
		}
		return []profile.Event{e}, nil
	}
	for i, raw := range b.Batch {
		e, err := d.event(raw, b.SentAt, received)
		if err != nil {
			reasons = append(reasons, fmt.Sprintf("message %d of %d: %v", i+1, len(b.Batch), err))
			continue
		}
		events = append(events, e)
	}
	return events, reasons
}

func (d *specDecoder) event(raw json.RawMessage, sentAt string, received time.Time) (profile.Event, error) {
	e := profile.Event{Source: d.Source, Brand: d.Brand, Mode: d.mode}
	var m message
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&m); err != nil {
		var of *json.UnmarshalTypeError
		if errors.As(err, &of) && of.Field != "" {
			return e, &rowError{"field " + of.Field, errors.New("is of another type than the spec says")}
		}
		return e, errors.New("is not a message of the spec")
	}
	m.SentAt = cmp.Or(m.SentAt, sentAt)
	var err error
	if e.Time, err = d.time(m, received); err != nil {
		return e, err
	}
	traits, properties := m.Context.Traits, m.Properties
	switch m.Type {
	case "identify":
		traits = merged(m.Context.Traits, m.Traits)
	case "track":
		if e.Name = m.Event; e.Name == "" {
			return e, &rowError{"field event", errMissing}
		}
	case "page", "screen":
		e.Name = m.Type + ".viewed"
		properties = merged(properties, texts("name", m.Name, "category", m.Category))
	case "group":
		if m.GroupID == "" {
			return e, &rowError{"field groupId", errMissing}
		}
		e.Name = "group.joined"
		properties = merged(m.Traits, texts("group_id", m.GroupID))
	case "alias":
		if m.PreviousID == "" {
			return e, &rowError{"field previousId", errMissing}
		}
	default:
		return e, &rowError{"field type", errors.New("is none of the spec")}
	}
	d.identify(&e, m, traits)
	if len(e.Identifiers) == 0 {
		return e, &rowError{"userId and anonymousId", errMissing}
	}
	if e.Traits, err = d.values(traits, d.Identifiers); err != nil {
		return e, err
	}
	if e.Properties, err = d.values(properties, nil); err != nil {
		return e, err
	}
	if e.Order, err = d.order(m); err != nil {
		return e, err
	}
	e.ID = d.id(m, raw)
	return e, finish(d.each, string(raw), &e)
}

// time is when it happened, by our clock.
func (d *specDecoder) time(m message, received time.Time) (time.Time, error) {
	var at struct{ timestamp, original, sent, received time.Time }
	for _, f := range []struct {
		name, text string
		to         *time.Time
	}{
		{"timestamp", m.Timestamp, &at.timestamp},
		{"originalTimestamp", m.OriginalTimestamp, &at.original},
		{"sentAt", m.SentAt, &at.sent},
		{"receivedAt", m.ReceivedAt, &at.received},
	} {
		if f.text == "" {
			continue
		}
		t, err := d.clock.read(f.text)
		if err != nil {
			return t, &rowError{"field " + f.name, err}
		}
		*f.to = t
	}
	if received.IsZero() {
		received = at.received
	}
	switch {
	case !at.timestamp.IsZero() && !at.original.IsZero():
		return at.timestamp, nil // corrected before
	case at.timestamp.IsZero():
		at.timestamp = at.original
	}
	switch {
	case at.timestamp.IsZero() && received.IsZero():
		return received, &rowError{"field timestamp", errMissing}
	case at.timestamp.IsZero():
		return inRange(received)
	case at.sent.IsZero() || received.IsZero():
		return at.timestamp, nil
	}
	return inRange(at.timestamp.Add(received.Sub(at.sent)))
}

// identify collects the identifiers of a message.
func (d *specDecoder) identify(e *profile.Event, m message, traits map[string]any) {
	add := func(kind, value string) {
		id := profile.Identifier{Kind: kind, Value: strings.TrimSpace(value)}
		if id.Value != "" && !slices.Contains(e.Identifiers, id) {
			e.Identifiers = append(e.Identifiers, id)
		}
	}
	add(d.UserKind, m.UserID)
	add(d.AnonymousKind, m.AnonymousID)
	if m.Type == "alias" {
		add(d.PreviousKind, m.PreviousID)
	}
	if len(e.Identifiers) == 0 {
		return
	}
	for _, x := range m.Context.ExternalIDs {
		if kind := d.ExternalIDs[x.Type]; kind != "" {
			add(kind, x.ID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Identifiers)) {
		if s, ok := scalar(traits[name]); ok {
			add(d.Identifiers[name], s)
		}
	}
	add(d.DeviceKind, m.Context.Device.ID)
}

// id follows from the messageId, else from all that the message says but for
// when it was sent and received.
func (d *specDecoder) id(m message, raw json.RawMessage) string {
	if id := d.Source + "/" + m.MessageID; m.MessageID != "" && len(id) <= maxID {
		return id
	}
	content := []byte(m.MessageID)
	if m.MessageID == "" {
		var whole map[string]any
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		decoder.UseNumber()
		if decoder.Decode(&whole) == nil {
			delete(whole, "sentAt")
			delete(whole, "receivedAt")
			if b, err := json.Marshal(whole); err == nil {
				content = b
			}
		}
	}
	sum := sha256.Sum256(content)
	return d.Source + "/" + hex.EncodeToString(sum[:16])
}

// values makes values of JSON, but for the names left out.
func (d *specDecoder) values(object map[string]any, without map[string]string) (profile.Values, error) {
	out := profile.Values{}
	if err := d.flatten(out, "", object, without); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func (d *specDecoder) flatten(out profile.Values, prefix string, object map[string]any, without map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		name := prefix + key
		if _, ok := without[name]; ok || key == "" {
			continue
		}
		if inner, ok := object[key].(map[string]any); ok {
			if err := d.flatten(out, name+".", inner, without); err != nil {
				return err
			}
			continue
		}
		if array, ok := objects(object[key]); ok {
			if err := d.columns(out, name+".", array); err != nil {
				return err
			}
			continue
		}
		v, err := d.value(d.Types[name], object[key])
		if err != nil {
			// The name of a field is not repeated: it may be anything.
			return &rowError{"a trait or property", err}
		}
		if !v.IsZero() {
			out[name] = v
		}
	}
	return nil
}

// objects is an array that holds objects only.
func objects(x any) ([]map[string]any, bool) {
	array, ok := x.([]any)
	out := make([]map[string]any, len(array))
	for i, e := range array {
		if out[i], ok = e.(map[string]any); !ok {
			return nil, false
		}
	}
	return out, ok && len(out) > 0
}

// columns makes tags of the fields of objects that hold texts only.
func (d *specDecoder) columns(out profile.Values, prefix string, array []map[string]any) error {
	texts, other := map[string][]any{}, map[string]bool{}
	for _, object := range array {
		for key, x := range object {
			switch x := x.(type) {
			case nil:
			case string:
				if x != "" {
					texts[key] = append(texts[key], x)
				}
			default:
				other[key] = true
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if other[key] || key == "" {
			continue
		}
		v, err := d.value("", texts[key])
		if err != nil {
			return &rowError{"a trait or property", err}
		}
		out[prefix+key] = v
	}
	return nil
}

func (d *specDecoder) value(t Type, x any) (profile.Value, error) {
	if array, ok := x.([]any); ok {
		tags := make([]string, len(array))
		for i, e := range array {
			if tags[i], ok = e.(string); !ok || tags[i] == "" {
				return profile.Value{}, nil
			}
			if fault := textFault(tags[i]); fault != "" {
				return profile.Value{}, errors.New(fault)
			}
		}
		return profile.Tags(tags...), nil
	}
	s, ok := scalar(x)
	if !ok || s == "" {
		return profile.Value{}, nil
	}
	if fault := textFault(s); fault != "" {
		return profile.Value{}, errors.New(fault)
	}
	plain := numerals{point: "."}
	switch t {
	case TimeType:
		at, err := d.clock.read(s)
		return profile.Time(at), err
	case MoneyType:
		n, err := plain.money(s, 2)
		return profile.Int(n), err
	}
	switch x := x.(type) {
	case bool:
		return profile.Flag(x), nil
	case json.Number:
		return number(x.String())
	}
	return profile.Text(s), nil
}

// number is an integer or a decimal, written with or without an exponent.
func number(s string) (profile.Value, error) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	n, places, err := numerals{point: "."}.digits(mantissa)
	if err != nil {
		return profile.Value{}, err
	}
	shift := 0
	if exponent != "" {
		if shift, err = strconv.Atoi(exponent); err != nil || shift > 40 || shift < -40 {
			return profile.Value{}, errRange
		}
	}
	places -= shift
	for ; places < 0 && n != 0; places++ {
		if n > math.MaxInt64/10 || n < -math.MaxInt64/10 {
			return profile.Value{}, errRange
		}
		n *= 10
	}
	for ; places > 0 && n%10 == 0; places-- {
		n /= 10
	}
	switch {
	case places <= 0:
		return profile.Int(n), nil
	case places > 18:
		return profile.Value{}, errPlaces
	}
	return profile.Dec(n, uint8(places)), nil
}

// merged is a with what b says over it.
func merged(a, b map[string]any) map[string]any {
	if len(a) == 0 {
		return b
	}
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// texts is an object of the names that have a text.
func texts(pairs ...string) map[string]any {
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out[pairs[i]] = pairs[i+1]
		}
	}
	return out
}
