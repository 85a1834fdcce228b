// Package feedbacksql keeps surveys and service cases in SQLite or PostgreSQL
// through database/sql: [Store] is a feedback.Store, [CareStore] a care.Store, on
// the same database. The user opens the *sql.DB with a driver of their own:
//
//	store, err := feedbacksql.New(db, feedbacksql.SQLite)
//	err = store.Migrate(ctx)
//	collector, err := feedback.New(feedback.Config{Store: store})
//	desk, err := care.New(care.Config{Store: store.Care()})
//
// # One transaction with the user's own tables
//
//	tx, err := db.BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, "INSERT INTO orders …")
//	_, err = collector.WithStore(store.WithTx(tx)).Invite(ctx, feedback.Request{…})
//	err = tx.Commit()
//
// Inside it nothing is begun, committed or retried, and no savepoint is set. Any
// error means: roll back; the store then fails with it until the end.
// [feedback.ErrConflict] and [care.ErrConflict] mean: roll back and run again.
//
// # Tables
//
// Each has the columns to select and group by, the whole record as JSON, and its
// version:
//
//	feedback_invitation  id, survey, customer, invited_at, mode, program, brand, state, touchpoint,
//	                     order_number, outlet, product, channel, sent_at, expires_at, answered_at, response,
//	                     deadline_at, record, row_version
//	feedback_response    id, survey, customer, answered_at, mode, program, brand, invitation, touchpoint,
//	                     order_number, outlet, product, channel, recorded_at, record, row_version
//	feedback_contact     id, record, row_version
//	care_case            id, kind, customer, opened_at, mode, brand, priority, topic, product, outlet, pick_up,
//	                     state, phase, assignee, loaner, warranty_until, next_due, recorded_at, record,
//	                     row_version
//	care_loan            id, service_case, record, row_version
//	care_product         id, customer, sku, bought_at, warranty_until, record, row_version
//
// Times are TIMESTAMPTZ, on SQLite texts in UTC that order as times do. The schema
// is plain SQL in [Files].
// Names may have a prefix, or lie in a schema of their own: see [Prefix].
//
// Ratings of a month by outlet, on PostgreSQL:
//
//	SELECT outlet, COUNT(*), AVG((record #>> '{answers,recommend,value}')::int) FROM feedback_response
//	WHERE survey = 'nps' AND answered_at >= '2026-03-01' AND answered_at < '2026-04-01' GROUP BY outlet
//
// What became of invitations:
//
//	SELECT survey, state, COUNT(*) FROM feedback_invitation GROUP BY survey, state
//
// Open cases by age:
//
//	SELECT kind, outlet, COUNT(*), MIN(opened_at) FROM care_case
//	WHERE phase NOT IN ('resolved', 'closed') GROUP BY kind, outlet
//
// # Scaling
//
// An answer is one look-up and one commit, a round trip each. The model, with
// constants measured by the benchmarks in internal/sqltest (BenchmarkGrowth,
// BenchmarkThroughput; one rating, indexes included, two cores, a disk that syncs
// in 0.15 ms); put in your own:
//
//	bytes       = customers × AskedAYear × Survey × years
//	peak        = customers × AskedAYear × Writes / 31.5 million seconds × Busy
//	connections = peak / Rate
//
//	Survey       2.5 kB on PostgreSQL, 2.2 kB on SQLite: an invitation, its answer, the customer's contact
//	Rate         1,400 answers a second over one connection to PostgreSQL, 2,300 on SQLite
//	AskedAYear   4; Writes 3 (asked, sent, answered); Busy 5: assumptions
//
// On PostgreSQL, after one year, if everybody answers:
//
//	customers    bytes     peak          connections kept busy
//	1 million    10 GB     2 a second    1
//	10 million   100 GB    19 a second   1
//	100 million  1.0 TB    190 a second  1
//
// From 10,000 customers to a million, an answer grew by a factor of 1.01 on
// PostgreSQL, indexes in memory. Cases are as large as their histories; measure yours.
//
//   - Contention: commits meet where they touch one customer's contact, one invitation
//     or one case. No row is shared by all.
//   - Pool: two to four connections a core of the server for all processes together; a
//     call outside of a transaction holds one for one statement at a time.
//   - Distribution: the key of every table is an ID of the caller's; let it begin with
//     what spreads, not with a date. Tables are distributed by id; on Citus a survey's
//     rows then lie apart, and a commit spans shards.
//   - Vacuum: feedback_contact and care_case are rewritten at every touch; lower
//     autovacuum_vacuum_scale_factor to 0.02 for them and for feedback_invitation.
//   - Retention: [feedback.Collector.Purge] and [care.Desk.Purge] by time; the JSON of an
//     answer is most of its bytes.
//   - Backup: one snapshot of the database holds surveys and cases in step.
package feedbacksql
