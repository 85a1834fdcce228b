// Package segmentsql keeps what an engine of segments must not lose in SQLite
// or PostgreSQL through database/sql. The user opens the *sql.DB with a driver of
// their own:
//
//	store, err := segmentsql.New(db, segmentsql.SQLite)
//	err = store.Migrate(ctx)
//	engine, err := segment.Resume(ctx, segment.Config{History: customers, Store: store})
//
// The tables are those of one engine, which computes in memory. Another process
// that commits to them meanwhile is noticed: the later commit of the two is
// [segment.ErrConflict], and [segment.Resume] makes an engine that goes on from
// where the other is. A commit is one statement on PostgreSQL and one
// transaction on SQLite; one whose answer was lost is sent again and is a
// conflict if it had been done.
//
// # Inside a transaction of the caller
//
// [Store.WithTx] commits with the caller's own rows, such as the position up to
// which something has followed the transitions. The engine itself is in memory
// and does not roll back: after a rollback drop it and [segment.Resume].
//
// # Retention
//
// The inputs and the checkpoint are as large as the engine makes them; the feed
// grows until [Store.Purge], or [segment.Engine.Purge], removes what was detected
// before a time. A reader who stood still for longer gets [segment.ErrCursorExpired].
//
// # Scaling
//
// One engine computes in memory ([segment.Engine.Memory] says how large it is) and
// one process commits; the tables only have to keep up with it. The model, with
// constants measured by the benchmarks in internal/sqltest (BenchmarkGrowth,
// BenchmarkThroughput; two cores, a disk that syncs in 0.15 ms); put in your own:
//
//	feed   = customers × TransitionsAYear × Transition × years kept
//	inputs = changes since the checkpoint × Input
//	peak   = customers × EventsAYear / 31.5 million seconds × Busy
//
//	Transition        0.33 kB on PostgreSQL, indexes included
//	Input             0.4 kB: a change with what the engine read for it; an event is about three
//	Rate              2,500 single commits a second on PostgreSQL and on SQLite
//	EventsAYear       20, TransitionsAYear 6, Busy 5: assumptions, Busy as in profilesql
//
// On PostgreSQL, with the feed of one year and a checkpoint each day:
//
//	customers    feed      inputs    peak           of Rate
//	1 million    2 GB      0.07 GB   3 a second     0.1 %
//	10 million   20 GB     0.7 GB    32 a second    1.3 %
//	100 million  200 GB    6.6 GB    317 a second   13 %
//
// From 10,000 customers to a million, a commit took as long on PostgreSQL.
//
//   - Contention: segment_head is one row, written by each commit; there is one writer,
//     and so nobody waits for it. More engines want more databases or prefixes, for
//     example one for each brand.
//   - Statements: [segment.Engine.Apply] commits all changes given at once; give it
//     pages of the feed, not single changes.
//   - Pool: two connections, one for commits and one for those who read the feed.
//   - Distribution: segment_transition and segment_input are keyed by ascending numbers,
//     which lie together: good on one server, one hot range on CockroachDB. Spread them
//     by a hash index there (USING HASH), or keep these tables on one node. It also
//     wants enable_multiple_modifications_of_table = on in the session: a commit changes
//     different rows of a table in parts of one statement.
//   - Vacuum: segment_head and segment_checkpoint are rewritten all the time, and
//     segment_input empties at each checkpoint; set autovacuum_vacuum_scale_factor to
//     0.02 for segment_input and a fillfactor of 50 for segment_head.
//   - Retention: checkpoint daily, or a restart takes long; [Store.Purge] by time, once
//     all readers are past it.
//   - Backup: from the same snapshot as the customers. An engine that is older than them
//     catches up by their feed; one that is newer does not.
//
// # Tables
//
// The feed of who entered and left which segment, when and why:
//
//	segment_transition  seq, id, segment, definition, customer, kind, effective_at, detected_at, cause,
//	                    cause_change, cause_event, mode
//
// segment_head, segment_checkpoint and segment_input are what a restart needs.
// Times are TIMESTAMPTZ, on SQLite texts in UTC that order as times do. The schema
// is plain SQL in [Files].
// Names may have a prefix, or lie in a schema of their own: see [Prefix].
//
// Who entered a segment in a month:
//
//	SELECT customer, effective_at FROM segment_transition
//	WHERE segment = 'vip' AND kind = 'entered' AND effective_at >= '2026-03-01' AND effective_at < '2026-04-01'
//
// Gains and losses by segment and cause:
//
//	SELECT segment, kind, cause, COUNT(*) FROM segment_transition GROUP BY segment, kind, cause
//
// How long customers stayed, on PostgreSQL:
//
//	SELECT segment, AVG(gone - effective_at) FROM (
//	  SELECT segment, kind, effective_at, LEAD(effective_at) OVER (PARTITION BY segment, customer ORDER BY seq) AS gone
//	  FROM segment_transition WHERE customer IS NOT NULL) t
//	WHERE kind = 'entered' AND gone IS NOT NULL GROUP BY segment
package segmentsql
