package profile

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

func instant(micro int64) time.Time {
	if micro == unseen {
		return time.Time{}
	}
	return time.UnixMicro(micro).UTC()
}

func (e *evidence) row() EvidenceRow {
	row := EvidenceRow{
		Key: e.key, Profile: e.home.id(), Anchor: e.anchor, Arrival: e.arrival,
		First: instant(e.first), Last: instant(e.last), Events: e.count,
	}
	for _, n := range e.links {
		if slices.ContainsFunc(e.verdicts(), func(r *refusal) bool { return r.node == n }) {
			row.Holds = append(row.Holds, n.row())
		} else {
			row.Links = append(row.Links, n.row())
		}
	}
	for _, n := range e.others() {
		row.Holds = append(row.Holds, n.row())
	}
	slices.SortFunc(row.Links, Name.compare)
	slices.SortFunc(row.Holds, Name.compare)
	for _, c := range e.consents() {
		row.Consents = append(row.Consents, ConsentRow{Event: c.event, At: instant(c.at), Act: c.act})
	}
	for _, r := range e.relations() {
		row.Relations = append(row.Relations, RelationRow{Event: r.event, At: instant(r.at), Act: r.act})
	}
	for _, r := range e.verdicts() {
		rr := RefusedRow{Name: r.node.row(), Reason: r.reason, Near: r.near.row(), Far: r.far.row()}
		if r.limit != nil {
			rr.Limit = r.limit.kind
		}
		row.Refused = append(row.Refused, rr)
	}
	if e.extra != nil {
		row.Formers, row.Unlinked, row.Restricted = e.extra.formers, e.extra.unlinked, e.extra.restricted
	}
	return row
}

// describe adds to a row what only the graph can name.
func (g *graph) describe(row EvidenceRow, e *evidence) EvidenceRow {
	row.Traits = g.traitRows(e.traits)
	return row
}

func (s *summary) row() SideRow {
	var row SideRow
	if s == nil {
		return row
	}
	for _, e := range s.entries {
		row.Values = append(row.Values, SightRow{Name: e.node.row(), Since: instant(e.since)})
	}
	for _, n := range s.apart {
		row.Apart = append(row.Apart, n.row())
	}
	slices.SortFunc(row.Apart, Name.compare)
	return row
}

func (n *node) nameRow(version uint64) NameRow {
	row := NameRow{Name: n.row(), Version: version, Profile: n.home.id(), Uses: int(n.uses)}
	if n.home != nil {
		row.Since = instant(n.since)
	}
	for _, at := range n.releases() {
		row.Releases = append(row.Releases, instant(at))
	}
	for _, t := range n.must() {
		row.Ties = append(row.Ties, TieRow{Other: t.other(n).row(), Beaten: t.beaten, Decision: t.decision})
	}
	for _, t := range n.cannot() {
		row.Ties = append(row.Ties, TieRow{Other: t.other(n).row(), Apart: true, Decision: t.decision})
	}
	slices.SortFunc(row.Ties, func(a, b TieRow) int {
		if c := a.Other.compare(b.Other); c != 0 || a.Apart == b.Apart {
			return c
		}
		if a.Apart {
			return 1
		}
		return -1
	})
	return row
}

func (g *graph) profileRow(c *cluster) ProfileRow {
	return ProfileRow{
		ID: c.id(), Arrival: c.arrival, Evidence: c.size, Events: c.events,
		First: instant(c.first), Last: instant(c.last),
		Latest: PlaceRow{At: instant(c.latest.at), Evidence: c.latest.key},
		Side:   c.limits.row(), Traits: g.traitRows(c.traitsOf()),
	}
}

func (g *graph) traitRows(list []candidate) []TraitRow {
	if len(list) == 0 {
		return nil
	}
	rows := make([]TraitRow, len(list))
	for i, c := range list {
		rows[i] = TraitRow{
			Name: g.traits[c.trait].name, Source: g.sources.names[c.src], Value: c.val, Event: c.rec.id, At: instant(c.at),
		}
		if c.more != nil {
			rows[i].Exact = c.more.text()
		}
	}
	slices.SortFunc(rows, func(a, b TraitRow) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Source, b.Source)
	})
	return rows
}

// text writes what is gathered so that parseGathered reads it.
func (m *gathered) text() string {
	b, err := json.Marshal(m)
	if err != nil {
		return "" // numbers and text always marshal
	}
	return string(b)
}

func parseGathered(text string) *gathered {
	m := &gathered{}
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil
	}
	return m
}
