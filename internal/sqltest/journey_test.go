package sqltest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/journey/journeytest"
)

func journeyStore(t testing.TB, db *sql.DB, d journeysql.Dialect) *journeysql.Store {
	t.Helper()
	s, err := journeysql.New(db, d)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(context.Background()))
	return s
}

// emptyJourneys gives each case of a suite a store on the same database.
func emptyJourneys(t testing.TB, e engine) func(testing.TB) journey.Store {
	db := e.open(t)
	s := journeyStore(t, db, e.dialect)
	tables := []string{"instance", "effect", "history", "contact", "entry", "input", "definition"}
	if e.dialect == journeysql.SQLite {
		tables = append(tables, "claim", "history_owner", "history_block")
	}
	return func(t testing.TB) journey.Store {
		for _, table := range tables {
			_, err := db.Exec("DELETE FROM journey_" + table)
			require.NoError(t, err)
		}
		return s
	}
}

func TestJourneyStore(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { journeytest.TestStore(t, emptyJourneys(t, e)) })
	}
}
