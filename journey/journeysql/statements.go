package journeysql

import (
	"fmt"
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
	addInput insert
	addMove  insert // lines of history that are about no effect
	addLine  insert
	addOwner string
	addBlock string
	erase    []erasure
	purge    []string // by instance
	next     string

	lockCustomers string
	// SQLite's claim: due rows and rows whose claim is over, each in order.
	dueInstances, dueEffects   string
	overInstances, overEffects string
	release, claim, reclaim    string
	// PostgreSQL's claim: all in one.
	claimer *claimer
}

func newStatements(d sqlkit.Dialect) *statements {
	s := &statements{dialect: d, puts: map[*table]put{}}
	for _, t := range []*table{&instances, &effects, &contacts, &entries, &definitions} {
		s.puts[t] = newPut(t)
	}
	s.addInput = newInsert(inputs.name, inputs.columns)
	s.addMove = newInsert(history.name, history.columns[:moved])
	s.addLine = newInsert(history.name, history.columns)
	s.addOwner = "INSERT OR IGNORE INTO journey_history_owner (customer, instance) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM journey_instance WHERE id = ? AND customer = ?)"
	s.addBlock = "INSERT OR IGNORE INTO journey_history_block (journey, block) VALUES (?, ?)"
	s.erase = erasures(d)
	s.purge = purgeTexts(d)
	if d == sqlkit.SQLite {
		s.claimSQLite()
	} else {
		s.claimPostgres()
	}
	return s
}

// erasure is a statement that removes rows of some customers, who are each of its parameters.
type erasure struct {
	text   string
	params int
}

func erasures(d sqlkit.Dialect) []erasure {
	var out []erasure
	var tables []string
	if d == sqlkit.SQLite {
		for _, t := range []*table{&instances, &effects} {
			out = append(out, erasure{fmt.Sprintf("DELETE FROM journey_claim WHERE kind = '%s' AND key IN (SELECT %s FROM %s WHERE %s)",
				t.claimed, t.columns[0].Name, t.name, d.Any("customer", 1)), 1})
		}
		out = append(out, erasure{d.Bind("DELETE FROM journey_history WHERE instance IN (" +
			ownInstances(d.Any("customer", 1), d.Any("customer", 2)) + ") AND " + d.Any("+customer", 3)), 3})
		tables = append(tables, "journey_history_owner")
	} else {
		tables = append(tables, history.name)
	}
	for _, name := range append(tables, instances.name, effects.name, contacts.name, entries.name, inputs.name) {
		out = append(out, erasure{"DELETE FROM " + name + " WHERE " + d.Any("customer", 1), 1})
	}
	return out
}

// ownInstances is a query for the instances of which a customer has lines of
// history, on SQLite.
func ownInstances(who, whose string) string {
	return "SELECT id FROM journey_instance WHERE " + who + " UNION SELECT instance FROM journey_history_owner WHERE " + whose
}

func (s *statements) page(k pageKey) string {
	if text, ok := s.pages.Load(k); ok {
		return text.(string)
	}
	text := pageText(s.dialect, k)
	s.pages.Store(k, text)
	return text
}
