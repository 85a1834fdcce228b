package journeysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
)

// errCursor reports a cursor that no page has given.
var errCursor = errors.New("not a cursor of this listing")

// pageTables says where the rows of each listing are.
var pageTables = [...]*table{
	journey.InstancePage: &instances, journey.EffectPage: &effects, journey.HistoryPage: &history,
	journey.ContactPage: &contacts, journey.DefinitionPage: &definitions,
}

// pageKey is the statement of a page by what it filters.
type pageKey struct {
	kind                        journey.PageKind
	customer, journey, instance bool
}

// pageText is the statement for a page. The narrowest filter finds the rows by
// its index, which has them in the order of the listing.
func pageText(d sqlkit.Dialect, k pageKey) string {
	t := pageTables[k.kind]
	var where []string
	n := 0
	filter := func(column string) {
		n++
		column = "t." + column
		if d == sqlkit.SQLite && n > 1 {
			column = "+" + column // not by an index of its own
		}
		where = append(where, fmt.Sprintf("%s = $%d", column, n))
	}
	if k.instance {
		if k.kind == journey.InstancePage {
			filter("id")
		} else {
			filter("instance")
		}
	}
	own := k.customer && !k.instance && k.kind == journey.HistoryPage && d == sqlkit.SQLite
	if own {
		where = append(where, "t.instance IN ("+ownInstances("customer = $1", "customer = $2")+") AND +t.customer = $3")
		n = 3
	} else if k.customer {
		filter("customer")
	}
	blocks := k.journey && n == 0 && k.kind == journey.HistoryPage && d == sqlkit.SQLite
	if k.journey {
		filter("journey")
	}
	list, order := t.list(d), "t."+t.columns[0].Name
	switch k.kind {
	case journey.HistoryPage:
		order = "t.n"
		list = order + ", " + list
		if own {
			order = "+t.n" // few lines, found by their instances
		}
	case journey.DefinitionPage:
		where = append(where, fmt.Sprintf("(t.journey, t.version) > ($%d, $%d)", n+1, n+2))
		order = "t.journey, t.version"
		n++
	}
	if blocks {
		return d.Bind(fmt.Sprintf("SELECT %[1]s FROM journey_history_block b CROSS JOIN journey_history t"+
			" WHERE b.journey = $1 AND b.block >= $2 / %[2]d AND t.n BETWEEN max(b.block * %[2]d, $3 + 1) AND b.block * %[2]d + %[2]d - 1 AND t.journey = b.journey"+
			" ORDER BY b.block, t.n", list, historyBlock) + limit(d, 4))
	}
	if k.kind != journey.DefinitionPage {
		where = append(where, fmt.Sprintf("%s > $%d", order, n+1))
	}
	return d.Bind(fmt.Sprintf("SELECT %s %s WHERE %s ORDER BY %s", list, t.from(d), strings.Join(where, " AND "), order) + limit(d, n+2))
}

// Page implements [journey.Store]. Instances, effects and contact rows come in
// the order of their keys, history in that of writing.
func (s *Store) Page(ctx context.Context, q journey.Query) (journey.Page, error) {
	if int(q.Kind) >= len(pageTables) {
		return journey.Page{}, wrap(fmt.Errorf("unknown kind of page %d", q.Kind))
	}
	key := pageKey{kind: q.Kind}
	var args []any
	if own := q.Kind <= journey.HistoryPage; own && q.Instance != "" {
		key.instance, args = true, append(args, q.Instance)
	}
	if q.Customer != "" && q.Kind != journey.DefinitionPage {
		key.customer, args = true, append(args, string(q.Customer))
		if q.Kind == journey.HistoryPage && !key.instance && s.dialect == sqlkit.SQLite {
			args = append(args, string(q.Customer), string(q.Customer))
		}
	}
	if q.Journey != "" && q.Kind != journey.ContactPage {
		key.journey, args = true, append(args, q.Journey)
	}
	switch q.Kind {
	case journey.HistoryPage:
		after := int64(0)
		if q.After != "" {
			n, err := strconv.ParseInt(q.After, 10, 64)
			if err != nil {
				return journey.Page{}, wrap(errCursor)
			}
			after = n
		}
		args = append(args, after)
		if key == (pageKey{kind: q.Kind, journey: true}) && s.dialect == sqlkit.SQLite {
			args = append(args, after)
		}
	case journey.DefinitionPage:
		name, version, _ := strings.Cut(q.After, "\x00")
		args = append(args, name, version)
	default:
		args = append(args, q.After)
	}
	limit := min(max(q.Limit, 1), math.MaxInt32)
	args = append(args, int64(limit)+1) // one more tells whether there is another page

	var p journey.Page
	err := s.read(ctx, func(ex sqlkit.Executor) error {
		p = journey.Page{}
		width := len(pageTables[q.Kind].columns)
		if q.Kind == journey.HistoryPage {
			width++
		}
		r := newReader(width)
		var last string
		n := 0
		return sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
			if err := rows.Scan(r.dest...); err != nil {
				return err
			}
			if n++; n > limit {
				p.Next = last
				return nil
			}
			r.n = 0
			last = r.list(q.Kind, &p)
			return r.err
		}, s.page(key), args...)
	})
	if err != nil {
		return journey.Page{}, err
	}
	return p, nil
}

// list puts a row on its page and returns the cursor behind it.
func (r *reader) list(kind journey.PageKind, p *journey.Page) string {
	switch kind {
	case journey.InstancePage:
		p.Instances = append(p.Instances, r.instance())
		return p.Instances[len(p.Instances)-1].Instance.ID
	case journey.EffectPage:
		p.Effects = append(p.Effects, r.effect())
		return p.Effects[len(p.Effects)-1].Effect.Key
	case journey.HistoryPage:
		n := r.int()
		p.History = append(p.History, r.record())
		return strconv.FormatInt(n, 10)
	case journey.ContactPage:
		p.Contacts = append(p.Contacts, r.contact())
		return string(p.Contacts[len(p.Contacts)-1].Customer)
	}
	row := r.definition()
	p.Definitions = append(p.Definitions, row)
	return row.Journey + "\x00" + row.Version
}
