package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"testing"
)

// Moment is when a fault strikes.
type Moment int

// The moments. During is for queries: the first row comes, the next does not.
const (
	Before Moment = iota
	During
	After
)

func (m Moment) String() string { return [...]string{"before", "during", "after"}[m] }

// Faults make the calls of a database fail at will. A call is a statement, a
// begin or a commit; preparing and rolling back are none.
type Faults struct {
	// Seen hears of every statement, if it is set before the first.
	Seen func(query string, args []driver.NamedValue)

	mu     sync.Mutex
	calls  int
	at     int // the call to fail, from 1; 0 for none
	moment Moment
	err    error
	strike func() // instead of err, before the call
	struck bool
}

// Fail makes the n-th call from now on fail with err at the moment.
func (f *Faults) Fail(n int, m Moment, err error) { f.set(n, m, err, nil) }

// Do runs strike before the n-th call from now on.
func (f *Faults) Do(n int, strike func()) { f.set(n, Before, nil, strike) }

// Count ends what was set, and returns how many calls there were since and
// whether the fault struck.
func (f *Faults) Count() (calls int, struck bool) {
	f.mu.Lock()
	calls, struck = f.calls, f.struck
	f.mu.Unlock()
	f.set(0, Before, nil, nil)
	return calls, struck
}

func (f *Faults) set(n int, m Moment, err error, strike func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.at, f.moment, f.err, f.strike, f.struck = 0, n, m, err, strike, false
}

// next tells what is to happen to a call.
func (f *Faults) next() (m Moment, err error) {
	f.mu.Lock()
	f.calls++
	hit := f.at != 0 && f.calls == f.at
	strike := f.strike
	if hit {
		f.struck = true
		m, err = f.moment, f.err
	}
	f.mu.Unlock()
	if hit && strike != nil {
		strike()
		return Before, nil
	}
	return m, err
}

// Faulty opens a database through faults. A connection that was lost is dropped.
func Faulty(t testing.TB, name, source string, conns int, f *Faults) *sql.DB {
	t.Helper()
	plain, err := sql.Open(name, source)
	if err != nil {
		t.Fatal(err)
	}
	d := plain.Driver()
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	var inner driver.Connector = dsn{d, source}
	if c, ok := d.(driver.DriverContext); ok {
		if inner, err = c.OpenConnector(source); err != nil {
			t.Fatal(err)
		}
	}
	db := sql.OpenDB(&faultyConnector{inner, f})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type dsn struct {
	driver driver.Driver
	source string
}

func (d dsn) Connect(context.Context) (driver.Conn, error) { return d.driver.Open(d.source) }

func (d dsn) Driver() driver.Driver { return d.driver }

type faultyConnector struct {
	driver.Connector
	f *Faults
}

func (c *faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: inner, f: c.f}, nil
}

// faultyConn needs of its inner connection what both drivers have.
type faultyConn struct {
	driver.Conn
	f    *Faults
	lost bool
}

func (c *faultyConn) saw(query string, args []driver.NamedValue) {
	if c.f.Seen != nil {
		c.f.Seen(query, args)
	}
}

// call runs a call with what is to happen to it.
func call[T any](c *faultyConn, run func() (T, error)) (T, error) {
	var none T
	if c.lost {
		return none, driver.ErrBadConn
	}
	m, fault := c.f.next()
	if fault != nil && m == Before {
		c.lost = isLost(fault)
		return none, fault
	}
	v, err := run()
	if err == nil && fault != nil && m == After {
		c.lost = isLost(fault)
		if rows, ok := any(v).(driver.Rows); ok {
			_ = rows.Close()
		}
		return none, fault
	}
	if rows, ok := any(v).(driver.Rows); ok && err == nil && fault != nil && m == During {
		return any(driver.Rows(&faultyRows{Rows: rows, c: c, err: fault})).(T), nil
	}
	return v, err
}

func isLost(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.saw(query, args)
	return call(c, func() (driver.Result, error) { return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args) })
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.saw(query, args)
	return call(c, func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) })
}

func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.lost {
		return nil, driver.ErrBadConn
	}
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &faultyStmt{s, c, query}, nil
}

func (c *faultyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := call(c, func() (driver.Tx, error) { return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts) })
	if err != nil {
		return nil, err
	}
	return &faultyTx{tx, c}, nil
}

func (c *faultyConn) CheckNamedValue(v *driver.NamedValue) error {
	if inner, ok := c.Conn.(driver.NamedValueChecker); ok {
		return inner.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *faultyConn) ResetSession(ctx context.Context) error {
	if c.lost {
		return driver.ErrBadConn
	}
	if inner, ok := c.Conn.(driver.SessionResetter); ok {
		return inner.ResetSession(ctx)
	}
	return nil
}

func (c *faultyConn) IsValid() bool {
	if c.lost {
		return false
	}
	if inner, ok := c.Conn.(driver.Validator); ok {
		return inner.IsValid()
	}
	return true
}

type faultyTx struct {
	driver.Tx
	c *faultyConn
}

func (t *faultyTx) Commit() error {
	_, err := call(t.c, func() (struct{}, error) { return struct{}{}, t.Tx.Commit() })
	if err != nil && !t.c.lost {
		_ = t.Tx.Rollback() // what an engine does that refuses a commit
	}
	return err
}

type faultyStmt struct {
	driver.Stmt
	c     *faultyConn
	query string
}

func (s *faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.c.saw(s.query, args)
	return call(s.c, func() (driver.Result, error) { return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args) })
}

func (s *faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.c.saw(s.query, args)
	return call(s.c, func() (driver.Rows, error) { return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args) })
}

type faultyRows struct {
	driver.Rows
	c   *faultyConn
	err error
	n   int
}

func (r *faultyRows) Next(dest []driver.Value) error {
	if r.n++; r.n > 1 {
		r.c.lost = isLost(r.err)
		return r.err
	}
	return r.Rows.Next(dest)
}
