-- Customers by evidence. Keys compare by byte.
-- A record holds what has no column; row_version is the Lamport time of the commit that wrote the row.

-- What sources reported. A retracted event keeps its ID and nothing else.
CREATE TABLE profile_event (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	evidence TEXT COLLATE "C",
	occurred_at TIMESTAMPTZ,
	source TEXT,
	name TEXT,
	mode TEXT,
	brand TEXT,
	order_number TEXT,
	retracted BIGINT NOT NULL,
	record JSONB NOT NULL
);

CREATE INDEX profile_event_timeline ON profile_event (evidence, occurred_at, id);

-- Distinct sets of identifiers seen together, with what was reported under each:
-- traits, consents, relations and refusals are in the record.
CREATE TABLE profile_evidence (
	evidence TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	profile TEXT COLLATE "C",
	anchor TEXT COLLATE "C" NOT NULL,
	arrival BIGINT NOT NULL,
	first_seen TIMESTAMPTZ,
	last_seen TIMESTAMPTZ,
	events BIGINT NOT NULL,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

CREATE INDEX profile_evidence_profile ON profile_evidence (profile) WHERE profile IS NOT NULL;

-- Identifiers and whose they are now. era tells the owners of a value apart
-- that was released and came to somebody else.
CREATE TABLE profile_identifier (
	kind TEXT COLLATE "C" NOT NULL,
	value TEXT COLLATE "C" NOT NULL,
	era TEXT COLLATE "C" NOT NULL,
	profile TEXT COLLATE "C",
	since TIMESTAMPTZ,
	uses BIGINT NOT NULL,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL,
	PRIMARY KEY (kind, value, era)
);

CREATE INDEX profile_identifier_profile ON profile_identifier (profile) WHERE profile IS NOT NULL;

-- Identifiers that evidence holds without linking them: looked up only, blocked, refused.
CREATE TABLE profile_holding (
	kind TEXT COLLATE "C" NOT NULL,
	value TEXT COLLATE "C" NOT NULL,
	era TEXT COLLATE "C" NOT NULL,
	evidence TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (kind, value, era, evidence)
);

CREATE INDEX profile_holding_evidence ON profile_holding (evidence);

-- Which evidence minted an ID; none where it is gone.
CREATE TABLE profile_anchor (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	evidence TEXT COLLATE "C"
);

-- Customers; golden traits are in the record.
CREATE TABLE profile_customer (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	arrival BIGINT NOT NULL,
	evidence BIGINT NOT NULL,
	events BIGINT NOT NULL,
	first_seen TIMESTAMPTZ,
	last_seen TIMESTAMPTZ,
	latest_at TIMESTAMPTZ,
	latest_evidence TEXT COLLATE "C",
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

-- Keyed hashes of what was erased.
CREATE TABLE profile_tombstone (
	hash TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	erased_at TIMESTAMPTZ,
	keep_out BIGINT NOT NULL
);

-- Who took over the customers of a shop assistant, an outlet, and so on.
CREATE TABLE profile_handover (
	type TEXT COLLATE "C" NOT NULL,
	from_party TEXT COLLATE "C" NOT NULL,
	to_party TEXT COLLATE "C" NOT NULL,
	handed_at TIMESTAMPTZ NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	reason TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (type, from_party, to_party, handed_at, actor, reason)
);

-- The change feed: seq is gapless and in the order of commits.
CREATE TABLE profile_change (
	seq BIGINT PRIMARY KEY NOT NULL,
	kind TEXT NOT NULL,
	profile TEXT COLLATE "C" NOT NULL,
	other TEXT COLLATE "C",
	event TEXT COLLATE "C",
	traits JSONB,
	recorded_at TIMESTAMPTZ,
	mode TEXT NOT NULL
);

-- Rows of the feed that are committed and not numbered yet. Whoever reads the
-- feed numbers them by Lamport time, under the lock of profile_feed.
CREATE TABLE profile_change_new (
	lamport BIGINT NOT NULL,
	ordinal BIGINT NOT NULL,
	kind TEXT NOT NULL,
	profile TEXT COLLATE "C" NOT NULL,
	other TEXT COLLATE "C",
	event TEXT COLLATE "C",
	traits JSONB,
	recorded_at TIMESTAMPTZ,
	mode TEXT NOT NULL,
	PRIMARY KEY (lamport, ordinal)
);

-- How far the feed goes, and under which rules the rows were resolved; one row.
CREATE TABLE profile_feed (
	id BIGINT PRIMARY KEY NOT NULL,
	last BIGINT NOT NULL,
	dropped BIGINT NOT NULL,
	rules TEXT NOT NULL
);

INSERT INTO profile_feed (id, last, dropped, rules) VALUES (1, 0, 0, '');

-- Arrival numbers of evidence.
CREATE SEQUENCE profile_arrival;
