package sqlkit

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
)

// Option is an option of a store.
type Option struct{ prefix string }

// Prefix puts a prefix before the names of all tables: "crm_" makes
// crm_profile_event, "crm." puts them into PostgreSQL's schema crm, "crm.eu_" does
// both. A part is a lower-case letter or underscore, then letters, digits and
// underscores, 20 bytes at most.
func Prefix(prefix string) Option { return Option{prefix} }

// prefixed is a prefix taken apart.
type prefixed struct{ schema, name string }

var prefixRE = regexp.MustCompile(`^(?:([a-z_][a-z0-9_]{0,19})\.)?([a-z_][a-z0-9_]{0,19})?$`)

// prefixOf is what the last option says.
func prefixOf(options []Option) (p prefixed, err error) {
	for _, o := range options {
		m := prefixRE.FindStringSubmatch(o.prefix)
		if m == nil {
			return p, fmt.Errorf("prefix %q: want name_, schema. or schema.name_, of at most 20 lower-case letters, digits and underscores each", o.prefix)
		}
		p = prefixed{m[1], m[2]}
	}
	return p, nil
}

func (p prefixed) check(d Dialect) error {
	if d == SQLite && p.schema != "" {
		return fmt.Errorf("prefix %q: SQLite has no schemas", p.schema+"."+p.name)
	}
	return nil
}

func (p prefixed) qualified(name string) string {
	if p.schema == "" {
		return p.name + name
	}
	return p.schema + "." + p.name + name
}

// names puts a prefix before the names of a component in any of its statements.
// What a text comes to is kept. A nil one changes nothing. It is safe for
// concurrent use.
type names struct {
	prefix prefixed
	own    map[string]bool

	mu   sync.RWMutex
	kept map[string]string
}

var created = regexp.MustCompile(`(?m)\b(?:CREATE (?:UNIQUE )?(?:TABLE|INDEX|SEQUENCE|VIEW)(?: IF NOT EXISTS)?|RENAME TO) (\w+)`)

// names of a component are those that its migrations make, and those besides.
func (c Component) names(d Dialect, p prefixed) (*names, error) {
	files, err := fs.Sub(c.Embedded, "migrations")
	if err != nil {
		return nil, err
	}
	all, err := Migrations(files, d)
	if err != nil {
		return nil, err
	}
	n := &names{prefix: p, own: map[string]bool{ledgerTable: true}, kept: map[string]string{}}
	for _, name := range c.Also {
		n.own[name] = true
	}
	for _, m := range all {
		for _, found := range created.FindAllStringSubmatch(m.SQL, -1) {
			n.own[found[1]] = true
		}
	}
	return n, nil
}

// of is the text with the component's names prefixed.
func (n *names) of(text string) string {
	if n == nil {
		return text
	}
	n.mu.RLock()
	out, ok := n.kept[text]
	n.mu.RUnlock()
	if ok {
		return out
	}
	out = n.rewrite(text)
	n.mu.Lock()
	n.kept[text] = out
	n.mu.Unlock()
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// rewrite goes by whole words. An index that is made takes no schema, and
// neither does the new name of what is renamed: both lie where their table lies.
func (n *names) rewrite(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if !wordByte(text[i]) {
			b.WriteByte(text[i])
			i++
			continue
		}
		end := i
		for end < len(text) && wordByte(text[end]) {
			end++
		}
		word := text[i:end]
		switch {
		case !n.own[monthly.ReplaceAllString(word, "")] || i > 0 && text[i-1] == '.':
			b.WriteString(word)
		case bare.MatchString(text[max(0, i-40):i]):
			b.WriteString(n.prefix.name + word)
		default:
			b.WriteString(n.prefix.qualified(word))
		}
		i = end
	}
	return b.String()
}

// monthly is what the name of a table's partition by month ends in.
var monthly = regexp.MustCompile(`_[0-9]{4}_[0-9]{2}$`)

// bare is what stands before a name without a schema.
var bare = regexp.MustCompile(`(?:CREATE (?:UNIQUE )?INDEX(?: IF NOT EXISTS)?|RENAME TO) $`)

// renamed is an executor of texts that do not know the prefix.
type renamed struct {
	Executor
	names *names
}

// over is the executor with the pool's names; the same where it has no prefix.
func (p *Pool) over(ex Executor) Executor {
	if p.names == nil {
		return ex
	}
	return renamed{ex, p.names}
}

// named is f with an executor with the pool's names.
func (p *Pool) named(f func(Executor) error) func(Executor) error {
	if p.names == nil {
		return f
	}
	return func(ex Executor) error { return f(renamed{ex, p.names}) }
}

// ExecContext implements [Executor].
func (r renamed) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return r.Executor.ExecContext(ctx, r.names.of(query), args...)
}

// QueryContext implements [Executor].
func (r renamed) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.Executor.QueryContext(ctx, r.names.of(query), args...)
}

// QueryRowContext implements [Executor].
func (r renamed) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return r.Executor.QueryRowContext(ctx, r.names.of(query), args...)
}

// PrepareContext implements [Executor].
func (r renamed) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return r.Executor.PrepareContext(ctx, r.names.of(query))
}

// refused is a file system that is none.
type refused struct{ err error }

// Open implements [fs.FS].
func (r refused) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: r.err}
}

// renamedFiles are migrations with a prefix before the component's names.
type renamedFiles struct {
	fs.FS
	component Component
	prefix    prefixed
}

// Open implements [fs.FS].
func (r renamedFiles) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return f, err
	}
	d := SQLite
	if path.Dir(name) == Postgres.String() {
		d = Postgres
	}
	n, err := r.component.names(d, r.prefix)
	if err == nil {
		err = r.prefix.check(d)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(f)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	text = []byte(n.rewrite(string(text)))
	return &textFile{bytes.NewReader(text), sized{info, int64(len(text))}}, nil
}

// textFile is a file in memory.
type textFile struct {
	*bytes.Reader
	info sized
}

// Stat implements [fs.File].
func (f *textFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements [fs.File].
func (f *textFile) Close() error { return nil }

// sized is a file's info with the size that its text has come to.
type sized struct {
	fs.FileInfo
	size int64
}

// Size implements [fs.FileInfo].
func (s sized) Size() int64 { return s.size }
