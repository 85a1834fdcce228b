package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cxkit/cxkit/profile/commerce"
)

// MappingFormat is the version of the JSON form of a [Mapping].
const MappingFormat = 1

// ErrMapping reports a [Mapping] that cannot work; the text names the field by
// its path in the JSON form.
var ErrMapping = errors.New("intake: invalid mapping")

// Mapping says what the columns of an input mean.
type Mapping struct {
	// Source names the system that the input comes from; required. It is the
	// source of every event and part of every event ID.
	Source string `json:"source"`
	// Brand is the brand of every event; empty for the whole group.
	Brand string `json:"brand,omitempty"`
	// Mode is [Live] or [Backfill]; required.
	Mode Mode `json:"mode"`
	// Input is [CSV], the default, or [JSONLines].
	Input InputFormat `json:"input,omitempty"`
	// Comma separates the cells of CSV: one ASCII character. Default: ",".
	Comma string `json:"comma,omitempty"`
	// Columns names the columns of a CSV without a header line.
	Columns []string `json:"columns,omitempty"`
	// Ignore lists columns of the CSV that the mapping has no use for; "*"
	// stands for all. A column that is neither mapped nor listed is an error.
	Ignore []string `json:"ignore,omitempty"`
	// GroupBy lists columns: consecutive rows of a CSV that are equal in them
	// are one record. Fields outside of a list are read from its first row.
	GroupBy []string `json:"group_by,omitempty"`

	// Zone is the IANA name of the zone of local times. Default: "UTC".
	Zone string `json:"zone,omitempty"`
	// Layouts are the forms of times, tried in order: layouts of package time
	// (a zone in them is an offset, never a letter code), "unix" or "unix_ms".
	// Default: RFC 3339, then "2006-01-02 15:04:05", then "2006-01-02".
	Layouts []string `json:"layouts,omitempty"`
	// Places is the number of digits of the currency's minor unit, 0 to 6.
	// Default: 2.
	Places *int `json:"places,omitempty"`
	// Point separates the whole part of a number from the fraction. Default: ".".
	Point string `json:"point,omitempty"`
	// Thousands may stand between groups of three digits. Default: none.
	Thousands string `json:"thousands,omitempty"`

	// Events are what each record yields; at least one.
	Events []EventMap `json:"events"`
}

// Mode says whether the input happens now or fills in history. There is no default.
type Mode string

// The modes of an input.
const (
	Live     Mode = "live"     // what it says may cause action
	Backfill Mode = "backfill" // it builds state, nothing else
)

// InputFormat is the form of an input.
type InputFormat string

// The forms of an input. A byte order mark is skipped in both.
const (
	// CSV is RFC 4180, with any line ends. Cells may span lines within quotes.
	CSV InputFormat = "csv"
	// JSONLines is one JSON object a line. Columns are the paths of its fields,
	// joined by dots: "user.phone". Other fields are ignored, absent ones empty.
	JSONLines InputFormat = "jsonl"
)

// Field is where a text comes from and how it is read. In JSON a bare string
// is a column. Surrounding white space never counts.
type Field struct {
	// Column is the column, or for JSON lines the path.
	Column string `json:"column,omitempty"`
	// Const is a fixed text, in place of a column.
	Const string `json:"const,omitempty"`
	// Values translates what a cell may hold; then a cell that is not listed is
	// an error, unless "*" says what it becomes. The empty text is absent.
	Values map[string]string `json:"values,omitempty"`
	// Required makes an absent value reject the row.
	Required bool `json:"required,omitempty"`
	// Type is how traits and properties are read. Default: text.
	Type Type `json:"type,omitempty"`
	// Zone, Layouts and Places override those of the mapping.
	Zone    string   `json:"zone,omitempty"`
	Layouts []string `json:"layouts,omitempty"`
	Places  *int     `json:"places,omitempty"`
	// Separator divides tags. Default: ",". JSON arrays need none.
	Separator string `json:"separator,omitempty"`
}

// Column is a field read from a column.
func Column(name string) Field { return Field{Column: name} }

// Const is a field with a fixed text.
func Const(text string) Field { return Field{Const: text} }

// Type is how a trait or property is read.
type Type string

// The types of traits and properties.
const (
	TextType    Type = "text"
	IntegerType Type = "integer"
	DecimalType Type = "decimal" // at most 18 digits after the point
	MoneyType   Type = "money"   // an integer of minor units
	BoolType    Type = "bool"    // true/false, yes/no, y/n, t/f, 1/0 in any case
	TimeType    Type = "time"
	TagsType    Type = "tags"
)

// Fields are one or several fields. In JSON a single one needs no array.
type Fields []Field

// EventMap says how a record becomes an event.
type EventMap struct {
	// Name is that of the event; empty for a bare report of traits.
	Name string `json:"name,omitempty"`
	// When lists what must hold for the record to yield this event.
	When []Condition `json:"when,omitempty"`
	// ID makes the event ID, with the source and the name: for records that
	// have a number of their own, or several columns that make one. Without it
	// the ID is a hash of what the event says, so that records which say the
	// same are one event: two equal payments of one order, for example.
	ID Fields `json:"id,omitempty"`
	// Time is when it happened; required.
	Time Field `json:"time"`
	// Brand overrides that of the mapping.
	Brand Field `json:"brand,omitzero"`
	// Identifiers are the names of the customer; a row without any is rejected.
	Identifiers []IdentifierMap `json:"identifiers"`
	// Traits are what the record says of the customer.
	Traits map[string]Field `json:"traits,omitempty"`
	// Properties are what it says of the event.
	Properties map[string]Field `json:"properties,omitempty"`
	// Order is the commerce fact of the record.
	Order *OrderMap `json:"order,omitempty"`
	// Consents are the consent acts of the record.
	Consents []ConsentMap `json:"consents,omitempty"`
}

// Condition holds where a column of a record's first row has one of some
// values, and none of others. The empty text stands for an absent cell.
type Condition struct {
	Column string   `json:"column"`
	Is     []string `json:"is,omitempty"`
	Not    []string `json:"not,omitempty"`
}

// IdentifierMap is one identifier. An absent value leaves it out.
type IdentifierMap struct {
	// Kind is the kind, with or without scope: "phone", "tmall.oaid/flagship".
	Kind string `json:"kind"`
	// Scope is added to the kind after a slash, for scopes that vary by row.
	Scope Field `json:"scope,omitzero"`
	Value Field `json:"value"`
}

// ConsentMap is one consent act. An absent Granted leaves it out.
type ConsentMap struct {
	Purpose   string `json:"purpose"`
	Channel   string `json:"channel,omitempty"`
	Granted   Field  `json:"granted"`
	Inferred  bool   `json:"inferred,omitempty"`
	Policy    Field  `json:"policy,omitzero"`
	Proof     Field  `json:"proof,omitzero"`
	ExpiresAt Field  `json:"expires_at,omitzero"`
}

// OrderMap is a commerce fact: a [commerce.Event], whose ID and time are those
// of the profile event.
type OrderMap struct {
	Kind commerce.EventKind `json:"kind"`
	// Key names the order; the source is the mapping's unless given.
	Key        KeyMap       `json:"key"`
	Aliases    []KeyMap     `json:"aliases,omitempty"`
	Ref        Field        `json:"ref,omitzero"`
	Currency   Field        `json:"currency,omitzero"`
	Freight    Field        `json:"freight,omitzero"`
	Amount     Field        `json:"amount,omitzero"`
	PromisedBy Field        `json:"promised_by,omitzero"`
	Lines      []LineMap    `json:"lines,omitempty"`
	Payments   []PaymentMap `json:"payments,omitempty"`
}

// KeyMap is a name of an order. An alias without a number is left out.
type KeyMap struct {
	Source Field `json:"source,omitzero"`
	Outlet Field `json:"outlet,omitzero"`
	Number Field `json:"number"`
}

// Rows is the value of Each that stands for every row of a CSV record.
const Rows = "rows"

// LineMap is a line of an order. Lines without any cell filled are left out.
type LineMap struct {
	// Each repeats the line: for every row of a CSV record ([Rows]), or for every
	// element of the array at this path of JSON, to which the columns are then
	// relative. Empty: once.
	Each string `json:"each,omitempty"`
	// ID names the line. Without it what is ordered is numbered from 1, and
	// what goes back is known by its SKU.
	ID       Field `json:"id,omitzero"`
	SKU      Field `json:"sku,omitzero"`
	Category Field `json:"category,omitzero"`
	// Quantity is the number of pieces. Default: 1.
	Quantity  Field         `json:"quantity,omitzero"`
	List      Field         `json:"list,omitzero"`
	Net       Field         `json:"net,omitzero"`
	Discounts []DiscountMap `json:"discounts,omitempty"`
	// Replacement makes it a line that goes out in an exchange.
	Replacement bool `json:"replacement,omitempty"`
}

// DiscountMap is a discount of a line. One of 0 is left out.
type DiscountMap struct {
	Funder string `json:"funder"`
	Amount Field  `json:"amount"`
}

// PaymentMap is a tender. One of 0, or without an amount, is left out.
type PaymentMap struct {
	// Each repeats it as that of [LineMap] does.
	Each   string `json:"each,omitempty"`
	Tender Field  `json:"tender"`
	Amount Field  `json:"amount"`
}

type plainMapping Mapping

// MarshalJSON writes the mapping with its format version.
func (m Mapping) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Format int `json:"format"`
		plainMapping
	}{MappingFormat, plainMapping(m)})
}

// UnmarshalJSON reads what MarshalJSON writes. A missing or other format
// version, and any unknown field, is an error that matches [ErrMapping].
func (m *Mapping) UnmarshalJSON(b []byte) error {
	var in struct {
		Format int `json:"format"`
		plainMapping
	}
	if err := strict(b, &in); err != nil {
		return fmt.Errorf("%w: %w", ErrMapping, err)
	}
	if in.Format != MappingFormat {
		return fmt.Errorf("%w: format: is %d, this reads %d", ErrMapping, in.Format, MappingFormat)
	}
	*m = Mapping(in.plainMapping)
	return nil
}

// UnmarshalJSON reads a column name or the whole of a field.
func (f *Field) UnmarshalJSON(b []byte) error {
	var column string
	if json.Unmarshal(b, &column) == nil {
		*f = Field{Column: column}
		return nil
	}
	type plain Field
	return strict(b, (*plain)(f))
}

// UnmarshalJSON reads one field or an array of them.
func (fs *Fields) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		type plain Fields
		return strict(b, (*plain)(fs))
	}
	var one Field
	if err := one.UnmarshalJSON(b); err != nil {
		return err
	}
	*fs = Fields{one}
	return nil
}

// ParseMapping reads the JSON form of a mapping and checks it as [New] would.
// All errors match [ErrMapping].
func ParseMapping(r io.Reader) (Mapping, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return Mapping{}, fmt.Errorf("%w: %w", ErrMapping, err)
	}
	var m Mapping
	if err := json.Unmarshal(b, &m); err != nil {
		if !errors.Is(err, ErrMapping) {
			err = fmt.Errorf("%w: %w", ErrMapping, err)
		}
		return Mapping{}, err
	}
	_, err = compile(m)
	return m, err
}

// strict decodes one JSON value that may hold no unknown field.
func strict(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}
