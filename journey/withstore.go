package journey

import "maps"

// WithStore is the engine on another store: one that works inside a caller's
// transaction, so that an input and the caller's own rows commit or roll back
// together. It knows the definitions that e knows now, and what it learns stays
// its own, because the transaction may be rolled back. An error that matches
// [ErrConflict] means: roll back and run again. A running [Engine.Run] notices
// what was committed at its next look, after Config.Poll at the latest.
func (e *Engine) WithStore(s Store) *Engine {
	e.mu.RLock()
	defer e.mu.RUnlock()
	cfg := e.cfg
	cfg.Store = s
	return &Engine{
		answers: e.answers, cfg: cfg, store: s, token: e.token, retries: e.retries, woken: make(chan struct{}, 1),
		known: maps.Clone(e.known), current: maps.Clone(e.current), order: e.order, read: e.read, within: true,
	}
}
