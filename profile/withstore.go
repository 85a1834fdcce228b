package profile

// WithStore is the directory on another Store: one that works inside a caller's
// transaction, so that an event and the caller's own rows commit or roll back
// together. An error that matches [ErrConflict] means: roll back and run again.
func (d *Directory) WithStore(s Store) *Directory {
	d.mu.RLock()
	defer d.mu.RUnlock()
	with := &Directory{config: d.config, store: s, newID: d.newID, now: d.now, maxAhead: d.maxAhead, graph: d.graph}
	with.present.Store(d.rules())
	with.ruled.Store(d.ruled.Load())
	return with
}
