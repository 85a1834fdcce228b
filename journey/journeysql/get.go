package journeysql

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

// part is one kind of rows that a lookup may ask for.
type part int

const (
	openPart part = iota // the open instances of a customer
	contactPart
	contactsPart
	instancePart
	effectPart
	inputPart
	entryPart
	entriesPart
	definitionPart
	currentPart
	parts
)

// tableOf is where a part's rows are.
func tableOf(p part) *table {
	switch p {
	case openPart, instancePart:
		return &instances
	case effectPart:
		return &effects
	case inputPart:
		return &inputs
	case entryPart, entriesPart:
		return &entries
	case definitionPart, currentPart:
		return &definitions
	}
	return &contacts
}

// condition is a part's WHERE clause with parameters from n on, and their number.
func (p part) condition(d sqlkit.Dialect, n int) (text string, params int) {
	switch p {
	case openPart:
		return fmt.Sprintf("t.customer = $%d AND t.status IN ('active', 'closing')", n), 1
	case contactPart:
		return fmt.Sprintf("t.customer = $%d", n), 1
	case contactsPart:
		return d.Any("t.customer", n), 1
	case entryPart:
		return fmt.Sprintf("t.customer = $%d AND t.journey = $%d AND t.key = $%d", n, n+1, n+2), 3
	case entriesPart:
		if d == sqlkit.Postgres {
			return fmt.Sprintf("(t.customer, t.journey, t.key) IN (SELECT * FROM unnest($%d::text[], $%d::text[], $%d::text[]))", n, n+1, n+2), 3
		}
		return fmt.Sprintf("(t.customer, t.journey, t.key) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($%d))", n), 1
	case definitionPart:
		return fmt.Sprintf("t.journey = $%d AND t.version = $%d", n, n+1), 2
	case currentPart:
		return fmt.Sprintf("t.journey = $%d AND t.is_current = 1", n), 1
	case effectPart:
		return fmt.Sprintf("t.key = $%d", n), 1
	}
	return fmt.Sprintf("t.id = $%d", n), 1
}

// getter is the statement for one combination of parts: their rows share one
// result, in which a column is wherever one of its type is free.
type getter struct {
	text  string
	width int
	at    [parts][]int
}

func newGetter(d sqlkit.Dialect, asked []part) *getter {
	g := &getter{}
	// The result has a column for the part, then as many of each type as any part needs.
	kinds := []string{"text", "bigint", "timestamptz"}
	kindOf := func(c sqlkit.Column) int {
		if c.Type == "jsonb" {
			return 0
		}
		return slices.Index(kinds, c.Type)
	}
	var room [3]int
	for _, p := range asked {
		var used [3]int
		for _, c := range tableOf(p).columns {
			used[kindOf(c)]++
		}
		for k := range room {
			room[k] = max(room[k], used[k])
		}
	}
	g.width = 1 + room[0] + room[1] + room[2]
	first := [3]int{1, 1 + room[0], 1 + room[0] + room[1]}
	var selects []string
	n := 1
	for _, p := range asked {
		t := tableOf(p)
		cells := make([]string, g.width)
		cells[0] = fmt.Sprint(int(p)) + " AS part"
		for k, at := range first {
			for i := range room[k] {
				cells[at+i] = "CAST(NULL AS " + kinds[k] + ")"
			}
		}
		free := first
		for _, c := range t.columns {
			k := kindOf(c)
			cells[free[k]] = t.selected(d, c)
			if c.Type == "jsonb" && d == sqlkit.Postgres {
				cells[free[k]] = "CAST(" + cells[free[k]] + " AS text)"
			}
			g.at[p] = append(g.at[p], free[k])
			free[k]++
		}
		where, params := p.condition(d, n)
		n += params
		selects = append(selects, "SELECT "+strings.Join(cells, ", ")+" "+t.from(d)+" WHERE "+where)
	}
	g.text = d.Bind(strings.Join(selects, " UNION ALL "))
	return g
}

// getter finds or makes the statement for parts.
func (s *Store) getter(asked []part) *getter {
	mask := 0
	for _, p := range asked {
		mask |= 1 << p
	}
	if g, ok := s.getters.Load(mask); ok {
		return g.(*getter)
	}
	g, _ := s.getters.LoadOrStore(mask, newGetter(s.dialect, asked))
	return g.(*getter)
}

// Get implements [journey.Store] with one statement. Inside a caller's
// transaction on PostgreSQL another one locks the rows first.
func (s *Store) Get(ctx context.Context, l journey.Lookup) (journey.Found, error) {
	var asked []part
	var args []any
	ask := func(p part, values ...any) {
		asked = append(asked, p)
		args = append(args, values...)
	}
	if l.Customer != "" {
		ask(openPart, string(l.Customer))
		ask(contactPart, string(l.Customer))
	}
	if len(l.Contacts) > 0 {
		ask(contactsPart, s.dialect.List(idsOf(l.Contacts)))
	}
	if l.Instance != "" {
		ask(instancePart, l.Instance)
	}
	if l.Effect != "" {
		ask(effectPart, l.Effect)
	}
	if l.Input != "" {
		ask(inputPart, l.Input)
	}
	switch len(l.Entries) {
	case 0:
	case 1:
		ask(entryPart, string(l.Entries[0].Customer), l.Entries[0].Journey, l.Entries[0].Key)
	default:
		ask(entriesPart, s.tuples(l.Entries)...)
	}
	if d := l.Definition; d.Version != "" {
		ask(definitionPart, d.Journey, d.Version)
	} else if d.Journey != "" {
		ask(currentPart, d.Journey)
	}
	var f journey.Found
	if len(asked) == 0 {
		return f, ctx.Err()
	}
	g := s.getter(asked)
	err := s.read(ctx, func(ex sqlkit.Executor) error {
		if err := s.lock(ctx, ex, l); err != nil {
			return err
		}
		f = journey.Found{}
		r := newReader(g.width)
		return sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
			if err := rows.Scan(r.dest...); err != nil {
				return err
			}
			r.at, r.n = nil, 0
			p := part(r.int())
			if p < 0 || p >= parts {
				return fmt.Errorf("unknown part %d", p)
			}
			r.at, r.n = g.at[p], 0
			r.take(p, &f)
			return r.err
		}, g.text, args...)
	})
	if err != nil {
		return journey.Found{}, err
	}
	if l.Customer != "" && f.Contact.Version == 0 {
		f.Contact = journey.ContactRow{Customer: l.Customer}
	}
	slices.SortFunc(f.Instances, func(a, b journey.InstanceRow) int { return compareInstances(&a.Instance, &b.Instance) })
	return f, nil
}

// take puts a row where it was asked for.
func (r *reader) take(p part, f *journey.Found) {
	switch p {
	case openPart:
		f.Instances = append(f.Instances, r.instance())
	case contactPart:
		f.Contact = r.contact()
	case contactsPart:
		f.Contacts = append(f.Contacts, r.contact())
	case instancePart:
		row := r.instance()
		f.Instance = &row
	case effectPart:
		row := r.effect()
		f.Effect = &row
	case inputPart:
		row := r.input()
		f.Input = &row
	case entryPart, entriesPart:
		f.Entries = append(f.Entries, r.entry())
	case definitionPart, currentPart:
		row := r.definition()
		f.Definition = &row
	}
}

func compareInstances(a, b *journey.Instance) int {
	return cmp.Or(cmp.Compare(a.Journey, b.Journey), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Run, b.Run), cmp.Compare(a.ID, b.ID))
}

// tuples are the parameters of entriesPart.
func (s *Store) tuples(keys []journey.EntryKey) []any {
	if s.dialect == sqlkit.Postgres {
		var lists [3][]string
		for _, k := range keys {
			lists[0], lists[1], lists[2] = append(lists[0], string(k.Customer)), append(lists[1], k.Journey), append(lists[2], k.Key)
		}
		return []any{s.dialect.List(lists[0]), s.dialect.List(lists[1]), s.dialect.List(lists[2])}
	}
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = s.dialect.List([]string{string(k.Customer), k.Journey, k.Key})
	}
	return []any{"[" + strings.Join(out, ",") + "]"}
}

func idsOf(ids []profile.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// lock locks contact rows and open instances, each in the order of their keys,
// before they are read inside a caller's transaction: what a later statement
// reads is then what the locks protect. SQLite locks the database instead.
func (s *Store) lock(ctx context.Context, ex sqlkit.Executor, l journey.Lookup) error {
	if s.bound == nil || s.dialect != sqlkit.Postgres || l.Customer == "" && len(l.Contacts) == 0 {
		return nil
	}
	ids := idsOf(l.Contacts)
	if l.Customer != "" {
		ids = append(ids, string(l.Customer))
	}
	_, err := ex.ExecContext(ctx, s.lockCustomers, s.dialect.List(ids), s.dialect.List([]string{string(l.Customer)}))
	return err
}
