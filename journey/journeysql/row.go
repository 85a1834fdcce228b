package journeysql

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// writer gathers the values of a row in the order of the table's columns.
type writer struct {
	d      sqlkit.Dialect
	values []any
	err    error
}

func (w *writer) text(s string)     { w.values = append(w.values, s) }
func (w *writer) optional(s string) { w.values = append(w.values, sqlkit.Text(s)) }
func (w *writer) int(n int64)       { w.values = append(w.values, n) }
func (w *writer) time(t time.Time)  { w.values = append(w.values, w.d.Time(t)) }

func (w *writer) flag(b bool) {
	if b {
		w.int(1)
	} else {
		w.int(0)
	}
}

// free writes text that people or programs outside wrote: what cannot be kept
// as text is replaced.
func (w *writer) free(s string) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	}
	w.optional(s)
}

// list writes a slice as JSON, NULL where there is none.
func list[T any](w *writer, v []T) {
	if v == nil {
		w.values = append(w.values, nil)
		return
	}
	w.json(v)
}

func (w *writer) json(v any) {
	b, err := json.Marshal(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.values = append(w.values, string(b))
}

func (w *writer) props(v profile.Values) {
	if v == nil {
		w.values = append(w.values, nil)
		return
	}
	w.values = append(w.values, encodeValues(v))
}

func (w *writer) decision(d *contact.Decision) {
	verdict := ""
	if d.Verdict != 0 {
		verdict = d.Verdict.String()
	}
	w.optional(verdict)
	w.optional(d.Channel)
	w.optional(string(d.Reason))
	w.optional(d.Detail)
	w.time(d.Until)
	_, offset := d.Until.Zone()
	w.int(int64(offset))
	w.int(d.Cost)
	list(w, d.Passed)
}

// reader takes the values of a row in the same order. at says where each is,
// for rows of several tables in one query.
type reader struct {
	cells []any
	dest  []any
	at    []int
	n     int
	err   error
}

func newReader(width int) *reader {
	r := &reader{cells: make([]any, width), dest: make([]any, width)}
	for i := range r.cells {
		r.dest[i] = &r.cells[i]
	}
	return r
}

func (r *reader) next() any {
	i := r.n
	r.n++
	if r.at != nil {
		i = r.at[i]
	}
	return r.cells[i]
}

func (r *reader) fail(err error) {
	if err != nil && r.err == nil {
		r.err = err
	}
}

func (r *reader) text() string {
	switch v := r.next().(type) {
	case nil:
	case string:
		return v
	case []byte:
		return string(v)
	default:
		r.fail(fmt.Errorf("%T is no text", v))
	}
	return ""
}

func (r *reader) int() int64 {
	switch v := r.next().(type) {
	case nil:
	case int64:
		return v
	default:
		r.fail(fmt.Errorf("%T is no integer", v))
	}
	return 0
}

func (r *reader) flag() bool { return r.int() != 0 }

func (r *reader) time() time.Time {
	var t sqlkit.Time
	r.fail(t.Scan(r.next()))
	return t.Time
}

func (r *reader) json(into any) {
	if s := r.text(); s != "" {
		r.fail(json.Unmarshal([]byte(s), into))
	}
}

func (r *reader) props() profile.Values {
	s := r.text()
	if s == "" {
		return nil
	}
	v, err := decodeValues(s)
	r.fail(err)
	return v
}

func (r *reader) decision(d *contact.Decision) {
	d.Verdict = contact.Verdict(r.name(verdictNames))
	d.Channel, d.Reason, d.Detail = r.text(), contact.Reason(r.text()), r.text()
	d.Until = r.time()
	if offset := int(r.int()); offset != 0 {
		d.Until = d.Until.In(time.FixedZone("", offset))
	}
	d.Cost = r.int()
	r.json(&d.Passed)
}

// name is the number of a name; NULL is 0.
func (r *reader) name(names []string) int {
	s := r.text()
	if s == "" {
		return 0
	}
	i := slices.Index(names, s)
	if i < 0 {
		r.fail(fmt.Errorf("unknown name %q", s))
		return 0
	}
	return i
}

// The names of numbers, as they are stored.
var (
	statusNames  = namesOf(journey.Ended)
	stateNames   = namesOf(journey.Dead)
	verdictNames = namesOf(contact.Suppress)
	modeNames    = namesOf(profile.Backfill)
	recordNames  = []string{"unknown", "moved", "effect", "operator", "error"}
)

func namesOf[T interface {
	~uint8
	fmt.Stringer
}](last T) []string {
	var out []string
	for i := range last + 1 {
		out = append(out, i.String())
	}
	return out
}

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

func instanceValues(d sqlkit.Dialect, row *journey.InstanceRow) ([]any, error) {
	w := writer{d: d, values: make([]any, 0, len(instances.columns))}
	in := &row.Instance
	w.text(in.ID)
	w.text(in.Journey)
	w.text(in.Version)
	w.text(string(in.Customer))
	w.text(in.Key)
	w.int(int64(in.Run))
	w.optional(in.Brand)
	w.optional(in.Parent)
	w.text(nameOf(statusNames, int(in.Status)))
	w.text(in.State)
	w.optional(in.Outcome)
	w.flag(in.Success)
	w.text(nameOf(modeNames, int(in.Mode)))
	w.time(in.StartedAt)
	w.time(in.EnteredAt)
	w.time(in.EndedAt)
	w.time(in.Due)
	w.time(in.FiredAt)
	w.int(int64(in.Fired))
	w.time(in.BurstAt)
	w.int(int64(in.Burst))
	w.int(int64(in.Seq))
	w.int(int64(in.NeedUntil))
	w.int(int64(in.Pending))
	w.optional(in.Zone)
	w.props(in.Data)
	w.int(int64(row.Version + 1))
	w.time(row.Wake)
	w.optional(row.Token)
	w.int(int64(row.Attempts))
	w.free(row.Error)
	w.flag(row.Dead)
	return w.values, w.err
}

func (r *reader) instance() journey.InstanceRow {
	var row journey.InstanceRow
	in := &row.Instance
	in.ID, in.Journey, in.Version, in.Customer = r.text(), r.text(), r.text(), profile.ID(r.text())
	in.Key, in.Run, in.Brand, in.Parent = r.text(), int(r.int()), r.text(), r.text()
	in.Status, in.State, in.Outcome, in.Success = journey.Status(r.name(statusNames)), r.text(), r.text(), r.flag()
	in.Mode = profile.Mode(r.name(modeNames))
	in.StartedAt, in.EnteredAt, in.EndedAt, in.Due, in.FiredAt = r.time(), r.time(), r.time(), r.time(), r.time()
	in.Fired, in.BurstAt, in.Burst = int(r.int()), r.time(), int(r.int())
	in.Seq, in.NeedUntil, in.Pending = uint32(r.int()), uint32(r.int()), int(r.int())
	in.Zone, in.Data = r.text(), r.props()
	row.Version, row.Wake, row.Token = uint64(r.int()), r.time(), r.text()
	row.Attempts, row.Error, row.Dead = int(r.int()), r.text(), r.flag()
	return row
}

func effectValues(d sqlkit.Dialect, row *journey.EffectRow) ([]any, error) {
	w := writer{d: d, values: make([]any, 0, len(effects.columns))}
	f := &row.Effect
	w.text(f.Key)
	w.text(string(f.Kind))
	w.text(f.Name)
	w.text(string(f.Customer))
	w.text(f.Instance)
	w.text(f.Journey)
	w.optional(f.State)
	w.int(int64(f.Seq))
	w.optional(f.Brand)
	w.optional(f.Purpose)
	w.optional(f.Category)
	list(&w, f.Channels)
	w.props(f.Args)
	list(&w, f.Missing)
	w.time(f.At)
	w.time(f.NotAfter)
	w.int(int64(f.Priority))
	w.text(nameOf(modeNames, int(f.Mode)))
	w.text(nameOf(stateNames, int(row.State)))
	w.flag(row.Doubtful)
	w.flag(row.Told)
	list(&w, row.Refused)
	w.decision(&row.Decision)
	w.free(row.Detail)
	w.int(int64(row.Version + 1))
	w.time(row.Wake)
	w.optional(row.Token)
	w.int(int64(row.Attempts))
	return w.values, w.err
}

func (r *reader) effect() journey.EffectRow {
	var row journey.EffectRow
	f := &row.Effect
	f.Key, f.Kind, f.Name, f.Customer = r.text(), journey.EffectKind(r.text()), r.text(), profile.ID(r.text())
	f.Instance, f.Journey, f.State, f.Seq = r.text(), r.text(), r.text(), uint32(r.int())
	f.Brand, f.Purpose, f.Category = r.text(), r.text(), r.text()
	r.json(&f.Channels)
	f.Args = r.props()
	r.json(&f.Missing)
	f.At, f.NotAfter, f.Priority, f.Mode = r.time(), r.time(), int(r.int()), profile.Mode(r.name(modeNames))
	row.State, row.Doubtful, row.Told = journey.EffectState(r.name(stateNames)), r.flag(), r.flag()
	r.json(&row.Refused)
	r.decision(&row.Decision)
	row.Detail = r.text()
	row.Version, row.Wake, row.Token, row.Attempts = uint64(r.int()), r.time(), r.text(), int(r.int())
	return row
}

func contactValues(d sqlkit.Dialect, row *journey.ContactRow) ([]any, error) {
	w := writer{d: d, values: make([]any, 0, len(contacts.columns))}
	w.text(string(row.Customer))
	w.optional(row.Row.Zone)
	w.flag(row.Row.Restricted)
	list(&w, row.Row.Consents)
	list(&w, row.Row.Credits)
	list(&w, row.Row.Replies)
	list(&w, row.Row.Follows)
	list(&w, row.Row.Sent)
	list(&w, row.Former)
	list(&w, row.Arms)
	w.int(int64(row.Version + 1))
	return w.values, w.err
}

func (r *reader) contact() journey.ContactRow {
	row := journey.ContactRow{Customer: profile.ID(r.text())}
	row.Row.Zone, row.Row.Restricted = r.text(), r.flag()
	r.json(&row.Row.Consents)
	r.json(&row.Row.Credits)
	r.json(&row.Row.Replies)
	r.json(&row.Row.Follows)
	r.json(&row.Row.Sent)
	r.json(&row.Former)
	r.json(&row.Arms)
	row.Version = uint64(r.int())
	return row
}

func entryValues(d sqlkit.Dialect, row *journey.EntryRow) ([]any, error) {
	w := writer{d: d, values: make([]any, 0, len(entries.columns))}
	w.text(string(row.Customer))
	w.text(row.Journey)
	w.text(row.Key)
	w.int(int64(row.Run))
	w.time(row.EnteredAt)
	w.int(int64(row.Version + 1))
	return w.values, w.err
}

func (r *reader) entry() journey.EntryRow {
	var row journey.EntryRow
	row.Customer, row.Journey, row.Key = profile.ID(r.text()), r.text(), r.text()
	row.Run, row.EnteredAt, row.Version = int(r.int()), r.time(), uint64(r.int())
	return row
}

func definitionValues(d sqlkit.Dialect, row *journey.DefinitionRow) ([]any, error) {
	w := writer{d: d, values: make([]any, 0, len(definitions.columns))}
	w.text(row.Journey)
	w.text(row.Version)
	w.flag(row.Current)
	w.time(row.DeployedAt)
	w.text(string(row.JSON))
	w.int(int64(row.RowVersion + 1))
	return w.values, w.err
}

func (r *reader) definition() journey.DefinitionRow {
	var row journey.DefinitionRow
	row.Journey, row.Version = r.text(), r.text()
	row.Current, row.DeployedAt, row.JSON, row.RowVersion = r.flag(), r.time(), []byte(r.text()), uint64(r.int())
	return row
}

func inputValues(d sqlkit.Dialect, row *journey.InputRow) ([]any, error) {
	w := writer{d: d, values: make([]any, 0, len(inputs.columns))}
	w.text(row.ID)
	w.text(row.Digest)
	w.text(string(row.Customer))
	w.time(row.At)
	list(&w, row.Instances)
	return w.values, w.err
}

func (r *reader) input() journey.InputRow {
	var row journey.InputRow
	row.ID, row.Digest, row.Customer, row.At = r.text(), r.text(), profile.ID(r.text()), r.time()
	r.json(&row.Instances)
	return row
}

// recordValues gives only the first columns where the record has nothing of an effect.
func recordValues(d sqlkit.Dialect, r *journey.Record, whole bool) ([]any, error) {
	w := writer{d: d, values: make([]any, 0, len(history.columns))}
	w.text(r.Instance)
	w.text(r.Journey)
	w.text(string(r.Customer))
	w.time(r.At)
	w.text(nameOf(recordNames, int(r.Kind)))
	w.text(nameOf(modeNames, int(r.Mode)))
	w.optional(r.Version)
	w.int(int64(r.Edge))
	w.optional(r.From)
	w.optional(r.To)
	w.optional(r.Input)
	w.free(r.Cause)
	w.free(r.Detail)
	if !whole && !wide(r) {
		return w.values, w.err
	}
	w.optional(r.Effect)
	w.optional(string(r.EffectKind))
	w.optional(r.Name)
	w.props(r.Args)
	state := ""
	if r.State != 0 {
		state = nameOf(stateNames, int(r.State))
	}
	w.optional(state)
	w.decision(&r.Decision)
	return w.values, w.err
}

// wide reports whether a line of history has anything of an effect.
func wide(r *journey.Record) bool {
	return r.Effect != "" || r.EffectKind != "" || r.Name != "" || r.Args != nil || r.State != 0 || !undecided(&r.Decision)
}

func undecided(d *contact.Decision) bool {
	return d.Verdict == 0 && d.Channel == "" && d.Reason == "" && d.Detail == "" && d.Until.IsZero() && d.Cost == 0 && d.Passed == nil
}

func (r *reader) record() journey.Record {
	var row journey.Record
	row.Instance, row.Journey, row.Customer, row.At = r.text(), r.text(), profile.ID(r.text()), r.time()
	row.Kind, row.Mode = journey.RecordKind(r.name(recordNames)), profile.Mode(r.name(modeNames))
	row.Version, row.Edge, row.From, row.To = r.text(), int(r.int()), r.text(), r.text()
	row.Input, row.Cause, row.Detail = r.text(), r.text(), r.text()
	row.Effect, row.EffectKind, row.Name, row.Args = r.text(), journey.EffectKind(r.text()), r.text(), r.props()
	row.State = journey.EffectState(r.name(stateNames))
	r.decision(&row.Decision)
	return row
}
