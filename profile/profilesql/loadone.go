package profilesql

import (
	"fmt"
	"strings"
)

// singles are what a query can ask for by one key each and be answered by
// [loadOne].
const singles = events | evidence | names | anchors | arrivals

// simple reports whether a query asks for one key of each kind, as one event
// and most look-ups do.
func (s shape) simple() bool { return s.asked&^singles == 0 && s.asked&^arrivals == s.one }

// loadOne is [loadText] for such a query: it goes from each key to its rows on a
// path of its own, through indexes alone, and keeps nothing in between. That is
// cheaper than lists of keys, and may find a row on several paths. order is which
// argument each parameter is.
func loadOne(d Dialect, of shape) (text string, order []int) {
	n := 0
	param := func(arg int) string {
		if d == Postgres {
			return fmt.Sprintf("$%d::text", arg+1)
		}
		order = append(order, arg)
		return "?"
	}
	var all []string
	// path is the way from a key to a key of evidence.
	type path struct{ from, where, to string }
	var paths []func() path
	if of.asked&events != 0 {
		at := n
		n++
		all = append(all, "SELECT "+columns(d, 0, "id", "evidence", "", "", "0", "retracted", "0", "0", "", "", "", "record")+
			" FROM profile_event WHERE id = "+param(at))
		paths = append(paths, func() path { return path{"profile_event k CROSS JOIN ", "k.id = " + param(at) + " AND ", "k.evidence"} })
	}
	if of.asked&evidence != 0 {
		at := n
		n++
		paths = append(paths, func() path { return path{"", "", param(at)} })
	}
	var named func() string
	if of.asked&names != 0 {
		at := n
		n += 3
		named = func() string {
			return "k.kind = " + param(at) + " AND k.value = " + param(at+1) + " AND k.era = " + param(at+2)
		}
		all = append(all, "SELECT "+columns(d, 2, "k.kind", "k.value", "k.era", "k.profile", "k.row_version", "k.uses", "0", "0", "k.since", "", "", "k.record")+
			" FROM profile_identifier k WHERE "+named())
		paths = append(paths, func() path {
			return path{
				"profile_identifier k CROSS JOIN profile_holding h CROSS JOIN ",
				named() + " AND k.profile IS NULL AND h.kind = k.kind AND h.value = k.value AND h.era = k.era AND ", "h.evidence",
			}
		})
	}
	if of.asked&anchors != 0 {
		at := n
		all = append(all, "SELECT "+columns(d, 3, "id", "evidence", "", "", "0", "0", "0", "0", "", "", "", "")+
			" FROM profile_anchor WHERE id = "+param(at))
		paths = append(paths, func() path {
			return path{"profile_anchor k CROSS JOIN ", "k.id = " + param(at) + " AND ", "k.evidence"}
		})
	}
	for _, way := range paths {
		p := way()
		all = append(all, "SELECT "+columns(d, 1, "t.evidence", "t.anchor", "", "t.profile", "t.row_version", "t.arrival", "t.events", "0",
			"t.first_seen", "t.last_seen", "", "t.record")+" FROM "+p.from+"profile_evidence t WHERE "+p.where+"t.evidence = "+p.to)
	}
	customer := "SELECT " + columns(d, 4, "t.id", "t.latest_evidence", "", "", "t.row_version", "t.arrival", "t.evidence", "t.events",
		"t.first_seen", "t.last_seen", "t.latest_at", "t.record") + " FROM "
	if named != nil {
		all = append(all, customer+"profile_identifier k CROSS JOIN profile_customer t WHERE "+named()+" AND t.id = k.profile")
	}
	for _, way := range paths {
		p := way()
		all = append(all, customer+p.from+"profile_evidence v CROSS JOIN profile_customer t WHERE "+p.where+"v.evidence = "+p.to+" AND t.id = v.profile")
	}
	if of.asked&arrivals != 0 {
		all = append(all, arrival(d))
	}
	return strings.Join(all, " UNION ALL "), order
}
