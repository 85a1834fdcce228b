-- Customers by evidence. Keys compare by byte; times are texts of fixed width in UTC.
-- A record holds what has no column; row_version is the Lamport time of the commit that wrote the row.

-- What sources reported. A retracted event keeps its ID and nothing else.
CREATE TABLE profile_event (
	id TEXT PRIMARY KEY NOT NULL,
	evidence TEXT,
	occurred_at TEXT,
	source TEXT,
	name TEXT,
	mode TEXT,
	brand TEXT,
	order_number TEXT,
	retracted INTEGER NOT NULL,
	record TEXT NOT NULL
);

CREATE INDEX profile_event_timeline ON profile_event (evidence, occurred_at, id);

-- Distinct sets of identifiers seen together, with what was reported under each:
-- traits, consents, relations and refusals are in the record.
CREATE TABLE profile_evidence (
	evidence TEXT PRIMARY KEY NOT NULL,
	profile TEXT,
	anchor TEXT NOT NULL,
	arrival INTEGER NOT NULL,
	first_seen TEXT,
	last_seen TEXT,
	events INTEGER NOT NULL,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

CREATE INDEX profile_evidence_profile ON profile_evidence (profile) WHERE profile IS NOT NULL;

CREATE UNIQUE INDEX profile_evidence_arrival ON profile_evidence (arrival) WHERE arrival > 0;

-- Identifiers and whose they are now. era tells the owners of a value apart
-- that was released and came to somebody else.
CREATE TABLE profile_identifier (
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	era TEXT NOT NULL,
	profile TEXT,
	since TEXT,
	uses INTEGER NOT NULL,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL,
	PRIMARY KEY (kind, value, era)
) WITHOUT ROWID;

CREATE INDEX profile_identifier_profile ON profile_identifier (profile) WHERE profile IS NOT NULL;

-- Identifiers that evidence holds without linking them: looked up only, blocked, refused.
CREATE TABLE profile_holding (
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	era TEXT NOT NULL,
	evidence TEXT NOT NULL,
	PRIMARY KEY (kind, value, era, evidence)
) WITHOUT ROWID;

CREATE INDEX profile_holding_evidence ON profile_holding (evidence);

-- Which evidence minted an ID; none where it is gone.
CREATE TABLE profile_anchor (
	id TEXT PRIMARY KEY NOT NULL,
	evidence TEXT
) WITHOUT ROWID;

-- Customers; golden traits are in the record.
CREATE TABLE profile_customer (
	id TEXT PRIMARY KEY NOT NULL,
	arrival INTEGER NOT NULL,
	evidence INTEGER NOT NULL,
	events INTEGER NOT NULL,
	first_seen TEXT,
	last_seen TEXT,
	latest_at TEXT,
	latest_evidence TEXT,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

-- Keyed hashes of what was erased.
CREATE TABLE profile_tombstone (
	hash TEXT PRIMARY KEY NOT NULL,
	erased_at TEXT,
	keep_out INTEGER NOT NULL
) WITHOUT ROWID;

-- Who took over the customers of a shop assistant, an outlet, and so on.
CREATE TABLE profile_handover (
	type TEXT NOT NULL,
	from_party TEXT NOT NULL,
	to_party TEXT NOT NULL,
	handed_at TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	PRIMARY KEY (type, from_party, to_party, handed_at, actor, reason)
) WITHOUT ROWID;

-- The change feed: seq is gapless and in the order of commits.
CREATE TABLE profile_change (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	kind TEXT NOT NULL,
	profile TEXT NOT NULL,
	other TEXT,
	event TEXT,
	traits TEXT,
	recorded_at TEXT,
	mode TEXT NOT NULL
);

-- How far the feed goes, and under which rules the rows were resolved; one row.
CREATE TABLE profile_feed (
	id INTEGER PRIMARY KEY NOT NULL,
	last INTEGER NOT NULL,
	dropped INTEGER NOT NULL,
	rules TEXT NOT NULL
);

INSERT INTO profile_feed (id, last, dropped, rules) VALUES (1, 0, 0, '');
