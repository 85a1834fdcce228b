package journeysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// table is the shape of a table: the columns in the order in which rows are
// written and read, the key first.
type table struct {
	name    string
	columns []sqlkit.Column
	keys    int
	// fixed are columns that seldom change and that indexes begin with: an
	// update leaves them alone where it can.
	fixed []string
	// claimed is the kind of row in journey_claim on SQLite; "" for none.
	claimed string
}

// limit is the LIMIT clause of parameter n. SQLite plans a statement anew at each
// run where the parameter stands alone.
func limit(d sqlkit.Dialect, n int) string {
	if d == sqlkit.SQLite {
		return fmt.Sprintf(" LIMIT 0 + $%d", n)
	}
	return fmt.Sprintf(" LIMIT $%d", n)
}

// columns reads a list of columns; i, t and j stand for bigint, timestamptz and jsonb.
func columns(spec string) []sqlkit.Column {
	out := sqlkit.Columns(spec)
	for i, c := range out {
		if long, ok := map[string]string{"i": "bigint", "t": "timestamptz", "j": "jsonb"}[c.Type]; ok {
			out[i].Type = long
		}
	}
	return out
}

var (
	instances = table{
		"journey_instance", columns("id journey version customer key run:i brand parent status state outcome success:i mode " +
			"started_at:t entered_at:t ended_at:t due_at:t fired_at:t fired:i burst_at:t burst:i seq:i need_until:i pending:i zone data:j " +
			"row_version:i wake_at:t token attempts:i error dead:i"), 1, []string{"customer", "journey", "status"}, "instance",
	}
	effects = table{
		"journey_effect", columns("key kind name customer instance journey state seq:i brand purpose category channels:j args:j missing:j " +
			"planned_at:t not_after:t priority:i mode status doubtful:i told:i refused:j verdict channel reason decision_detail deferred_until:t deferred_offset:i " +
			"cost:i passed:j detail row_version:i wake_at:t token attempts:i"), 1, []string{"customer", "journey", "instance"}, "effect",
	}
	contacts = table{
		"journey_contact", columns("customer zone restricted:i consents:j credits:j replies:j follows:j sent:j former:j arms:j row_version:i"),
		1, nil, "",
	}
	entries     = table{"journey_entry", columns("customer journey key run:i entered_at:t row_version:i"), 3, nil, ""}
	definitions = table{
		"journey_definition", columns("journey version is_current:i deployed_at:t definition row_version:i"), 2, nil, "",
	}
	inputs  = table{"journey_input", columns("id digest customer happened_at:t instances:j"), 1, nil, ""}
	history = table{
		"journey_history", columns("instance journey customer happened_at:t kind mode version edge:i from_state to_state input cause detail " +
			"effect effect_kind name args:j status verdict channel reason decision_detail deferred_until:t deferred_offset:i cost:i passed:j"), 0, nil, "",
	}
)

// moved is how many columns of the history a move has; the rest is of effects.
const moved = 13

func (t *table) index(name string) int {
	return slices.IndexFunc(t.columns, func(c sqlkit.Column) bool { return c.Name == name })
}

// over reports whether the row is of an instance that has ended.
func (t *table) over(row []any) bool { return t == &instances && row[statusColumn] == any("ended") }

// Where an instance's status and customer are.
var (
	statusColumn   = instances.index("status")
	customerColumn = instances.index("customer")
)

func names(columns []sqlkit.Column) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return strings.Join(out, ", ")
}

// selected is what a query selects for a column. On SQLite a claim stands over
// the row.
func (t *table) selected(d sqlkit.Dialect, c sqlkit.Column) string {
	if d == sqlkit.SQLite && t.claimed != "" {
		switch c.Name {
		case "row_version":
			return "t.row_version + COALESCE(c.claims, 0)"
		case "wake_at":
			return "COALESCE(c.until_at, t.wake_at)"
		case "token":
			return "COALESCE(c.token, t.token)"
		}
	}
	return "t." + c.Name
}

// holds is the condition that a claim c is the row t's, and not over. One is over
// once the row has been written.
func (t *table) holds() string {
	return fmt.Sprintf("c.kind = '%s' AND c.key = t.%s AND c.base = t.row_version", t.claimed, t.columns[0].Name)
}

// from is the FROM clause: the table as t, its claims as c.
func (t *table) from(d sqlkit.Dialect) string {
	if d == sqlkit.SQLite && t.claimed != "" {
		return fmt.Sprintf("FROM %s t LEFT JOIN journey_claim c ON %s", t.name, t.holds())
	}
	return "FROM " + t.name + " t"
}

// list is what a query selects for whole rows.
func (t *table) list(d sqlkit.Dialect) string {
	out := make([]string, len(t.columns))
	for i, c := range t.columns {
		out[i] = t.selected(d, c)
	}
	return strings.Join(out, ", ")
}

// put is how SQLite writes a row: an INSERT for a new one, else the first of some
// updates that fits. Each leaves fewer of the fixed columns alone than the one
// before, the last none.
type put struct {
	insert  insert
	updates []update
	unclaim string
	// moving runs before the last update, with the key and the customer.
	moving string
}

// insert are the statements that insert rows: one, two and so on. As updates they
// leave what they have written where they fail, for which SQLite would keep copies
// of the pages: the whole transaction is rolled back then.
type insert []string

// insertRoom bounds the parameters of one statement: drivers bind them in the
// square of their number.
const insertRoom = 64

func newInsert(table string, columns []sqlkit.Column) insert {
	row := "(" + strings.Repeat("?, ", len(columns)-1) + "?)"
	out := make(insert, max(insertRoom/len(columns), 1))
	for i := range out {
		out[i] = "INSERT OR FAIL INTO " + table + " (" + names(columns) + ") VALUES " + strings.Repeat(row+", ", i) + row
	}
	return out
}

// run inserts rows in their order; the result is that of the last statement.
func (s insert) run(ctx context.Context, ex sqlkit.Executor, rows [][]any) (last sql.Result, err error) {
	for len(rows) > 0 {
		n := min(len(s), len(rows))
		args := rows[0]
		if n > 1 {
			args = slices.Concat(rows[:n]...)
		}
		if last, err = ex.ExecContext(ctx, s[n-1], args...); err != nil {
			return nil, err
		}
		rows = rows[n:]
	}
	return last, nil
}

// update is a statement that changes a row if it has the version expected. Its
// arguments are taken from the row by position; −1 is the version.
type update struct {
	text string
	take []int
}

func newPut(t *table) put {
	p := put{insert: newInsert(t.name, t.columns)}
	version := "row_version"
	if t.claimed != "" {
		key := t.columns[0].Name
		version += fmt.Sprintf(" + COALESCE((SELECT claims FROM journey_claim WHERE kind = '%s' AND key = %s.%s AND base = %[2]s.row_version), 0)", t.claimed, t.name, key)
		p.unclaim = "DELETE FROM journey_claim WHERE kind = '" + t.claimed + "' AND key IN (SELECT value FROM json_each(?))"
	}
	fixing := func(keep []string) update {
		var set, where []string
		var take []int
		for i, c := range t.columns {
			if i >= t.keys && !slices.Contains(keep, c.Name) {
				set = append(set, c.Name+" = ?")
				take = append(take, i)
			}
		}
		for i, c := range t.columns[:t.keys] {
			where = append(where, c.Name+" = ?")
			take = append(take, i)
		}
		where = append(where, version+" = ?")
		take = append(take, -1)
		for _, name := range keep {
			where = append(where, name+" = ?")
			take = append(take, t.index(name))
		}
		return update{"UPDATE OR FAIL " + t.name + " SET " + strings.Join(set, ", ") + " WHERE " + strings.Join(where, " AND "), take}
	}
	p.updates = []update{fixing(t.fixed)}
	if t == &instances {
		p.updates = append(p.updates, fixing(t.fixed[:2])) // one that ends
		p.moving = "INSERT OR IGNORE INTO journey_history_owner (customer, instance) SELECT customer, id FROM journey_instance WHERE id = ? AND customer <> ?"
	}
	if len(t.fixed) > 0 {
		p.updates = append(p.updates, fixing(nil))
	}
	return p
}

// upsert is how PostgreSQL writes rows, as common table expressions with
// parameters from n on. Rows that are there are locked first, in the order of
// their keys. The last expression has a row for each row written. Where force
// is set the versions have been checked before.
func (t *table) upsert(n int, force bool) string {
	v, old, done := "v_"+t.name, "old_"+t.name, "put_"+t.name
	var set, on, key []string
	for i, c := range t.columns {
		if i < t.keys {
			on = append(on, "%[1]s."+c.Name+" = v."+c.Name)
			key = append(key, c.Name)
			continue
		}
		set = append(set, c.Name+" = excluded."+c.Name)
	}
	match := func(alias string) string { return fmt.Sprintf(strings.Join(on, " AND "), alias) }
	keys := strings.Join(key, ", ")
	var b strings.Builder
	fmt.Fprintf(&b, "%s AS (SELECT * FROM %s AS u(%s)), ", v, sqlkit.Unnest(t.columns, n), names(t.columns))
	if !force {
		fmt.Fprintf(&b, "%s AS (SELECT %s FROM %s t JOIN %s v ON %s WHERE t.row_version = v.row_version - 1 ORDER BY %s FOR UPDATE OF t), ",
			old, "t."+strings.Join(key, ", t."), t.name, v, match("t"), "t."+strings.Join(key, ", t."))
	}
	fmt.Fprintf(&b, "%s AS (INSERT INTO %s (%s) SELECT %s FROM %s v", done, t.name, names(t.columns), names(t.columns), v)
	if !force {
		fmt.Fprintf(&b, " WHERE v.row_version = 1 OR EXISTS (SELECT 1 FROM %s o WHERE %s)", old, match("o"))
	}
	fmt.Fprintf(&b, " ORDER BY %s ON CONFLICT (%s) DO UPDATE SET %s WHERE %s.row_version = excluded.row_version - 1 RETURNING 1)",
		keys, keys, strings.Join(set, ", "), t.name)
	return b.String()
}

// written is the condition that every row of an upsert was written.
func (t *table) written() string {
	return "(SELECT COUNT(*) FROM put_" + t.name + ") = (SELECT COUNT(*) FROM v_" + t.name + ")"
}
