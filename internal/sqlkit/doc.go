// Package sqlkit is what the *sql packages share: the two dialects, embedded
// migrations, transactions with bounded retries, statements over many rows, and
// the mapping of times.
//
// It imports database/sql alone; the user opens the *sql.DB with a driver of
// their own. Statements number their parameters ($1) in the order of their
// first use, which both engines and their drivers understand. A statement's
// text never depends on the number of rows on PostgreSQL, so that drivers which
// prepare by text prepare it once.
package sqlkit
