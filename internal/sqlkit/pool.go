package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Pool runs a store's statements on a database. On SQLite it keeps every
// statement that it has seen prepared, and a transaction that writes holds the
// write lock from its beginning, whatever the data source name says. On
// PostgreSQL the drivers keep prepared statements themselves. It is safe for
// concurrent use.
type Pool struct {
	db        *sql.DB
	d         Dialect
	component Component
	prefix    prefixed
	names     *names // nil without a prefix

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
	wanted   map[string]bool // seen in transactions of the caller
}

// Executor runs statements outside of transactions, none of them twice.
func (p *Pool) Executor() Executor { return p.over(p.db) }

// Write runs f in a transaction that may write, and again where the engine
// asks for that, as the function [Write] does. On SQLite the component's lock
// comes first.
func (p *Pool) Write(ctx context.Context, f func(Executor) error) error {
	return p.write(ctx, p.component.Lock, f)
}

// Add is Write for an f that begins with a statement that writes, and so needs
// no lock before it.
func (p *Pool) Add(ctx context.Context, f func(Executor) error) error { return p.write(ctx, "", f) }

func (p *Pool) write(ctx context.Context, lock string, f func(Executor) error) error {
	if p.d != SQLite {
		return Write(ctx, p.d, p.db, p.named(f))
	}
	for attempt := 0; ; attempt++ {
		err := p.once(ctx, lock, f)
		if err == nil || attempt+1 >= maxAttempts || !again(err) || errors.As(err, new(*CommitError)) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// Read runs f in a read-only transaction that sees one moment, as the function
// [Read] does.
func (p *Pool) Read(ctx context.Context, f func(Executor) error) error {
	return Read(ctx, p.d, p.db, p.named(f))
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
			err = f(p.over(p.db))
		}
		if err == nil || attempt+1 >= maxAttempts || !again(err) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (p *Pool) once(ctx context.Context, lock string, f func(Executor) error) error {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	t := session{pool: p}
	err = p.in(ctx, conn, &t, lock, f)
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
func (p *Pool) in(ctx context.Context, conn *sql.Conn, t *session, lock string, f func(Executor) error) error {
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	t.tx, t.within = tx, map[string]*sql.Stmt{}
	if lock != "" {
		_, err = t.ExecContext(ctx, lock)
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

// want notes statements of a caller's transaction, which holds a connection that
// may be the only one: they are prepared when the pool is next free to.
func (p *Pool) want(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted[text] = true
}

// prepare keeps statements for the next time, those wanted among them. One that
// fails to prepare runs as text, and there its error shows.
func (p *Pool) prepare(ctx context.Context, texts []string) {
	p.mu.RLock()
	waiting := len(p.wanted)
	p.mu.RUnlock()
	if waiting > 0 {
		p.mu.Lock()
		texts = slices.AppendSeq(texts, maps.Keys(p.wanted))
		clear(p.wanted)
		p.mu.Unlock()
	}
	for _, text := range texts {
		if p.statement(text) != nil {
			continue
		}
		s, err := p.db.PrepareContext(ctx, p.names.of(text))
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
	keep    bool // the transaction is the caller's: what is missing is prepared in it, and wanted
}

func (t *session) statement(text string) *sql.Stmt {
	if s := t.within[text]; s != nil {
		return s
	}
	s := t.pool.statement(text)
	switch {
	case s == nil && t.keep:
		t.pool.want(text)
		var err error
		if s, err = t.tx.PrepareContext(context.Background(), t.pool.names.of(text)); err != nil { // the transaction closes it
			return nil // it runs as text, and there its error shows
		}
		t.within[text] = s
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
		return t.pool.over(t.tx)
	}
	return t.pool.over(t.pool.db)
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
	switch s := t.pool.statement(query); {
	case s != nil && t.tx != nil:
		return t.tx.StmtContext(t.inner(ctx), s), nil
	case t.keep:
		t.pool.want(query)
	default:
		t.missing = append(t.missing, query)
	}
	return t.plain().PrepareContext(t.inner(ctx), query)
}
