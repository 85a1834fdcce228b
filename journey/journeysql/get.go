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
	openPart  part = iota // the open instances of a customer
	opensPart             // those of several
	contactPart
	contactsPart
	instancePart
	effectPart
	inputPart
	inputsPart
	entryPart
	entriesPart
	definitionPart
	currentPart
	parts
)

// tableOf is where a part's rows are.
func tableOf(p part) *table {
	switch p {
	case openPart, opensPart, instancePart:
		return &instances
	case effectPart:
		return &effects
	case inputPart, inputsPart:
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
	case opensPart:
		return d.Any("t.customer", n) + " AND t.status IN ('active', 'closing')", 1
	case contactPart:
		return fmt.Sprintf("t.customer = $%d", n), 1
	case contactsPart:
		return d.Any("t.customer", n), 1
	case inputsPart:
		return d.Any("t.id", n), 1
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
	locked := locks{contacts: idsOf(l.Contacts)}
	if l.Customer != "" {
		locked.contacts, locked.open = append(locked.contacts, string(l.Customer)), []string{string(l.Customer)}
	}
	err := s.fetch(ctx, locked, asked, args, func(p part, r *reader) { r.take(p, &f) }, func() { f = journey.Found{} })
	if err != nil {
		return journey.Found{}, err
	}
	finish(&l, &f)
	return f, nil
}

// fetch runs the statement for parts; take gets each row, after begin.
func (s *Store) fetch(ctx context.Context, l locks, asked []part, args []any, take func(part, *reader), begin func()) error {
	g := s.getter(asked)
	return s.read(ctx, func(ex sqlkit.Executor) error {
		if err := s.lock(ctx, ex, l); err != nil {
			return err
		}
		begin()
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
			take(p, r)
			return r.err
		}, g.text, args...)
	})
}

// GetMany implements [journey.Gatherer]: one statement for lookups of customers,
// inputs and entries, else one for each.
func (s *Store) GetMany(ctx context.Context, l []journey.Lookup) ([]journey.Found, error) {
	out := make([]journey.Found, len(l))
	ofCustomer, ofInput, ofEntry := map[profile.ID][]int{}, map[string][]int{}, map[journey.EntryKey][]int{}
	var customers, ids []string
	var entries []journey.EntryKey
	for i, a := range l {
		if len(a.Contacts) > 0 || a.Instance != "" || a.Effect != "" || a.Definition.Journey != "" {
			return s.getEach(ctx, l)
		}
		if a.Customer != "" {
			if ofCustomer[a.Customer] == nil {
				customers = append(customers, string(a.Customer))
			}
			ofCustomer[a.Customer] = append(ofCustomer[a.Customer], i)
		}
		if a.Input != "" {
			if ofInput[a.Input] == nil {
				ids = append(ids, a.Input)
			}
			ofInput[a.Input] = append(ofInput[a.Input], i)
		}
		for _, k := range a.Entries {
			if ofEntry[k] == nil {
				entries = append(entries, k)
			}
			ofEntry[k] = append(ofEntry[k], i)
		}
	}
	var asked []part
	var args []any
	if len(customers) > 0 {
		asked = append(asked, opensPart, contactsPart)
		list := s.dialect.List(customers)
		args = append(args, list, list)
	}
	if len(ids) > 0 {
		asked, args = append(asked, inputsPart), append(args, s.dialect.List(ids))
	}
	if len(entries) > 0 {
		asked, args = append(asked, entriesPart), append(args, s.tuples(entries)...)
	}
	if len(asked) == 0 {
		return out, ctx.Err()
	}
	err := s.fetch(ctx, locks{customers, customers}, asked, args, func(p part, r *reader) {
		switch p {
		case opensPart:
			row := r.instance()
			for _, i := range ofCustomer[row.Instance.Customer] {
				out[i].Instances = append(out[i].Instances, row)
			}
		case contactsPart:
			row := r.contact()
			for _, i := range ofCustomer[row.Customer] {
				out[i].Contact = row
			}
		case inputsPart:
			row := r.input()
			for _, i := range ofInput[row.ID] {
				out[i].Input = &row
			}
		case entriesPart:
			row := r.entry()
			for _, i := range ofEntry[row.EntryKey] {
				out[i].Entries = append(out[i].Entries, row)
			}
		}
	}, func() { clear(out) })
	if err != nil {
		return nil, err
	}
	for i := range out {
		finish(&l[i], &out[i])
	}
	return out, nil
}

func (s *Store) getEach(ctx context.Context, l []journey.Lookup) ([]journey.Found, error) {
	out := make([]journey.Found, len(l))
	for i := range l {
		var err error
		if out[i], err = s.Get(ctx, l[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// finish brings what was found into the form that a lookup asks for.
func finish(l *journey.Lookup, f *journey.Found) {
	if l.Customer != "" && f.Contact.Version == 0 {
		f.Contact = journey.ContactRow{Customer: l.Customer}
	}
	slices.SortFunc(f.Instances, func(a, b journey.InstanceRow) int { return compareInstances(&a.Instance, &b.Instance) })
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

// locks are the customers whose contact rows and whose open instances are locked
// before they are read inside a caller's transaction, each in the order of their
// keys: what a later statement reads is then what the locks protect. SQLite locks
// the database instead.
type locks struct{ contacts, open []string }

func (s *Store) lock(ctx context.Context, ex sqlkit.Executor, l locks) error {
	if s.bound == nil || s.dialect != sqlkit.Postgres || len(l.contacts) == 0 {
		return nil
	}
	_, err := ex.ExecContext(ctx, s.lockCustomers, s.dialect.List(l.contacts), s.dialect.List(l.open))
	return err
}
