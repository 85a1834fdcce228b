package profilesql

import "github.com/cxkit/cxkit/internal/sqlkit"

// statements are the texts of a dialect.
type statements struct {
	evidence, identifier, customer *table
	insertEvent, updateEvent       *sqlkit.Statement
	anchor, tombstone, handOver    *sqlkit.Statement
	hold, unhold, change, setRules *sqlkit.Statement

	moveEvidence, moveIdentifiers *sqlkit.Statement

	ofEvidence, ofProfile, scanProfiles, scanEvidence, rules string
	readChanges, number                                      string
	feedEnds, firstKept, drop, dropChanges                   string
}

// table is a table of rows with versions.
type table struct{ insert, update, remove *sqlkit.Statement }

func newTable(name, key, values string) *table {
	k, v, version := sqlkit.Columns(key), sqlkit.Columns(values), sqlkit.Columns("row_version:bigint")
	sets := append(append([]sqlkit.Column(nil), v...), version...)
	return &table{
		insert: sqlkit.Insert(name, append(append([]sqlkit.Column(nil), k...), sets...), ""),
		update: sqlkit.Update(name, sets, k, version),
		remove: sqlkit.Delete(name, k, version),
	}
}

// oneText is the SQL of [nameKey].
const oneText = "length(kind) || ':' || length(value) || ':' || kind || value || era"

func newStatements(d Dialect) statements {
	const eventValues = "evidence occurred_at:timestamptz source name mode brand order_number retracted:bigint record:jsonb"
	const changeColumns = "kind profile other event traits:jsonb recorded_at:timestamptz mode"
	const timeline = " AND (t.occurred_at, t.id) > ($2, $3) ORDER BY t.occurred_at, t.id LIMIT $4"
	s := statements{
		evidence: newTable("profile_evidence", "evidence",
			"profile anchor arrival:bigint first_seen:timestamptz last_seen:timestamptz events:bigint record:jsonb"),
		identifier: newTable("profile_identifier", "kind value era", "profile since:timestamptz uses:bigint record:jsonb"),
		customer: newTable("profile_customer", "id", "arrival:bigint evidence:bigint events:bigint first_seen:timestamptz "+
			"last_seen:timestamptz latest_at:timestamptz latest_evidence record:jsonb"),
		insertEvent: sqlkit.Insert("profile_event", sqlkit.Columns("id "+eventValues), ""),
		updateEvent: sqlkit.Update("profile_event", sqlkit.Columns(eventValues), sqlkit.Columns("id"), nil),
		anchor: sqlkit.Insert("profile_anchor", sqlkit.Columns("id evidence"),
			"ON CONFLICT (id) DO UPDATE SET evidence = excluded.evidence"),
		tombstone: sqlkit.Insert("profile_tombstone", sqlkit.Columns("hash erased_at:timestamptz keep_out:bigint"),
			"ON CONFLICT (hash) DO UPDATE SET erased_at = excluded.erased_at, keep_out = excluded.keep_out"),
		handOver: sqlkit.Insert("profile_handover", sqlkit.Columns("type from_party to_party handed_at:timestamptz actor reason"),
			"ON CONFLICT DO NOTHING"),
		hold:   sqlkit.Insert("profile_holding", sqlkit.Columns("kind value era evidence"), "ON CONFLICT DO NOTHING"),
		unhold: sqlkit.Command(d, "DELETE FROM profile_holding WHERE evidence = $1 AND NOT ("+d.Any(oneText, 2)+")"),
		moveEvidence: sqlkit.Command(d, "UPDATE profile_evidence SET profile = $1, row_version = $2 "+
			"WHERE profile = $3 AND NOT ("+d.Any("evidence", 4)+")"),
		moveIdentifiers: sqlkit.Command(d, "UPDATE profile_identifier SET profile = $1, row_version = $2 "+
			"WHERE profile = $3 AND NOT ("+d.Any(oneText, 4)+")"),
		setRules: sqlkit.Update("profile_feed", sqlkit.Columns("rules"), sqlkit.Columns("id:bigint"), sqlkit.Columns("rules")),

		ofEvidence: "SELECT t.id, t.evidence, t.record FROM profile_event t WHERE t.evidence = $1" + timeline,
		ofProfile: "SELECT t.id, t.evidence, t.record FROM profile_evidence e CROSS JOIN profile_event t " +
			"WHERE e.profile = $1 AND t.evidence = e.evidence" + timeline,
		scanProfiles: "SELECT id FROM profile_customer WHERE id > $1 ORDER BY id LIMIT $2",
		scanEvidence: "SELECT evidence FROM profile_evidence WHERE evidence > $1 ORDER BY evidence LIMIT $2",
		rules:        "SELECT rules FROM profile_feed WHERE id = 1",
	}
	s.feedEnds = "SELECT f.dropped, coalesce((SELECT seq FROM profile_change WHERE seq > 0 ORDER BY seq DESC LIMIT 1), 0) " +
		"FROM profile_feed f WHERE f.id = 1" + d.ForUpdate("f")
	s.firstKept = d.Bind("SELECT seq FROM profile_change WHERE seq > $1 AND recorded_at >= $2 ORDER BY seq LIMIT 1")
	s.drop = d.Bind("UPDATE profile_feed SET dropped = $1 WHERE id = 1")
	s.dropChanges = d.Bind("DELETE FROM profile_change WHERE seq <= $1")
	pending := "0"
	if d == Postgres {
		pending = "CASE WHEN EXISTS (SELECT 1 FROM profile_change_new) THEN 1 ELSE 0 END"
		s.change = sqlkit.Insert("profile_change_new", sqlkit.Columns("lamport:bigint ordinal:bigint "+changeColumns), "")
		s.number = "WITH base AS (SELECT last FROM profile_feed WHERE id = 1), " +
			"gone AS (DELETE FROM profile_change_new WHERE (lamport, ordinal) IN " +
			"(SELECT lamport, ordinal FROM profile_change_new ORDER BY lamport, ordinal LIMIT $1) RETURNING *), " +
			"numbered AS (INSERT INTO profile_change (seq, kind, profile, other, event, traits, recorded_at, mode) " +
			"SELECT base.last + row_number() OVER (ORDER BY lamport, ordinal), kind, profile, other, event, traits, recorded_at, mode " +
			"FROM gone CROSS JOIN base RETURNING 1) " +
			"UPDATE profile_feed SET last = last + (SELECT count(*) FROM numbered) WHERE id = 1"
	} else {
		s.change = sqlkit.Insert("profile_change", sqlkit.Columns(changeColumns), "")
	}
	s.readChanges = "SELECT f.dropped, " + pending + ", c.seq, c.kind, c.profile, c.other, c.event, c.traits, c.recorded_at, c.mode " +
		"FROM profile_feed f LEFT JOIN (SELECT * FROM profile_change WHERE seq > $1 ORDER BY seq LIMIT $2) c ON f.id = 1 " +
		"WHERE f.id = 1 ORDER BY c.seq"
	if d == SQLite {
		for _, text := range []*string{&s.ofEvidence, &s.ofProfile, &s.scanProfiles, &s.scanEvidence, &s.readChanges} {
			*text = d.Bind(*text)
		}
	}
	return s
}
