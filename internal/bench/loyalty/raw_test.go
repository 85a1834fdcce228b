// Package loyalty measures the ledger beside a raw double-entry post: a
// transaction under a unique key, two entries, two balances, and nothing else;
// statements unprepared. The ledger keeps lots, idempotency and audit meanwhile.
// x-of-raw is the ledger's speed over the other's, in one run:
//
//	GOWORK=off go test -run - -bench . -benchtime 1x ./loyalty
package loyalty_test

import (
	"context"
	"database/sql"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const rawMembers = 1000

func rawSchema(b *testing.B, db *sql.DB) {
	b.Helper()
	for _, s := range []string{
		`CREATE TABLE raw_balance (account TEXT PRIMARY KEY, balance BIGINT NOT NULL)`,
		`CREATE TABLE raw_transaction (key TEXT PRIMARY KEY, at TEXT NOT NULL)`,
		`CREATE TABLE raw_entry (key TEXT NOT NULL, n BIGINT NOT NULL, account TEXT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (key, n))`,
	} {
		_, err := db.Exec(s)
		require.NoError(b, err)
	}
	tx, err := db.Begin()
	require.NoError(b, err)
	for i := range rawMembers {
		_, err := tx.Exec(`INSERT INTO raw_balance (account, balance) VALUES ($1, 0), ($2, 0)`, "m"+strconv.Itoa(i), "i"+strconv.Itoa(i))
		require.NoError(b, err)
	}
	require.NoError(b, tx.Commit())
}

// rawPost writes a post by five statements. how goes before their arguments:
// nothing, or the driver's option not to prepare.
func rawPost(ctx context.Context, tx *sql.Tx, i int, how ...any) error {
	key, member, issuer := rawNames(i)
	for _, s := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO raw_transaction (key, at) VALUES ($1, $2)`, []any{key, rawTime}},
		{`INSERT INTO raw_entry (key, n, account, amount) VALUES ($1, 0, $2, $3)`, []any{key, issuer, int64(-100)}},
		{`INSERT INTO raw_entry (key, n, account, amount) VALUES ($1, 1, $2, $3)`, []any{key, member, int64(100)}},
		{`UPDATE raw_balance SET balance = balance + $1 WHERE account = $2`, []any{int64(-100), issuer}},
		{`UPDATE raw_balance SET balance = balance + $1 WHERE account = $2`, []any{int64(100), member}},
	} {
		if _, err := tx.ExecContext(ctx, s.text, append(how[:len(how):len(how)], s.args...)...); err != nil {
			return err
		}
	}
	return nil
}

const rawTime = "2026-01-01T00:00:00.000000Z"

func rawNames(i int) (key, member, issuer string) {
	return "key-" + strconv.Itoa(i), "m" + strconv.Itoa(i%rawMembers), "i" + strconv.Itoa(i%rawMembers)
}

func rawBatch(ctx context.Context, db *sql.DB, from, n int, how ...any) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := from; i < from+n; i++ {
		if err := rawPost(ctx, tx, i, how...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// rawStatement writes a post in one statement, and so in one round trip.
func rawStatement(ctx context.Context, db *sql.DB, i int) error {
	key, member, issuer := rawNames(i)
	_, err := db.ExecContext(ctx, `WITH t AS (INSERT INTO raw_transaction (key, at) VALUES ($1, $2)),
		e AS (INSERT INTO raw_entry (key, n, account, amount) VALUES ($1, 0, $3, -$5::bigint), ($1, 1, $4, $5::bigint)),
		a AS (UPDATE raw_balance SET balance = balance - $5::bigint WHERE account = $3)
		UPDATE raw_balance SET balance = balance + $5::bigint WHERE account = $4`,
		unprepared, key, rawTime, issuer, member, int64(100))
	return err
}

// unprepared keeps the driver from preparing a statement behind our back.
const unprepared = pgx.QueryExecModeExec
