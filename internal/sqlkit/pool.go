package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// Pool runs a store's statements on a database. On SQLite it keeps every
// statement that it has seen prepared, and a transaction that writes holds the
// write lock from its beginning, whatever the data source name says. On
// PostgreSQL the drivers keep prepared statements themselves. It is safe for
// concurrent use.
type Pool struct {
	db   *sql.DB
	d    Dialect
	lock string

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

// NewPool makes a pool on a database of the caller's. lock is a statement that
// writes nothing but takes SQLite's write lock, such as a DELETE that finds no
// row; it runs first in every [Pool.Write]. It may be empty where every
// [Pool.Write] begins with a statement that writes.
func NewPool(db *sql.DB, d Dialect, lock string) *Pool {
	return &Pool{db: db, d: d, lock: lock, prepared: map[string]*sql.Stmt{}}
}

// Write runs f in a transaction that may write, and again where the engine
// asks for that, as the function [Write] does.
func (p *Pool) Write(ctx context.Context, f func(Executor) error) error {
	if p.d != SQLite {
		return Write(ctx, p.d, p.db, f)
	}
	for attempt := 0; ; attempt++ {
		err := p.once(ctx, f)
		if err == nil || attempt+1 >= maxAttempts || !again(err) || errors.As(err, new(*CommitError)) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// Do runs f outside of a transaction: each of its statements is one. It runs
// again where the engine asks for that or the connection is lost, so f must run
// one statement only, which reads, or which done twice finds its guards broken.
func (p *Pool) Do(ctx context.Context, f func(Executor) error) error {
	for attempt := 0; ; attempt++ {
		var err error
		if p.d == SQLite {
			t := session{pool: p}
			err = f(&t)
			p.prepare(ctx, t.missing)
		} else {
			err = f(p.db)
		}
		if err == nil || attempt+1 >= maxAttempts || !again(err) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// Within runs statements in a transaction of the caller's. On SQLite it
// prepares each once.
func (p *Pool) Within(tx *sql.Tx) Executor {
	if p.d != SQLite {
		return tx
	}
	return &session{pool: p, tx: tx, within: map[string]*sql.Stmt{}, keep: true}
}

func (p *Pool) once(ctx context.Context, f func(Executor) error) error {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	t := session{pool: p}
	err = p.in(ctx, conn, &t, f)
	if closed := conn.Close(); err == nil && closed != nil && !errors.Is(closed, sql.ErrConnDone) {
		err = closed
	}
	if err == nil {
		p.prepare(ctx, t.missing) // once the connection is free: it may be the only one
	}
	return err
}

// in runs a transaction of its own on a connection. Statements do not see the
// context's end, which would cost a goroutine each; it is asked between them.
func (p *Pool) in(ctx context.Context, conn *sql.Conn, t *session, f func(Executor) error) error {
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	t.tx, t.within = tx, map[string]*sql.Stmt{}
	if p.lock != "" {
		_, err = t.ExecContext(ctx, p.lock)
	}
	if err == nil {
		err = f(t)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if undone := rollbackError(tx.Rollback()); undone != nil {
			// An open transaction must not go back into the pool.
			err = errors.Join(err, undone, conn.Raw(func(any) error { return driver.ErrBadConn }))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		if definite(err) {
			return err
		}
		return &CommitError{err}
	}
	return nil
}

func (p *Pool) statement(text string) *sql.Stmt {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.prepared[text]
}

// prepare keeps statements for the next time. One that fails to prepare runs
// as text, and there its error shows.
func (p *Pool) prepare(ctx context.Context, texts []string) {
	for _, text := range texts {
		if p.statement(text) != nil {
			continue
		}
		s, err := p.db.PrepareContext(ctx, text)
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.prepared[text] == nil {
			p.prepared[text], s = s, nil
		}
		p.mu.Unlock()
		if s != nil && s.Close() != nil {
			return
		}
	}
}

// session runs statements prepared where they are: in a transaction, or each
// on its own where tx is nil.
type session struct {
	pool    *Pool
	tx      *sql.Tx
	within  map[string]*sql.Stmt // statements of the transaction
	missing []string
	keep    bool // the transaction is the caller's: what is missing is prepared in it
}

func (t *session) statement(text string) *sql.Stmt {
	if s := t.within[text]; s != nil {
		return s
	}
	if t.keep {
		s, err := t.tx.PrepareContext(context.Background(), text) // the transaction closes it
		if err != nil {
			return nil // it runs as text, and there its error shows
		}
		t.within[text] = s
		return s
	}
	s := t.pool.statement(text)
	switch {
	case s == nil:
		t.missing = append(t.missing, text)
	case t.tx != nil:
		s = t.tx.StmtContext(context.Background(), s)
		t.within[text] = s
	}
	return s
}

// plain is the executor for texts that are not prepared.
func (t *session) plain() Executor {
	if t.tx != nil {
		return t.tx
	}
	return t.pool.db
}

// inner is the context that a statement sees.
func (t *session) inner(ctx context.Context) context.Context {
	if t.tx != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// ExecContext implements [Executor].
func (t *session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s := t.statement(query); s != nil {
		return s.ExecContext(t.inner(ctx), args...)
	}
	return t.plain().ExecContext(t.inner(ctx), query, args...)
}

// QueryContext implements [Executor].
func (t *session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s := t.statement(query); s != nil {
		return s.QueryContext(t.inner(ctx), args...)
	}
	return t.plain().QueryContext(t.inner(ctx), query, args...)
}

// QueryRowContext implements [Executor].
func (t *session) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.statement(query); s != nil {
		return s.QueryRowContext(t.inner(ctx), args...)
	}
	return t.plain().QueryRowContext(t.inner(ctx), query, args...)
}

// PrepareContext implements [Executor]. The caller closes the statement.
func (t *session) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s := t.pool.statement(query); s != nil && t.tx != nil && !t.keep {
		return t.tx.StmtContext(t.inner(ctx), s), nil
	}
	t.missing = append(t.missing, query)
	return t.plain().PrepareContext(t.inner(ctx), query)
}
