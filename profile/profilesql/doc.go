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
// # Scaling
//
// An observed event is one load and one commit, a round trip each. The model, with
// constants measured by the benchmarks in internal/sqltest (BenchmarkGrowth,
// BenchmarkThroughput; one small event with a trait, indexes included, two cores,
// a disk that syncs in 0.15 ms); put in your own:
//
//	bytes       = customers × (First + Further × (EventsAYear × years - 1))
//	peak        = customers × EventsAYear / 31.5 million seconds × Busy
//	connections = peak / Rate
//
//	First        2.7 kB on PostgreSQL, 2.1 kB on SQLite: a new customer with an event, eight rows
//	Further      0.9 kB on PostgreSQL, 0.6 kB on SQLite: one more event, with its rows of the feed
//	Rate         1,400 single events a second over one connection to PostgreSQL, 2,200 on SQLite; in
//	             batches of 100, 3,700 and 7,000
//	EventsAYear  20, an assumption
//	Busy         5, an assumption: half of the events come within the busiest tenth of the hours
//
// On PostgreSQL, after one year:
//
//	customers    bytes     peak           connections kept busy
//	1 million    20 GB     3 a second     1
//	10 million   200 GB    32 a second    1
//	100 million  2.0 TB    317 a second   1
//
// so that writing is not the limit at 100 million customers, but the size of the
// timeline is. From 10,000 customers to a million, one event grew by a factor of
// 1.09 at most on PostgreSQL, indexes in memory; it is the share of the indexes that
// memory no longer holds that slows writes down, because identifiers come in no order.
//
//   - Contention: commits meet where they touch one customer or one identifier. An
//     identifier that thousands share, such as a cashier's tablet, is a hot row:
//     block it, or declare that it only looks up. No row is shared by all writers;
//     only the reader of the feed holds one lock, while it numbers.
//   - Statements: batch what arrives in batches (ObserveBatch). PostgreSQL plans a
//     statement a few times and then keeps the plan, if the driver prepares.
//   - Pool: two to four connections per core of the server for all processes
//     together; a writer holds one for one statement at a time.
//   - Vacuum: customers, evidence and the rows that wait for their number are
//     rewritten often; lower autovacuum_vacuum_scale_factor to 0.02 for
//     profile_customer, profile_evidence and profile_change_new.
//   - Distribution: the keys are profile_event.id, evidence, (kind, value) and
//     customer; none ascends but profile_change.seq. CockroachDB wants
//     enable_multiple_modifications_of_table = on in the session, because a commit may
//     insert and update different rows of a table in one statement. Arrival numbers come from
//     a sequence: they need be unique, and only roughly in order.
//   - Retention: the feed by [Store.PurgeChanges], visitors and the content of old
//     events by [profile.Directory.Retain], which leaves right what was derived from
//     them. Events are what a retraction or other rules are replayed from: keep them, or
//     erase the customer. [Store.PartitionByMonth] keeps the timeline by month.
//   - Backup: one snapshot of the database holds everything in step; a copy of
//     single tables does not.
//
// # Tables
//
// Who the customers are now, with their golden traits in profile_customer.record;
// what was reported; the change feed:
//
//	profile_event       id, evidence, occurred_at, source, name, mode, brand, order_number, retracted, record
//	profile_evidence    evidence, profile, anchor, arrival, first_seen, last_seen, events, record, row_version
//	profile_identifier  kind, value, era, profile, since, uses, record, row_version
//	profile_customer    id, arrival, evidence, events, first_seen, last_seen, latest_at, latest_evidence,
//	                    record, row_version
//	profile_change      seq, kind, profile, other, event, traits, recorded_at, mode
//
// profile_holding, profile_anchor, profile_tombstone, profile_handover, profile_feed
// and, on PostgreSQL, profile_change_new are the store's own. Times are TIMESTAMPTZ,
// on SQLite texts in UTC that order as times do; records are JSON. The schema is
// plain SQL in [Files].
// Names may have a prefix, or lie in a schema of their own: see [Prefix].
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
