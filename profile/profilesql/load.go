package profilesql

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
)

// parts are what a query asks for.
type parts uint8

// shape is what a statement that loads is made for: it has only what the parts
// need, and where one key is asked for its value instead of a list. PostgreSQL
// then estimates the same cost whatever the key, and soon plans no more.
type shape struct{ asked, one parts }

const (
	events parts = 1 << iota
	evidence
	names
	anchors
	profiles
	tombstones
	handOvers
	arrivals
)

func shapeOf(q profile.Query, want []wanted) (s shape) {
	for i, n := range [...]int{
		len(q.Events), len(q.Evidence), len(want), len(q.Anchors), len(q.Profiles), len(q.Tombstones),
	} {
		if n > 0 {
			s.asked |= 1 << i
		}
		if n == 1 {
			s.one |= 1 << i
		}
	}
	if len(want) == 1 && want[0].alone {
		s.one &^= names // the statement for one name reads its profile's row too
	}
	if q.HandOvers {
		s.asked |= handOvers
	}
	if q.Arrivals > 0 {
		s.asked |= arrivals
	}
	return s
}

// wanted is a name to load, with the row of its profile or without.
type wanted struct {
	profile.Name
	alone bool
}

// Load implements [profile.Store]: one statement, except where declarations tie
// identifiers to others, which are then followed within one moment.
func (s *Store) Load(ctx context.Context, q profile.Query) (profile.Rows, error) {
	if err := ctx.Err(); err != nil {
		return profile.Rows{}, err
	}
	if q.Arrivals > arrivalStep {
		return profile.Rows{}, fmt.Errorf("profilesql: %d arrival numbers, at most %d at once", q.Arrivals, arrivalStep)
	}
	want := make([]wanted, len(q.Names))
	for i, n := range q.Names {
		want[i].Name = n
	}
	var l loaded
	err := s.one(ctx, func(ex sqlkit.Executor) (err error) {
		l, err = s.load(ctx, ex, q, want)
		return err
	})
	if err == nil && l.more(want) != nil {
		arrival, q := l.rows.Arrival, q
		q.Arrivals = 0 // they are given, and this transaction only reads
		err = s.read(ctx, func(ex sqlkit.Executor) error {
			want := slices.Clone(want)
			for {
				if l, err = s.load(ctx, ex, q, want); err != nil {
					return err
				}
				more := l.more(want)
				if more == nil {
					l.rows.Arrival = arrival
					return nil
				}
				want = append(want, more...)
			}
		})
	}
	if err != nil {
		return profile.Rows{}, err
	}
	if s.d == SQLite && q.Arrivals > 0 {
		l.rows.Arrival = s.give(l.rows.Arrival, q.Arrivals)
	}
	return l.rows, nil
}

// loaded gathers the rows of one statement.
type loaded struct {
	rows  profile.Rows
	names map[profile.Name]bool
	seen  map[string]bool // rows, where the statement may find one twice
}

// more are the names that those loaded are tied to and that were not asked for.
// Those tied to a name that was asked for come with their profile.
func (l *loaded) more(want []wanted) (more []wanted) {
	var whole, alone map[profile.Name]bool
	for _, n := range l.rows.Names {
		if len(n.Ties) == 0 {
			continue
		}
		if whole == nil {
			whole, alone = map[profile.Name]bool{}, map[profile.Name]bool{}
			for _, w := range want {
				if w.alone {
					alone[w.Name] = true
				} else {
					whole[w.Name] = true
				}
			}
		}
		for _, t := range n.Ties {
			switch {
			case whole[t.Other]:
			case whole[n.Name]:
				whole[t.Other] = true
				more = append(more, wanted{t.Other, false})
			case !alone[t.Other] && !l.names[t.Other]:
				alone[t.Other] = true
				more = append(more, wanted{t.Other, true})
			}
		}
	}
	return more
}

func (s *Store) load(ctx context.Context, ex sqlkit.Executor, q profile.Query, want []wanted) (loaded, error) {
	l := loaded{names: map[profile.Name]bool{}}
	of := shapeOf(q, want)
	if of.asked == 0 {
		return l, nil
	}
	if of.asked&arrivals == 0 {
		l.rows.Arrival = 1
	}
	text, args := s.text(of), s.args(of, q, want)
	if text.order != nil {
		ordered := make([]any, len(text.order))
		for i, arg := range text.order {
			ordered[i] = args[arg]
		}
		args = ordered
	}
	if of.simple() {
		l.seen = map[string]bool{}
	}
	err := sqlkit.Scan(ctx, ex, l.scan, text.text, args...)
	return l, err
}

func (s *Store) args(of shape, q profile.Query, want []wanted) []any {
	var out []any
	text := func(id profile.ID) string { return string(id) }
	list := func(part parts, values []string) {
		switch {
		case of.one&part != 0:
			out = append(out, values[0])
		case of.asked&part != 0:
			out = append(out, s.d.List(values))
		}
	}
	list(events, q.Events)
	list(evidence, texts(q.Evidence, profile.EvidenceKey.String))
	switch {
	case of.one&names != 0:
		out = append(out, want[0].Kind, want[0].Value, want[0].Era)
	case of.asked&names != 0:
		rows := make([][]string, len(want))
		for i, w := range want {
			with := "1"
			if w.alone {
				with = ""
			}
			rows[i] = []string{w.Kind, w.Value, w.Era, with}
		}
		out = append(out, s.d.Table(rows)...)
	}
	list(anchors, texts(q.Anchors, text))
	list(profiles, texts(q.Profiles, text))
	list(tombstones, texts(q.Tombstones, func(h profile.Hash) string { return hex.EncodeToString(h[:]) }))
	return out
}

func texts[T any](values []T, text func(T) string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = text(v)
	}
	return out
}

// scan takes a row of any table; the first column says of which.
func (l *loaded) scan(r *sql.Rows) error {
	var tag, version, n1, n2, n3 int64
	var k1, k2, k3, owner, doc sql.NullString
	var t1, t2, t3 sqlkit.Time
	if err := r.Scan(&tag, &k1, &k2, &k3, &owner, &version, &n1, &n2, &n3, &t1, &t2, &t3, &doc); err != nil {
		return err
	}
	key := func(s sql.NullString) (k profile.EvidenceKey, err error) {
		if s.String != "" {
			err = k.UnmarshalText([]byte(s.String))
		}
		return k, err
	}
	rows, part := &l.rows, parts(1)<<tag
	if l.seen != nil && part&(evidence|profiles) != 0 {
		row := strconv.FormatInt(tag, 10) + k1.String
		if l.seen[row] {
			return nil
		}
		l.seen[row] = true
	}
	switch part {
	case events:
		e, err := eventRow(k1.String, k2.String, n1 != 0, doc.String)
		if err != nil {
			return err
		}
		rows.Events = append(rows.Events, e)
	case evidence:
		k, err := key(k1)
		if err != nil {
			return err
		}
		var rec evidenceRecord
		if err := json.Unmarshal([]byte(doc.String), &rec); err != nil {
			return err
		}
		rows.Evidence = append(rows.Evidence, profile.EvidenceRow{
			Key: k, Version: uint64(version), Links: rec.Links, Holds: rec.Holds, Profile: profile.ID(owner.String),
			Anchor: profile.ID(k2.String), Arrival: uint64(n1), First: t1.Time, Last: t2.Time, Events: int(n2),
			Traits: rec.Traits, Consents: rec.Consents, Relations: rec.Relations, Refused: rec.Refused,
			Formers: rec.Formers, Unlinked: rec.Unlinked, Restricted: rec.Restricted,
		})
	case names:
		var rec identifierRecord
		if err := json.Unmarshal([]byte(doc.String), &rec); err != nil {
			return err
		}
		n := profile.Name{Kind: k1.String, Value: k2.String, Era: k3.String}
		l.names[n] = true
		rows.Names = append(rows.Names, profile.NameRow{
			Name: n, Version: uint64(version), Profile: profile.ID(owner.String), Since: t1.Time, Uses: int(n1),
			Ties: rec.Ties, Releases: rec.Releases,
		})
	case anchors:
		k, err := key(k2)
		if err != nil {
			return err
		}
		rows.Anchors = append(rows.Anchors, profile.AnchorRow{ID: profile.ID(k1.String), Evidence: k})
	case profiles:
		k, err := key(k2)
		if err != nil {
			return err
		}
		var rec customerRecord
		if err := json.Unmarshal([]byte(doc.String), &rec); err != nil {
			return err
		}
		rows.Profiles = append(rows.Profiles, profile.ProfileRow{
			ID: profile.ID(k1.String), Version: uint64(version), Arrival: uint64(n1), Evidence: int(n2), Events: int(n3),
			First: t1.Time, Last: t2.Time, Latest: profile.PlaceRow{At: t3.Time, Evidence: k}, Side: rec.Side, Traits: rec.Traits,
		})
	case tombstones:
		var h profile.Hash
		if err := h.UnmarshalText([]byte(k1.String)); err != nil {
			return err
		}
		rows.Tombstones = append(rows.Tombstones, profile.TombstoneRow{Hash: h, At: t1.Time, KeepOut: n1 != 0})
	case handOvers:
		rows.HandOvers = append(rows.HandOvers, profile.HandOver{
			Type: k1.String, From: k2.String, To: k3.String, At: t1.Time,
			By: profile.Decision{Actor: owner.String, Reason: doc.String},
		})
	case arrivals:
		rows.Arrival = uint64(n1)
	}
	return nil
}

func eventRow(id, evidence string, retracted bool, doc string) (profile.EventRow, error) {
	row := profile.EventRow{Event: profile.Event{ID: id}, Retracted: retracted}
	if evidence != "" {
		if err := row.Evidence.UnmarshalText([]byte(evidence)); err != nil {
			return row, err
		}
	}
	if retracted {
		return row, nil
	}
	return row, json.Unmarshal([]byte(doc), &row.Event)
}

// Events implements [profile.Store].
func (s *Store) Events(ctx context.Context, p profile.TimelinePage) (out []profile.EventRow, err error) {
	text, of := s.ofEvidence, p.Evidence.String()
	if p.Profile != "" {
		text, of = s.ofProfile, string(p.Profile)
	}
	after := s.d.Time(p.AfterTime)
	if p.AfterTime.IsZero() {
		after = s.d.BeforeAll()
	}
	err = s.one(ctx, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var id, evidence, doc string
			if err := r.Scan(&id, &evidence, &doc); err != nil {
				return err
			}
			row, err := eventRow(id, evidence, false, doc)
			out = append(out, row)
			return err
		}, text, of, after, p.AfterID, int64(p.Limit))
	})
	return out, err
}

// Scan implements [profile.Store].
func (s *Store) Scan(ctx context.Context, after profile.ID, limit int) (out []profile.ID, err error) {
	err = s.one(ctx, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var id string
			err := r.Scan(&id)
			out = append(out, profile.ID(id))
			return err
		}, s.scanProfiles, string(after), int64(limit))
	})
	return out, err
}

// Keys implements [profile.RulesStore].
func (s *Store) Keys(ctx context.Context, after profile.EvidenceKey, limit int) (out []profile.EvidenceKey, err error) {
	from := after.String()
	if after.IsZero() {
		from = ""
	}
	err = s.one(ctx, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var text string
			var k profile.EvidenceKey
			if err := r.Scan(&text); err != nil {
				return err
			}
			err := k.UnmarshalText([]byte(text))
			out = append(out, k)
			return err
		}, s.scanEvidence, from, int64(limit))
	})
	return out, err
}

// Rules implements [profile.RulesStore].
func (s *Store) Rules(ctx context.Context) (doc string, err error) {
	err = s.one(ctx, func(ex sqlkit.Executor) error {
		return ex.QueryRowContext(ctx, s.rules).Scan(&doc)
	})
	return doc, err
}

// loading is the statement of a load, and which argument each of its parameters
// is where they are not in order.
type loading struct {
	text  string
	order []int
}

func (s *Store) text(of shape) loading {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.loads[of]
	if !ok {
		if of.simple() {
			l.text, l.order = loadOne(s.d, of)
		} else {
			l.text = s.d.Bind(loadText(s.d, of))
		}
		s.loads[of] = l
	}
	return l
}

// loadText follows from what is asked to what belongs to it, key by key, and
// then reads the rows. Joins are written so that both engines go from the few
// keys to the tables.
func loadText(d Dialect, of shape) string {
	p := of.asked
	var with []string
	n := 0
	cte := func(name, text string) { with = append(with, name+" AS MATERIALIZED ("+text+")") }
	list := func(part parts, name string) {
		if p&part == 0 {
			return
		}
		n++
		if of.one&part != 0 {
			cte(name+"(id)", "SELECT "+d.Value(n))
			return
		}
		cte(name+"(id)", d.Values(n))
	}
	list(events, "q_event")
	list(evidence, "q_evidence")
	switch {
	case of.one&names != 0:
		cte("q_name(kind, value, era)", "SELECT "+d.Value(n+1)+", "+d.Value(n+2)+", "+d.Value(n+3))
		n += 3
	case p&names != 0:
		cte("q_name(kind, value, era, whole)", d.Rows(n+1, 4))
		if n++; d == Postgres {
			n += 3
		}
	}
	list(anchors, "q_anchor")
	list(profiles, "q_profile")
	list(tombstones, "q_tombstone")

	const byName = " CROSS JOIN profile_identifier t WHERE t.kind = q.kind AND t.value = q.value AND t.era = q.era"
	var keys, homes, all []string
	if p&events != 0 {
		cte("the_event", "SELECT t.id, t.evidence, t.retracted, t.record FROM q_event q CROSS JOIN profile_event t WHERE t.id = q.id")
		keys = append(keys, "SELECT evidence FROM the_event")
		all = append(all, "SELECT "+columns(d, 0, "id", "evidence", "", "", "0", "retracted", "0", "0", "", "", "", "record")+" FROM the_event")
	}
	if p&evidence != 0 {
		keys = append(keys, "SELECT id FROM q_evidence")
	}
	if p&anchors != 0 {
		cte("the_anchor", "SELECT t.id, t.evidence FROM q_anchor q CROSS JOIN profile_anchor t WHERE t.id = q.id")
		keys = append(keys, "SELECT evidence FROM the_anchor")
		all = append(all, "SELECT "+columns(d, 3, "id", "evidence", "", "", "0", "0", "0", "0", "", "", "", "")+" FROM the_anchor")
	}
	var nameKeys []string
	if p&names != 0 {
		nameKeys = append(nameKeys, "SELECT kind, value, era FROM q_name")
		home := "SELECT t.profile FROM q_name q" + byName
		if of.one&names == 0 {
			home += " AND q.whole = '1'"
		} else if p&profiles == 0 {
			home = "SELECT profile FROM the_name"
		}
		homes = append(homes, home)
	}
	if p&profiles != 0 {
		cte("whole", "SELECT t.evidence FROM q_profile q CROSS JOIN profile_evidence t WHERE t.profile = q.id")
		keys = append(keys, "SELECT evidence FROM whole")
		homes = append(homes, "SELECT id FROM q_profile")
		nameKeys = append(nameKeys,
			"SELECT t.kind, t.value, t.era FROM whole q CROSS JOIN profile_holding t WHERE t.evidence = q.evidence",
			"SELECT t.kind, t.value, t.era FROM q_profile q CROSS JOIN profile_identifier t WHERE t.profile = q.id")
	}
	if len(nameKeys) > 0 {
		from := "q_name"
		if len(nameKeys) > 1 || of.one&names == 0 {
			from = "name_key"
			cte("name_key(kind, value, era)", strings.Join(nameKeys, " UNION "))
		}
		cte("the_name", "SELECT t.kind, t.value, t.era, t.profile, t.since, t.uses, t.record, t.row_version FROM "+from+" q"+byName)
		loose := "q.profile IS NULL"
		if p&profiles != 0 {
			loose = "(q.profile IS NULL OR q.profile IN (SELECT id FROM q_profile))"
		}
		keys = append(keys, "SELECT t.evidence FROM the_name q CROSS JOIN profile_holding t WHERE t.kind = q.kind AND t.value = q.value AND t.era = q.era AND "+loose)
		all = append(all, "SELECT "+columns(d, 2, "kind", "value", "era", "profile", "row_version", "uses", "0", "0", "since", "", "", "record")+" FROM the_name")
	}
	if len(keys) > 0 {
		cte("evidence_key(id)", strings.Join(keys, " UNION "))
		cte("the_evidence", "SELECT t.evidence, t.profile, t.anchor, t.arrival, t.first_seen, t.last_seen, t.events, t.record, t.row_version "+
			"FROM evidence_key q CROSS JOIN profile_evidence t WHERE t.evidence = q.id")
		homes = append(homes, "SELECT profile FROM the_evidence")
		all = append(all, "SELECT "+columns(d, 1, "evidence", "anchor", "", "profile", "row_version", "arrival", "events", "0", "first_seen", "last_seen", "", "record")+" FROM the_evidence")
	}
	if len(homes) > 0 {
		cte("home(id)", strings.Join(homes, " UNION "))
		all = append(all, "SELECT "+columns(d, 4, "t.id", "t.latest_evidence", "", "", "t.row_version", "t.arrival", "t.evidence", "t.events",
			"t.first_seen", "t.last_seen", "t.latest_at", "t.record")+" FROM home q CROSS JOIN profile_customer t WHERE t.id = q.id")
	}
	if p&tombstones != 0 {
		all = append(all, "SELECT "+columns(d, 5, "t.hash", "", "", "", "0", "t.keep_out", "0", "0", "t.erased_at", "", "", "")+
			" FROM q_tombstone q CROSS JOIN profile_tombstone t WHERE t.hash = q.id")
	}
	if p&handOvers != 0 {
		all = append(all, "SELECT "+columns(d, 6, "type", "from_party", "to_party", "actor", "0", "0", "0", "0", "handed_at", "", "", "reason")+" FROM profile_handover")
	}
	if p&arrivals != 0 {
		all = append(all, arrival(d))
	}
	text := strings.Join(all, " UNION ALL ")
	if len(with) > 0 {
		text = "WITH " + strings.Join(with, ", ") + " " + text
	}
	return text
}

// arrival selects an arrival number: on SQLite the last that was given.
func arrival(d Dialect) string {
	from := fmt.Sprintf("nextval('profile_arrival') * %d", arrivalStep)
	if d == SQLite {
		from = "coalesce(max(arrival), 0)"
	}
	text := "SELECT " + columns(d, 7, "", "", "", "", "0", from, "0", "0", "", "", "", "")
	if d == SQLite {
		text += " FROM profile_evidence WHERE arrival > 0" // as its index
	}
	return text
}

// arrivalStep is how many arrival numbers one value of the sequence stands for.
const arrivalStep = 1 << 20

// columns writes a row as [loaded.scan] reads it; what is empty is NULL.
func columns(d Dialect, tag int, of ...string) string {
	kinds := [...]string{"text", "text", "text", "text", "bigint", "bigint", "bigint", "bigint", "timestamptz", "timestamptz", "timestamptz", "text"}
	var b strings.Builder
	fmt.Fprint(&b, tag)
	for i, c := range of {
		switch {
		case c == "" && d == Postgres:
			c = "NULL::" + kinds[i]
		case c == "":
			c = "NULL"
		case i == len(of)-1 && d == Postgres:
			c += "::text"
		}
		b.WriteString(", " + c)
	}
	return b.String()
}
