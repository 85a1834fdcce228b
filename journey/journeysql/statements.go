package journeysql

import (
	"fmt"
	"strings"
	"sync"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// statements are the texts of a dialect, those of many forms as they are first
// asked for.
type statements struct {
	dialect  sqlkit.Dialect
	getters  sync.Map // combination of parts → *getter
	pages    sync.Map // pageKey → text
	commits  sync.Map // commitKey → text
	puts     map[*table]put
	addInput string
	addMove  string // a line of history that is about no effect
	addLine  string
	erase    []string // by customer, on SQLite claims first
	purge    []string // by instance
	next     string

	lockCustomers string
	// SQLite's claim: due rows and rows whose claim is over, each in order.
	dueInstances, dueEffects   string
	overInstances, overEffects string
	claim, reclaim             string
	// PostgreSQL's claim: all in one.
	claimer *claimer
}

func newStatements(d sqlkit.Dialect) *statements {
	s := &statements{dialect: d, puts: map[*table]put{}}
	for _, t := range []*table{&instances, &effects, &contacts, &entries, &definitions} {
		s.puts[t] = newPut(t)
	}
	insert := func(t *table, columns []sqlkit.Column) string {
		return "INSERT INTO " + t.name + " (" + names(columns) + ") VALUES (" + strings.Repeat("?, ", len(columns)-1) + "?)"
	}
	s.addInput = insert(&inputs, inputs.columns)
	s.addMove = insert(&history, history.columns[:moved])
	s.addLine = insert(&history, history.columns)
	if d == sqlkit.SQLite {
		for _, t := range []*table{&instances, &effects} {
			s.erase = append(s.erase, fmt.Sprintf("DELETE FROM journey_claim WHERE kind = '%s' AND key IN (SELECT %s FROM %s WHERE %s)",
				t.claimed, t.columns[0].Name, t.name, d.Any("customer", 1)))
		}
	}
	for _, t := range []*table{&instances, &effects, &history, &contacts, &entries, &inputs} {
		s.erase = append(s.erase, "DELETE FROM "+t.name+" WHERE "+d.Any("customer", 1))
	}
	s.purge = purgeTexts(d)
	if d == sqlkit.SQLite {
		s.claimSQLite()
	} else {
		s.claimPostgres()
	}
	return s
}

func (s *statements) page(k pageKey) string {
	if text, ok := s.pages.Load(k); ok {
		return text.(string)
	}
	text := pageText(s.dialect, k)
	s.pages.Store(k, text)
	return text
}
