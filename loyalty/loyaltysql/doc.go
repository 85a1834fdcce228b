// Package loyaltysql keeps loyalty ledgers in SQLite or PostgreSQL through
// database/sql. The user opens the *sql.DB with a driver of their own:
//
//	db, err := sql.Open("sqlite", "file:shop.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
//	store, err := loyaltysql.New(db, loyaltysql.SQLite)
//	err = store.Migrate(ctx)
//	ledger, err := loyalty.New(loyalty.Config{Store: store})
//
// # One transaction with the user's own tables
//
//	tx, err := db.BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, "INSERT INTO orders …")
//	_, err = ledger.WithStore(store.WithTx(tx)).Post(ctx, loyalty.Earn{…})
//	err = tx.Commit()
//
// Inside it nothing is begun, committed or retried, and no savepoint is set. Any
// error means: roll back. [loyalty.ErrConflict] means: roll back and run again. On SQLite such a
// transaction should take its write lock at its beginning (_txlock=immediate in
// the data source name), else it may be turned away when it first writes.
//
// # Tables
//
// loyalty_account (the head of each chain), loyalty_lot, loyalty_hold and
// loyalty_pin (what is there now), loyalty_transaction, loyalty_entry and loyalty_change
// (what happened, append-only), loyalty_standing (debts, activity) and loyalty_binding
// (profiles). Amounts are integers; times are TIMESTAMPTZ, on SQLite texts in
// UTC that order as times do. The schema is plain SQL in [Files].
//
// What is spendable now, by account (holds and debts left out):
//
//	SELECT account, SUM(remaining) FROM loyalty_lot
//	WHERE program = 'main' AND unit = 'points' AND remaining > 0 AND usable_from <= now() AND expires_at > now()
//	GROUP BY account
//
// What every book moved in a month:
//
//	SELECT e.book, SUM(e.amount) FROM loyalty_entry e
//	JOIN loyalty_transaction t ON t.program = e.program AND t.key = e.key AND t.leg = 0
//	WHERE e.program = 'main' AND e.unit = 'points' AND t.effective_at >= '2026-03-01' AND t.effective_at < '2026-04-01'
//	GROUP BY e.book
//
// Which orders' points are still unspent a year later:
//
//	SELECT order_ref, SUM(remaining) FROM loyalty_lot
//	WHERE program = 'main' AND remaining > 0 AND earned_at < now() - INTERVAL '1 year' GROUP BY order_ref
//
// # Scaling
//
// A post writes rows of its own account only: no row is shared by a program, so
// posts to different accounts never wait for each other. (program, account) is
// the partition key of all tables but loyalty_entry and loyalty_change, which go by
// (program, key). Use one [loyalty.Ledger] per process and let it coalesce commits.
package loyaltysql
