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
