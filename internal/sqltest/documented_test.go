package sqltest

import (
	"context"
	"database/sql"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// documentation is what the package page of a store says of its tables.
type documentation struct {
	columns map[string][]string // by table
	queries []documented
	text    string
}

type documented struct {
	text         string
	postgresOnly bool
}

var commaOrSpace = regexp.MustCompile(`[,\s]+`)

func readDocumentation(t testing.TB, component string) documentation {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", component, component+"sql", "doc.go"), nil, parser.ParseComments)
	require.NoError(t, err)
	d := documentation{columns: map[string][]string{}, text: file.Doc.Text()}
	_, tables, _ := strings.Cut(d.text, "# Tables")
	above, table := "", ""
	for _, block := range strings.Split(tables, "\n\n") {
		if strings.HasPrefix(strings.TrimSpace(block), "#") {
			break
		}
		switch {
		case !strings.HasPrefix(block, "\t"):
			above = block
		case strings.HasPrefix(block, "\tSELECT "):
			query := strings.ReplaceAll(strings.TrimPrefix(block, "\t"), "\n\t", "\n")
			d.queries = append(d.queries, documented{query, strings.HasSuffix(above, "on PostgreSQL:")})
		default:
			for _, line := range strings.Split(strings.Trim(block, "\n"), "\n") {
				words := commaOrSpace.Split(strings.Trim(line, "\t ,"), -1)
				if !strings.HasPrefix(line, "\t ") {
					table, words = words[0], words[1:]
				}
				d.columns[table] = append(d.columns[table], words...)
			}
		}
	}
	return d
}

// TestTheDocumentedTables: an analyst finds the tables and columns that the
// package pages list, each named at least, and the queries there run as they are written.
func TestTheDocumentedTables(t *testing.T) {
	ctx := context.Background()
	for i, c := range components {
		doc := readDocumentation(t, c.name)
		require.GreaterOrEqual(t, len(doc.queries), 3, c.name)
		for _, e := range engines[1:] {
			t.Run(e.name+"/"+c.name, func(t *testing.T) {
				db := e.open(t)
				require.NoError(t, c.migrate(ctx, db, e.dialect))
				for table, columns := range doc.columns {
					rows, err := db.Query("SELECT * FROM " + table)
					require.NoError(t, err)
					have, err := rows.Columns()
					require.NoError(t, err)
					require.NoError(t, rows.Close())
					slices.Sort(have)
					want := slices.Sorted(slices.Values(columns))
					require.Equal(t, want, have, table)
				}
				for _, table := range c.tables(t, e.dialect) {
					require.Regexp(t, `\b`+table+`\b`, doc.text)
				}
				all, err := sqlkit.Migrations(c.files(), e.dialect)
				require.NoError(t, err)
				pasts[i].write(t, db, e.dialect, len(all))
				for _, q := range doc.queries {
					if q.postgresOnly && e.dialect != sqlkit.Postgres {
						continue
					}
					n := 0
					require.NoError(t, sqlkit.Scan(ctx, db, func(*sql.Rows) error { n++; return nil }, q.text), q.text)
					require.Positive(t, n, q.text)
				}
			})
		}
	}
}
