// Package journeysql keeps the state of journeys in SQLite or PostgreSQL through
// database/sql. The user opens the *sql.DB with a driver of their own:
//
//	db, err := sql.Open("sqlite", "file:shop.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
//	store, err := journeysql.New(db, journeysql.SQLite)
//	err = store.Migrate(ctx)
//	engine, err := journey.New(journey.Config{Store: store})
//
// # One transaction with the user's own tables
//
//	tx, err := db.BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, "INSERT INTO orders …")
//	_, err = engine.WithStore(store.WithTx(tx)).Ingest(ctx, journey.Input{…})
//	err = tx.Commit()
//
// Inside it nothing is begun, committed or retried, and no savepoint is set. Any
// error means: roll back. [journey.ErrConflict] means: roll back and run again. On SQLite
// such a transaction should take its write lock at its beginning (_txlock=immediate
// in the data source name), else it may be turned away when it first writes.
//
// # Tables
//
// Who is where, the outbox, what happened (append-only), permissions and messages
// sent, and what happens once:
//
//	journey_instance    id, journey, version, customer, key, run, brand, parent, status, state, outcome,
//	                    success, mode, started_at, entered_at, ended_at, due_at, fired_at, fired, burst_at,
//	                    burst, seq, need_until, pending, zone, data, row_version, wake_at, token, attempts,
//	                    error, dead
//	journey_effect      key, kind, name, customer, instance, journey, state, seq, brand, purpose, category,
//	                    channels, args, missing, planned_at, not_after, priority, mode, status, doubtful, told,
//	                    refused, verdict, channel, reason, decision_detail, deferred_until, deferred_offset,
//	                    cost, passed, detail, row_version, wake_at, token, attempts
//	journey_history     n, instance, journey, customer, happened_at, kind, mode, version, edge, from_state,
//	                    to_state, input, cause, detail, effect, effect_kind, name, args, status, verdict,
//	                    channel, reason, decision_detail, deferred_until, deferred_offset, cost, passed
//	journey_contact     customer, zone, restricted, consents, credits, replies, follows, sent, former, arms,
//	                    row_version
//	journey_entry       customer, journey, key, run, entered_at, row_version
//	journey_input       id, digest, customer, happened_at, instances
//	journey_definition  journey, version, is_current, deployed_at, definition, row_version
//
// On SQLite journey_claim holds what workers have taken, which on PostgreSQL is in the
// row itself, journey_history_owner who has lines in the history of an instance
// that is another's, and journey_history_block where in the history a journey has
// lines (n / 1024). Times are TIMESTAMPTZ, on SQLite texts in UTC that order as times
// do; flags are 0 or 1; lists and values are JSON. The schema is plain SQL in [Files].
// Names may have a prefix, or lie in a schema of their own: see [Prefix].
//
// Where everybody stands in a journey:
//
//	SELECT state, COUNT(*), MIN(entered_at) FROM journey_instance
//	WHERE journey = 'abandoned-cart' AND status <> 'ended' GROUP BY state
//
// What became of the messages of a week, by channel:
//
//	SELECT name, channel, status, reason, COUNT(*) FROM journey_effect
//	WHERE kind = 'message' AND planned_at >= '2026-03-09' AND planned_at < '2026-03-16'
//	GROUP BY name, channel, status, reason
//
// How long it took from entry to goal, on PostgreSQL:
//
//	SELECT outcome, COUNT(*), AVG(ended_at - started_at) FROM journey_instance
//	WHERE journey = 'abandoned-cart' AND success = 1 GROUP BY outcome
//
// # Scaling
//
// What happens to a customer touches rows of that customer only; customer is the
// partition key of all tables but journey_input and journey_definition. Up to
// [journey.Config].Gather customers share a commit, which writes their rows in the order of
// their keys; where that meets another's, each customer is written alone. With a
// Gather of 1 customers never wait for each other. Any number of workers may share a store: they
// pass over rows that others hold (SKIP LOCKED on PostgreSQL). On SQLite one
// connection writes at a time; give the pool a few connections and WAL. Every operation is one
// round trip on PostgreSQL, two inside a caller's transaction.
//
// The model, with constants measured by the benchmarks in internal/sqltest
// (BenchmarkGrowth, BenchmarkThroughput; an instance of two inputs without messages,
// indexes included, two cores, a disk that syncs in 0.15 ms); put in your own:
//
//	bytes       = customers × InstancesAYear × Instance × years kept
//	peak        = customers × InstancesAYear × StepsEach / 31.5 million seconds × Busy
//	connections = peak / Rate
//
//	Instance        3.1 kB on PostgreSQL, 2.1 kB on SQLite; a message is a row of the outbox and history more
//	Rate            1,050 single steps a second over one connection to PostgreSQL, 2,500 on SQLite
//	InstancesAYear  6, StepsEach 4, Busy 5: assumptions
//
// On PostgreSQL, with the instances of one year:
//
//	customers    bytes     peak           connections kept busy
//	1 million    19 GB     4 a second     1
//	10 million   190 GB    38 a second    1
//	100 million  1.9 TB    380 a second   1
//
// From 10,000 instances to a million, a step took as long on PostgreSQL, indexes in memory.
//
//   - Contention: commits meet at one customer's contact and instances. A campaign that
//     starts for everybody is not one row, but many at once: let it start over some hours.
//   - Pool: two to four connections a core of the server for all workers together.
//   - Distribution: distribute by customer; journey_input goes by id. What is due is
//     found by an index on its time, which on CockroachDB is one range at its hot end:
//     few workers with large batches suit it better than many.
//   - Vacuum: instances and effects are rewritten at every step; lower
//     autovacuum_vacuum_scale_factor to 0.02 for journey_instance, journey_effect and
//     journey_contact.
//   - Retention: [journey.Engine.Purge] what ended long ago; history is most of the bytes.
//   - Backup: one snapshot of the database. A restored outbox may hold what was sent
//     since: let only channels that honor keys run on it.
//
// On SQLite the pages that a commit writes are what it costs. By itself an entry
// without effects writes 14 (its input, entry, instance and line of history, with
// their indexes), a wait that is over 6 (instance, the index of what is due twice,
// history and its index by instance), in commits of 256 customers .5 and .3. IDs of
// instances order by their start, so that this does not grow with those that wait.
package journeysql
