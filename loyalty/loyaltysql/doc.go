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
// The head of each account's chain, what is there now, what happened (append-only:
// transactions, their entries and changes), who holds which card, and tiers:
//
//	loyalty_account      program, account, kind, seq, head, opened_at, recorded_at, due_at, merged_into,
//	                     open_holds, standings
//	loyalty_standing     program, account, unit, debt, activity_at, debt_at
//	loyalty_transaction  program, account, seq, key, leg, kind, of_key, effective_at, recorded_at, order_ref,
//	                     reason, actor, unit, amount, until_at, forgiven, activity, fingerprint, hash
//	loyalty_entry        program, key, n, book, account, unit, lot, amount
//	loyalty_change       program, key, n, account, lot, held, basis, returned, usable_from, expires_at
//	loyalty_lot          program, account, lot, unit, opened_key, opened_n, earned_at, usable_from, expires_at,
//	                     first_usable_from, first_expires_at, policy, policy_n, policy_date, policy_clock,
//	                     unit_cost, order_ref, line, basis, rule, origin, original, remaining, held, redeemed,
//	                     expired, clawed, transferred, adjusted, basis_returned, returned, moved_at
//	loyalty_hold         program, account, key, unit, amount, captured, released, until_at, is_open
//	loyalty_pin          program, account, hold, lot, amount
//	loyalty_binding      program, profile, account, from_at, until_at, reason, actor, version
//	loyalty_tier         program, account, tier, since_at, review_at, version
//	loyalty_tier_change  program, account, n, from_tier, to_tier, changed_at, qualifying, unit, window_from,
//	                     review, merged_account
//
// Amounts are integers; times are TIMESTAMPTZ, on SQLite texts in UTC that order
// as times do; flags are 0 or 1. The schema is plain SQL in [Files].
// Names may have a prefix, or lie in a schema of their own: see [Prefix].
//
// What is spendable on a day, by account (holds and debts left out):
//
//	SELECT account, SUM(remaining) FROM loyalty_lot
//	WHERE program = 'main' AND unit = 'points' AND remaining > 0 AND usable_from <= '2026-03-15' AND expires_at > '2026-03-15'
//	GROUP BY account
//
// What every book moved in a month:
//
//	SELECT e.book, SUM(e.amount) FROM loyalty_entry e
//	JOIN loyalty_transaction t ON t.program = e.program AND t.key = e.key AND t.leg = 0
//	WHERE e.program = 'main' AND e.unit = 'points' AND t.effective_at >= '2026-03-01' AND t.effective_at < '2026-04-01'
//	GROUP BY e.book
//
// Which orders' points of before a day are still unspent:
//
//	SELECT order_ref, SUM(remaining) FROM loyalty_lot
//	WHERE program = 'main' AND remaining > 0 AND earned_at < '2026-04-01' GROUP BY order_ref
//
// # Scaling
//
// A post writes rows of its own account only: no row is shared by a program, so
// posts to different accounts never wait for each other. (program, account) is
// the partition key of all tables but loyalty_entry and loyalty_change, which go by
// (program, key). Use one [loyalty.Ledger] per process and let it coalesce commits.
//
// The model, with constants measured by the benchmarks in internal/sqltest
// (BenchmarkGrowth, BenchmarkThroughput; earnings, indexes included, two cores,
// a disk that syncs in 0.15 ms, one post a commit); put in your own:
//
//	bytes       = customers × Post × PostsAYear × years
//	peak        = customers × PostsAYear / 31.5 million seconds × Busy
//	connections = peak / Rate
//
//	Post        1.4 kB on PostgreSQL, 0.9 kB on SQLite: a transaction, two entries, a lot, its account's share
//	Rate        2,500 posts a second over one connection to PostgreSQL, 2,900 on SQLite; more in batches
//	PostsAYear  24, Busy 5: assumptions; half of the posts come within the busiest tenth of the hours
//
// On PostgreSQL, after one year:
//
//	customers    bytes     peak           connections kept busy
//	1 million    34 GB     4 a second     1
//	10 million   340 GB    38 a second    1
//	100 million  3.4 TB    380 a second   1
//
// From 10,000 accounts to a million, a post grew by a factor of 1.02 on PostgreSQL,
// indexes in memory. A ledger keeps everything: its size is what to plan for.
//
//   - Contention: posts to one account wait for each other or conflict and are decided
//     again. An account that thousands share, such as a company's pool, is a hot row:
//     give it to one process, whose ledger coalesces, or make several pools.
//   - Pool: two to four connections a core of the server for all processes together; a
//     commit holds one for one statement, and a ledger commits one batch at a time.
//   - Distribution: keys begin with the program, which is the same for all: on
//     CockroachDB accounts spread within it, as they come in no order; on Citus
//     distribute by account where transactions are read by account, and know that
//     loyalty_entry and loyalty_change go by key. CockroachDB also wants
//     enable_multiple_modifications_of_table = on in the session: a commit changes
//     different rows of a table in parts of one statement.
//   - Vacuum: loyalty_account and loyalty_lot are rewritten by every redemption; lower
//     autovacuum_vacuum_scale_factor to 0.02 for them. The rest is append-only.
//   - Retention: none. Transactions are the proof of every balance, and each is chained
//     to the one before it. Partition loyalty_entry and loyalty_change by ranges of key
//     on slow storage if they must leave the fast one.
//   - Backup: one snapshot of the database, with anchors ([loyalty.Anchor]) kept
//     elsewhere: they show whether a restored copy lacks accounts.
package loyaltysql
