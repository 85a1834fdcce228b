package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
)

// tamperable is a ledger with something in every table of the chains.
func tamperable(t *testing.T, e engine) (*sql.DB, *loyalty.Ledger, loyalty.Anchor) {
	t.Helper()
	ctx := context.Background()
	db := e.open(t)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	l, err := loyalty.New(loyalty.Config{
		Store: loyaltyStore(t, db, e.dialect), Now: func() time.Time { return now }, Cache: -1,
		Units: []loyalty.UnitConfig{{Unit: loyalty.Points, Expiry: loyalty.Expiry{Kind: loyalty.ExpireDays, N: 30}}},
	})
	require.NoError(t, err)
	for _, cmd := range []loyalty.Command{
		loyalty.Earn{Key: "earn1", Account: "A", Order: "O1", Lines: []loyalty.EarnLine{{Line: "1", Amount: 50, Basis: 500}, {Line: "2", Amount: 30, Basis: 300}}},
		loyalty.Earn{Key: "earn2", Account: "B", Amount: 20, Rule: "base@1", Actor: "till"},
		loyalty.Redeem{Key: "redeem1", Account: "A", Amount: 45, Order: "O2"},
		loyalty.Return{Key: "return1", Award: "earn1", Lines: []loyalty.ReturnLine{{Line: "1", Basis: 250}}},
		loyalty.Transfer{Key: "transfer1", From: "A", To: "B", Amount: 5},
		loyalty.Hold{Key: "hold1", Account: "A", Amount: 5, Until: now.Add(time.Hour)},
		loyalty.Adjust{Key: "adjust1", Account: "B", Amount: 7, Reason: "goodwill", Actor: "anna"},
		loyalty.Redeem{Key: "redeem2", Account: "B", Amount: 3},
	} {
		_, err := l.Post(ctx, cmd)
		require.NoError(t, err)
	}
	anchor, err := l.Anchor(ctx)
	require.NoError(t, err)
	_, err = l.Verify(ctx, anchor)
	require.NoError(t, err)
	return db, l, anchor
}

var chainTables = []string{
	"loyalty_account", "loyalty_standing", "loyalty_transaction", "loyalty_entry", "loyalty_change", "loyalty_lot", "loyalty_hold", "loyalty_pin",
}

// TestTamperingIsFound changes every column of every row, and deletes every
// row, one at a time; each must be found, and a changed transaction or entry by its name.
func TestTamperingIsFound(t *testing.T) {
	for _, e := range engines[1:] {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db, l, anchor := tamperable(t, e)
			for _, table := range chainTables {
				columns, rows := dump(t, db, table)
				require.NotEmpty(t, rows, table)
				for _, row := range rows {
					for c, column := range columns {
						if !rewrite(t, db, e.dialect, table, columns, row, c) {
							continue
						}
						_, err := l.Verify(ctx, anchor)
						requireFound(t, err, table, column, columns, row)
						restore(t, db, table, columns, rows)
					}
					run(t, db, "DELETE FROM "+table+where(columns), row...)
					_, err := l.Verify(ctx, anchor)
					require.ErrorIs(t, err, loyalty.ErrTampered, "a row of %s was deleted: %v", table, row)
					restore(t, db, table, columns, rows)
				}
			}
			_, err := l.Verify(ctx, anchor)
			require.NoError(t, err)
		})
	}
}

// TestTruncationNeedsAnAnchor takes the newest transaction of an account away
// with all that it did, as if it had never been; and then the whole account.
func TestTruncationNeedsAnAnchor(t *testing.T) {
	for _, e := range engines[1:] {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			l, err := loyalty.New(loyalty.Config{Store: loyaltyStore(t, db, e.dialect), Cache: -1})
			require.NoError(t, err)
			_, err = l.Post(ctx, loyalty.Earn{Key: "first", Account: "A", Amount: 10})
			require.NoError(t, err)
			columns, rows := dump(t, db, "loyalty_account")
			_, err = l.Post(ctx, loyalty.Earn{Key: "second", Account: "A", Amount: 10})
			require.NoError(t, err)
			anchor, err := l.Anchor(ctx)
			require.NoError(t, err)

			run(t, db, "DELETE FROM loyalty_transaction WHERE key = 'second'")
			run(t, db, "DELETE FROM loyalty_entry WHERE key = 'second'")
			run(t, db, "DELETE FROM loyalty_lot WHERE opened_key = 'second'")
			restore(t, db, "loyalty_account", columns, rows)
			_, err = l.Verify(ctx, loyalty.Anchor{})
			require.NoError(t, err, "without an anchor the shorter chain is a good one")
			_, err = l.Verify(ctx, anchor)
			var found *loyalty.TamperError
			require.ErrorAs(t, err, &found)
			require.Equal(t, uint64(2), found.Seq)

			for _, table := range chainTables {
				run(t, db, "DELETE FROM "+table)
			}
			_, err = l.Verify(ctx, loyalty.Anchor{})
			require.NoError(t, err)
			_, err = l.Verify(ctx, anchor)
			require.ErrorAs(t, err, &found)
			require.Equal(t, "A", found.Account)
		})
	}
}

// requireFound checks that the change was found and, where it was in the
// record of a transaction, named by account and sequence.
func requireFound(t *testing.T, err error, table, column string, columns []string, row []any) {
	t.Helper()
	what := fmt.Sprintf("%s.%s of %v", table, column, row)
	if table == "loyalty_account" && column == "standings" {
		return // a hint to look for rows: one too many finds none
	}
	require.ErrorIs(t, err, loyalty.ErrTampered, what)
	var found *loyalty.TamperError
	if table != "loyalty_entry" || slices.Contains([]string{"program", "key"}, column) {
		return
	}
	require.ErrorAs(t, err, &found, what)
	require.Equal(t, row[slices.Index(columns, "key")], found.Key, what)
	require.NotZero(t, found.Seq, what)
}

func dump(t *testing.T, db *sql.DB, table string) (columns []string, out [][]any) {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + table)
	require.NoError(t, err)
	defer rows.Close()
	columns, err = rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		require.NoError(t, rows.Scan(into...))
		out = append(out, row)
	}
	require.NoError(t, rows.Err())
	return columns, out
}

func run(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	_, err := db.Exec(text, args...)
	require.NoError(t, err, text)
}

// where finds a row by all its columns.
func where(columns []string) string {
	var b strings.Builder
	for i, c := range columns {
		fmt.Fprintf(&b, " %s %s IS NOT DISTINCT FROM $%d", []string{"WHERE", "AND"}[min(i, 1)], c, i+1)
	}
	return b.String()
}

// rewrite changes one column of a row; false where that cannot be.
func rewrite(t *testing.T, db *sql.DB, d loyaltysql.Dialect, table string, columns []string, row []any, c int) bool {
	t.Helper()
	changed := slices.Clone(row)
	switch v := row[c].(type) {
	case int64:
		changed[c] = v + 1
	case string:
		changed[c] = v + "x"
		if at, err := time.Parse("2006-01-02T15:04:05.000000Z", v); err == nil {
			changed[c] = at.Add(time.Second).Format("2006-01-02T15:04:05.000000Z")
		}
	case []byte:
		b := slices.Clone(v)
		b[0] ^= 1
		changed[c] = b
	case time.Time:
		changed[c] = v.Add(time.Second)
	case nil:
		changed[c] = "2026-01-01T00:00:00.000000Z" // a text and a time to both engines
	default:
		t.Fatalf("%s.%s is a %T", table, columns[c], v)
	}
	tx, err := db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.Exec("DELETE FROM "+table+where(columns), row...)
	require.NoError(t, err)
	if _, err := tx.Exec(insertion(table, columns), changed...); err != nil {
		return false // the schema does not let it pass
	}
	require.NoError(t, tx.Commit())
	return true
}

func insertion(table string, columns []string) string {
	var marks []string
	for i := range columns {
		marks = append(marks, fmt.Sprintf("$%d", i+1))
	}
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
}

func restore(t *testing.T, db *sql.DB, table string, columns []string, rows [][]any) {
	t.Helper()
	run(t, db, "DELETE FROM "+table)
	for _, row := range rows {
		run(t, db, insertion(table, columns), row...)
	}
}
