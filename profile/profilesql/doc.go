// Package profilesql keeps a customer directory in SQLite or PostgreSQL through
// database/sql. The user opens the *sql.DB with a driver of their own:
//
//	db, err := sql.Open("sqlite", "file:shop.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)&_txlock=immediate")
//	store, err := profilesql.New(db, profilesql.SQLite)
//	err = store.Migrate(ctx)
//	customers, err := profile.New(profile.Config{Store: store})
//
// # One transaction with the user's own tables
//
//	tx, err := db.BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, "INSERT INTO orders …")
//	_, err = customers.WithStore(store.WithTx(tx)).Observe(ctx, profile.Event{…})
//	err = tx.Commit()
//
// Inside it nothing is begun, committed or retried, and no savepoint is set. Any
// error means: roll back; the store then fails with it until the end.
// [profile.ErrConflict] means: roll back and run again.
//
// # Several processes
//
// Any number of processes may share the tables. A decision is committed under
// compare-and-swap on all rows that it was made from: identifiers, evidence,
// customers. Who loses decides again on fresh rows. Loading and committing are
// one round trip each on PostgreSQL; a serialization failure, a deadlock, a busy
// database and a lost connection are tried again a bounded number of times. A
// commit whose answer was lost either finds its rows as they were, or is a
// conflict; deciding again, the directory then meets its own event as a duplicate.
//
// The change feed is gapless: on PostgreSQL rows are committed without a number,
// and who reads to the end of the feed numbers them under a short lock, so that a
// transaction that commits late is numbered late. Read the feed outside of long
// transactions: one that has numbered rows lets no other number any until it ends.
//
// [Store.PurgeChanges] removes what no reader needs any more; one that stood still
// for too long gets [profile.ErrCursorExpired].
//
// # Tables
//
// profile_customer, profile_evidence and profile_identifier are who the customers
// are now, with the golden traits in profile_customer.record; profile_event is
// what was reported, profile_change the feed. profile_holding, profile_anchor,
// profile_tombstone, profile_handover and profile_feed are the store's own. Times
// are TIMESTAMPTZ, on SQLite texts in UTC that order as times do. The schema is
// plain SQL in [Files].
//
// Paid orders of a month by source, on PostgreSQL:
//
//	SELECT source, COUNT(DISTINCT order_number) FROM profile_event
//	WHERE name = 'order.paid' AND occurred_at >= '2026-03-01' AND occurred_at < '2026-04-01' GROUP BY source
//
// How many customers are known by which kind of identifier:
//
//	SELECT kind, COUNT(DISTINCT profile) FROM profile_identifier WHERE profile IS NOT NULL GROUP BY kind
//
// Customers by the city of their golden record, on PostgreSQL:
//
//	SELECT trait ->> 'value' AS city, COUNT(*)
//	FROM profile_customer, jsonb_array_elements(record -> 'traits') AS trait
//	WHERE trait ->> 'name' = 'city' GROUP BY trait ->> 'value'
package profilesql
