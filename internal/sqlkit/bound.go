package sqlkit

import (
	"database/sql"
	"sync"
)

// Bound is a transaction of the caller's that a store works in. After the first
// failure every further use fails with it: a commit may be half written, and only
// the rollback undoes that.
type Bound struct {
	ex Executor

	mu     sync.Mutex
	failed error
}

// Bind is the pool inside a transaction of the caller's, which it neither begins,
// commits nor rolls back. On SQLite it runs what the pool has prepared, and
// prepares the rest once.
func (p *Pool) Bind(tx *sql.Tx) *Bound {
	if p.d != SQLite {
		return &Bound{ex: p.over(tx)}
	}
	return &Bound{ex: &session{pool: p, tx: tx, within: map[string]*sql.Stmt{}, keep: true}}
}

// Run runs f and returns what named makes of its error: the store's own.
func (b *Bound) Run(f func(Executor) error, named func(error) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed = named(f(b.ex))
	}
	return b.failed
}
