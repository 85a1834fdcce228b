package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Executor runs statements: a *sql.DB, *sql.Tx or *sql.Conn.
type Executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// maxAttempts bounds the retries of a transaction that the engine turned away.
const maxAttempts = 12

// Write runs f in a transaction that may write, and runs it again, a bounded
// number of times, where the engine asks for that. An error after the commit
// was sent is not retried: what it did is open.
func Write(ctx context.Context, d Dialect, db *sql.DB, f func(Executor) error) error {
	for attempt := 0; ; attempt++ {
		err := once(ctx, d, db, false, f)
		if err == nil || attempt+1 >= maxAttempts || !again(err) || errors.As(err, new(*CommitError)) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// Read runs f in a read-only transaction that sees one moment.
func Read(ctx context.Context, d Dialect, db *sql.DB, f func(Executor) error) error {
	for attempt := 0; ; attempt++ {
		err := once(ctx, d, db, true, f)
		if err == nil || attempt+1 >= maxAttempts || !again(err) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// CommitError is an error of the commit itself: whether it took effect is open.
type CommitError struct{ Err error }

func (e *CommitError) Error() string { return fmt.Sprintf("sqlkit: commit: %v", e.Err) }

// Unwrap returns the driver's error.
func (e *CommitError) Unwrap() error { return e.Err }

func once(ctx context.Context, d Dialect, db *sql.DB, read bool, f func(Executor) error) error {
	if d == SQLite {
		return onceSQLite(ctx, db, read, f)
	}
	opts := &sql.TxOptions{}
	if read {
		opts.Isolation, opts.ReadOnly = sql.LevelRepeatableRead, true
	}
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, rollbackError(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		if definite(err) {
			return err
		}
		return &CommitError{err}
	}
	return nil
}

func rollbackError(err error) error {
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, driver.ErrBadConn) {
		return nil
	}
	return err
}

// onceSQLite begins by statement and not by BeginTx, so that a writer takes its
// lock at once whatever the data source name says: a transaction that reads
// first and then wants to write is turned away without waiting.
func onceSQLite(ctx context.Context, db *sql.DB, read bool, f func(Executor) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	begin := "BEGIN IMMEDIATE"
	if read {
		begin = "BEGIN DEFERRED"
	}
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	err = f(conn)
	if err == nil {
		if _, err = conn.ExecContext(ctx, "COMMIT"); err == nil {
			return nil
		}
		if !definite(err) && ctx.Err() == nil {
			err = &CommitError{err}
		}
	}
	// A canceled caller must not leave a transaction open on a pooled connection.
	if _, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); rollback != nil {
		discard := conn.Raw(func(any) error { return driver.ErrBadConn })
		if discard != nil && !errors.Is(discard, driver.ErrBadConn) {
			return errors.Join(err, discard)
		}
	}
	return err
}

// definite reports whether the error of a commit says that nothing was written.
func definite(err error) bool { return Retryable(err) || IsUnique(err) }

// pause waits a little longer after each attempt.
func pause(ctx context.Context, attempt int) error {
	t := time.NewTimer(time.Millisecond << min(attempt, 7))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Retryable reports whether the engine says that the transaction should run
// again: serialization failure, deadlock, busy database.
func Retryable(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		switch state.SQLState() {
		case "40001", "40P01", "55P03":
			return true
		}
		return false
	}
	var code interface{ Code() int }
	if errors.As(err, &code) {
		primary := code.Code() & 0xff
		return primary == 5 || primary == 6 // SQLITE_BUSY, SQLITE_LOCKED
	}
	return err != nil && (strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "database table is locked"))
}

// Lost reports whether the connection, or the server, went away. What a
// statement did that met it is open, unless it was inside a transaction.
func Lost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		s := state.SQLState()
		return strings.HasPrefix(s, "08") || s == "57P01" || s == "57P02" || s == "57P03"
	}
	// A driver that noticed the loss before it sent anything says so.
	var unsent interface{ SafeToRetry() bool }
	if errors.As(err, &unsent) && unsent.SafeToRetry() {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.As(err, new(net.Error))
}

// again reports whether what met err may run again where nothing of it took effect.
func again(err error) bool { return Retryable(err) || Lost(err) }

// IsUnique reports whether a row with the same key is there.
func IsUnique(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState() == "23505"
	}
	var code interface{ Code() int }
	if errors.As(err, &code) {
		return code.Code() == 2067 || code.Code() == 1555 // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY
	}
	return err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed")
}

// Scan reads all rows of a query and closes them before it returns. Where the
// context has ended, the error says so, whatever the driver calls it.
func Scan(ctx context.Context, ex Executor, row func(*sql.Rows) error, query string, args ...any) (err error) {
	defer func() {
		if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}()
	rows, err := ex.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
