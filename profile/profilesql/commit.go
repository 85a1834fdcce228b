package profilesql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
)

// The records hold what of a row has no column.
type (
	evidenceRecord struct {
		Links      []profile.Name        `json:"links"`
		Holds      []profile.Name        `json:"holds,omitempty"`
		Traits     []profile.TraitRow    `json:"traits,omitempty"`
		Consents   []profile.ConsentRow  `json:"consents,omitempty"`
		Relations  []profile.RelationRow `json:"relations,omitempty"`
		Refused    []profile.RefusedRow  `json:"refused,omitempty"`
		Formers    []profile.ID          `json:"formers,omitempty"`
		Unlinked   *profile.Decision     `json:"unlinked,omitempty"`
		Restricted *profile.Decision     `json:"restricted,omitempty"`
	}
	identifierRecord struct {
		Ties     []profile.TieRow `json:"ties,omitempty"`
		Releases []time.Time      `json:"releases,omitempty"`
	}
	customerRecord struct {
		Side   profile.SideRow    `json:"side,omitzero"`
		Traits []profile.TraitRow `json:"traits,omitempty"`
	}
)

// Commit implements [profile.Store]: one statement on PostgreSQL, one
// transaction on SQLite. A commit whose answer was lost is sent again: if it had
// been done, its rows are no longer as they were read, and that is a conflict.
func (s *Store) Commit(ctx context.Context, b profile.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	parts, err := s.parts(&b)
	if err != nil {
		return wrap(err)
	}
	absent := absentees(&b)
	if len(absent) == 0 {
		run := s.add
		if s.d == Postgres {
			run = s.one
		}
		return run(ctx, func(ex sqlkit.Executor) error { return sqlkit.Exec(ctx, s.d, ex, parts) })
	}
	return s.write(ctx, func(ex sqlkit.Executor) error {
		for _, a := range absent {
			var n int
			if err := ex.QueryRowContext(ctx, s.d.Bind(a.text), a.key...).Scan(&n); err != nil {
				return err
			}
			if n != 0 {
				return sqlkit.ErrGuard
			}
		}
		return sqlkit.Exec(ctx, s.d, ex, parts)
	})
}

// absentee is a row that must not be there, and is not to be made.
type absentee struct {
	text string
	key  []any
}

func absentees(b *profile.Batch) (out []absentee) {
	for _, r := range b.Evidence {
		if r.Deleted && r.Version == 0 {
			out = append(out, absentee{"SELECT count(*) FROM profile_evidence WHERE evidence = $1", []any{r.Key.String()}})
		}
	}
	for _, r := range b.Names {
		if r.Deleted && r.Version == 0 {
			out = append(out, absentee{
				"SELECT count(*) FROM profile_identifier WHERE kind = $1 AND value = $2 AND era = $3",
				[]any{r.Name.Kind, r.Name.Value, r.Name.Era},
			})
		}
	}
	for _, r := range b.Profiles {
		if r.Deleted && r.Version == 0 {
			out = append(out, absentee{"SELECT count(*) FROM profile_customer WHERE id = $1", []any{string(r.ID)}})
		}
	}
	return out
}

// rows of one table, by what is done with them.
type rows struct{ inserts, updates, deletes [][]any }

// put sorts a row in: key and values make the row, guarded by its version.
func (r *rows) put(deleted bool, was, version uint64, key, values []any) {
	switch {
	case deleted && was == 0:
	case deleted:
		r.deletes = append(r.deletes, append(slices.Clip(key), int64(was)))
	case was == 0:
		r.inserts = append(r.inserts, append(append(slices.Clip(key), values...), int64(version)))
	default:
		r.updates = append(r.updates, append(append(append(values, int64(version)), key...), int64(was)))
	}
}

func (r *rows) parts(t *table) []sqlkit.Part {
	return []sqlkit.Part{{Statement: t.remove, Rows: r.deletes}, {Statement: t.update, Rows: r.updates}, {Statement: t.insert, Rows: r.inserts}}
}

func (s *Store) parts(b *profile.Batch) ([]sqlkit.Part, error) {
	version := s.next(touched(b))
	parts := s.moves(b, version)
	var ev, na, pr rows
	var held, unheld [][]any
	for i := range b.Evidence {
		r := &b.Evidence[i]
		doc, err := encode(evidenceRecord{r.Links, r.Holds, r.Traits, r.Consents, r.Relations, r.Refused, r.Formers, r.Unlinked, r.Restricted})
		if err != nil {
			return nil, err
		}
		key := r.Key.String()
		ev.put(r.Deleted, r.Version, version, []any{key}, []any{
			sqlkit.Text(string(r.Profile)), string(r.Anchor), int64(r.Arrival), s.d.Time(r.First), s.d.Time(r.Last), int64(r.Events), doc,
		})
		var now []string
		if !r.Deleted {
			for _, n := range r.Holds {
				if id := nameKey(n); !slices.Contains(now, id) {
					now = append(now, id)
					held = append(held, []any{n.Kind, n.Value, n.Era, key})
				}
			}
		}
		if r.Version > 0 {
			unheld = append(unheld, []any{key, s.d.List(now)})
		}
	}
	for i := range b.Names {
		r := &b.Names[i]
		doc, err := encode(identifierRecord{r.Ties, r.Releases})
		if err != nil {
			return nil, err
		}
		na.put(r.Deleted, r.Version, version, []any{r.Name.Kind, r.Name.Value, r.Name.Era}, []any{
			sqlkit.Text(string(r.Profile)), s.d.Time(r.Since), int64(r.Uses), doc,
		})
	}
	for i := range b.Profiles {
		r := &b.Profiles[i]
		doc, err := encode(customerRecord{r.Side, r.Traits})
		if err != nil {
			return nil, err
		}
		var latest any
		if !r.Latest.Evidence.IsZero() {
			latest = r.Latest.Evidence.String()
		}
		pr.put(r.Deleted, r.Version, version, []any{string(r.ID)}, []any{
			int64(r.Arrival), int64(r.Evidence), int64(r.Events), s.d.Time(r.First), s.d.Time(r.Last), s.d.Time(r.Latest.At), latest, doc,
		})
	}
	parts = append(parts, ev.parts(s.evidence)...)
	parts = append(parts, na.parts(s.identifier)...)
	parts = append(parts, pr.parts(s.customer)...)
	parts = append(parts, sqlkit.Part{Statement: s.unhold, Rows: unheld}, sqlkit.Part{Statement: s.hold, Rows: held})
	events, err := s.events(b.Events)
	if err != nil {
		return nil, err
	}
	parts = append(parts, events...)
	parts = append(parts, s.facts(b)...)
	changes, err := s.changes(b.Changes, version)
	if err != nil {
		return nil, err
	}
	return append(parts, changes), nil
}

// touched is the greatest version among the rows that a batch was decided on.
func touched(b *profile.Batch) (most uint64) {
	for i := range b.Evidence {
		most = max(most, b.Evidence[i].Version)
	}
	for i := range b.Names {
		most = max(most, b.Names[i].Version)
	}
	for i := range b.Profiles {
		most = max(most, b.Profiles[i].Version)
	}
	return most
}

// moves make all rows of some profiles others', but for those that the batch
// writes anyway: a statement must not write a row twice.
func (s *Store) moves(b *profile.Batch, version uint64) []sqlkit.Part {
	if len(b.Moves) == 0 {
		return nil
	}
	to := map[profile.ID]profile.ID{} // where the rows of a profile end
	var order []profile.ID
	for _, m := range b.Moves {
		for from, now := range to {
			if now == m.From {
				to[from] = m.To
			}
		}
		if _, ok := to[m.From]; !ok {
			to[m.From] = m.To
			order = append(order, m.From)
		}
	}
	slices.Sort(order)
	keys := make([]string, len(b.Evidence))
	for i := range b.Evidence {
		keys[i] = b.Evidence[i].Key.String()
	}
	names := make([]string, len(b.Names))
	for i := range b.Names {
		names[i] = nameKey(b.Names[i].Name)
	}
	var evidence, identifiers [][]any
	for _, from := range order {
		evidence = append(evidence, []any{string(to[from]), int64(version), string(from), s.d.List(keys)})
		identifiers = append(identifiers, []any{string(to[from]), int64(version), string(from), s.d.List(names)})
	}
	return []sqlkit.Part{{Statement: s.moveEvidence, Rows: evidence}, {Statement: s.moveIdentifiers, Rows: identifiers}}
}

// nameKey is a name as one text, as the SQL expression that [newStatements] compares with.
func nameKey(n profile.Name) string {
	return fmt.Sprint(utf8.RuneCountInString(n.Kind), ":", utf8.RuneCountInString(n.Value), ":", n.Kind, n.Value, n.Era)
}

func (s *Store) events(events []profile.EventRow) ([]sqlkit.Part, error) {
	var inserts, updates [][]any
	for i := range events {
		r := &events[i]
		e := &r.Event
		values := []any{nil, nil, nil, nil, nil, nil, nil, int64(1), "{}"}
		if !r.Retracted {
			doc, err := encode(e)
			if err != nil {
				return nil, err
			}
			var order any
			if e.Order != nil {
				order = sqlkit.Text(e.Order.Order.Number)
			}
			values = []any{
				r.Evidence.String(), s.d.Time(e.Time), sqlkit.Text(e.Source), sqlkit.Text(e.Name), e.Mode.String(), sqlkit.Text(e.Brand),
				order, int64(0), doc,
			}
		}
		if r.Known {
			updates = append(updates, append(values, e.ID))
		} else {
			inserts = append(inserts, append([]any{e.ID}, values...))
		}
	}
	return []sqlkit.Part{{Statement: s.insertEvent, Rows: inserts}, {Statement: s.updateEvent, Rows: updates}}, nil
}

// facts are the rows without a version.
func (s *Store) facts(b *profile.Batch) []sqlkit.Part {
	var anchors, tombs, handed [][]any
	at := map[profile.ID]int{}
	for _, r := range b.Anchors {
		row := []any{string(r.ID), nil}
		if !r.Evidence.IsZero() {
			row[1] = r.Evidence.String()
		}
		if i, ok := at[r.ID]; ok {
			anchors[i] = row
			continue
		}
		at[r.ID] = len(anchors)
		anchors = append(anchors, row)
	}
	for _, r := range b.Tombstones {
		keep := int64(0)
		if r.KeepOut {
			keep = 1
		}
		tombs = append(tombs, []any{fmt.Sprintf("%x", r.Hash[:]), s.d.Time(r.At), keep})
	}
	for _, h := range b.HandOvers {
		handed = append(handed, []any{h.Type, h.From, h.To, s.d.Time(h.At), h.By.Actor, h.By.Reason})
	}
	out := []sqlkit.Part{{Statement: s.anchor, Rows: anchors}, {Statement: s.tombstone, Rows: tombs}, {Statement: s.handOver, Rows: handed}}
	if b.Rules != "" {
		out = append(out, sqlkit.Part{Statement: s.setRules, Rows: [][]any{{b.Rules, int64(1), b.FormerRules}}})
	}
	return out
}

func (s *Store) changes(changes []profile.Change, version uint64) (sqlkit.Part, error) {
	var out [][]any
	for i := range changes {
		c := &changes[i]
		var traits any
		if len(c.Names) > 0 {
			doc, err := encode(c.Names)
			if err != nil {
				return sqlkit.Part{}, err
			}
			traits = doc
		}
		row := []any{
			c.Kind.String(), string(c.Profile), sqlkit.Text(string(c.Other)), sqlkit.Text(c.Event), traits, s.d.Time(c.RecordedAt), c.Mode.String(),
		}
		if s.d == Postgres {
			row = append([]any{int64(version), int64(i)}, row...)
		}
		out = append(out, row)
	}
	return sqlkit.Part{Statement: s.change, Rows: out}, nil
}

func encode(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
