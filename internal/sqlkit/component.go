package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
)

// Component is a set of tables that are made and changed together: those of a store.
type Component struct {
	// Name is that of its rows in cxkit_migration.
	Name string
	// Embedded holds migrations/<dialect>/0001_name.sql.
	Embedded fs.FS
	// Lock is a statement that writes nothing but takes SQLite's write lock, such
	// as a DELETE that finds no row; see [Pool.Write].
	Lock string
	// Also are names of the component that its migrations do not make.
	Also []string
}

// Open makes the pool of a store on a database that the caller opened and closes.
func (c Component) Open(db *sql.DB, d Dialect, options []Option) (*Pool, error) {
	if db == nil {
		return nil, errors.New("no database")
	}
	if err := d.Check(); err != nil {
		return nil, err
	}
	prefix, err := prefixOf(options)
	if err != nil {
		return nil, err
	}
	if err := prefix.check(d); err != nil {
		return nil, err
	}
	p := &Pool{db: db, d: d, component: c, prefix: prefix, prepared: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
	if prefix != (prefixed{}) {
		if p.names, err = c.names(d, prefix); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Files holds the migrations as plain SQL, <dialect>/0001_name.sql, with the names
// that the options ask for. Options that are refused are the error of its first use.
func (c Component) Files(options []Option) fs.FS {
	files, err := fs.Sub(c.Embedded, "migrations")
	if err != nil {
		return refused{err}
	}
	prefix, err := prefixOf(options)
	switch {
	case err != nil:
		return refused{err}
	case prefix == prefixed{}:
		return files
	}
	return renamedFiles{files, c, prefix}
}

// Migrate applies what is missing of the component's migrations, as the function
// [Migrate] does, and makes the schema of the prefix first where it is not there.
func (p *Pool) Migrate(ctx context.Context) error {
	files, err := fs.Sub(p.component.Embedded, "migrations")
	if err != nil {
		return err
	}
	if p.prefix.schema != "" {
		if err := p.createSchema(ctx); err != nil {
			return err
		}
	}
	return migrate(ctx, p.d, p.db, p.component.Name, files, p.names)
}

// createSchema asks first: who may not create schemas may use one that is there.
func (p *Pool) createSchema(ctx context.Context) error {
	var n int
	err := p.db.QueryRowContext(ctx, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1", p.prefix.schema).Scan(&n)
	if err != nil || n > 0 {
		return err
	}
	return create(ctx, p.db, "CREATE SCHEMA IF NOT EXISTS "+p.prefix.schema)
}
