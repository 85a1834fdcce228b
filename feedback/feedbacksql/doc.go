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
package feedbacksql
