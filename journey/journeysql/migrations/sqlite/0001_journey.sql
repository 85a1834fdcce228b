-- The state of journeys. Keys compare by byte; times are texts of fixed width in UTC.

-- One row per customer's way through a journey.
CREATE TABLE journey_instance (
	id          TEXT PRIMARY KEY NOT NULL,
	journey     TEXT NOT NULL,
	version     TEXT NOT NULL,
	customer    TEXT NOT NULL,
	key         TEXT NOT NULL,
	run         INTEGER NOT NULL,
	brand       TEXT,
	parent      TEXT,
	-- active, closing or ended
	status      TEXT NOT NULL,
	state       TEXT NOT NULL,
	outcome     TEXT,
	success     INTEGER NOT NULL,
	mode        TEXT NOT NULL,
	started_at  TEXT,
	entered_at  TEXT,
	ended_at    TEXT,
	due_at      TEXT,
	fired_at    TEXT,
	fired       INTEGER NOT NULL,
	burst_at    TEXT,
	burst       INTEGER NOT NULL,
	seq         INTEGER NOT NULL,
	need_until  INTEGER NOT NULL,
	pending     INTEGER NOT NULL,
	zone        TEXT,
	data        TEXT,
	row_version INTEGER NOT NULL,
	-- when it wants attention next, unless a claim holds it
	wake_at     TEXT,
	token       TEXT,
	attempts    INTEGER NOT NULL,
	error       TEXT,
	dead        INTEGER NOT NULL
);

CREATE INDEX journey_instance_customer ON journey_instance (customer, id, status);

CREATE INDEX journey_instance_journey ON journey_instance (journey, id);

CREATE INDEX journey_instance_wake ON journey_instance (wake_at, id) WHERE wake_at IS NOT NULL;

-- The outbox: what is to be done in the world, and how that went.
CREATE TABLE journey_effect (
	key             TEXT PRIMARY KEY NOT NULL,
	kind            TEXT NOT NULL,
	name            TEXT NOT NULL,
	customer        TEXT NOT NULL,
	instance        TEXT NOT NULL,
	journey         TEXT NOT NULL,
	state           TEXT,
	seq             INTEGER NOT NULL,
	brand           TEXT,
	purpose         TEXT,
	category        TEXT,
	channels        TEXT,
	args            TEXT,
	missing         TEXT,
	planned_at      TEXT,
	not_after       TEXT,
	priority        INTEGER NOT NULL,
	mode            TEXT NOT NULL,
	-- pending, leased, confirmed, rejected, uncertain, suppressed or dead
	status          TEXT NOT NULL,
	doubtful        INTEGER NOT NULL,
	told            INTEGER NOT NULL,
	refused         TEXT,
	verdict         TEXT,
	channel         TEXT,
	reason          TEXT,
	decision_detail TEXT,
	deferred_until  TEXT,
	-- of the customer's clock then, in seconds east of UTC
	deferred_offset INTEGER NOT NULL,
	cost            INTEGER NOT NULL,
	passed          TEXT,
	detail          TEXT,
	row_version     INTEGER NOT NULL,
	-- when it wants attention next, unless a claim holds it
	wake_at         TEXT,
	token           TEXT,
	attempts        INTEGER NOT NULL
);

CREATE INDEX journey_effect_customer ON journey_effect (customer, key);

CREATE INDEX journey_effect_journey ON journey_effect (journey, key);

CREATE INDEX journey_effect_instance ON journey_effect (instance, key);

CREATE INDEX journey_effect_wake ON journey_effect (wake_at, priority DESC, key) WHERE wake_at IS NOT NULL;

-- Instances and effects that a worker has taken, and until when. They stand
-- apart, so that taking many does not rewrite wide rows all over the file. A
-- claim counts as a write: a row's version is its own plus that of its claim.
CREATE TABLE journey_claim (
	-- instance or effect
	kind     TEXT NOT NULL,
	key      TEXT NOT NULL,
	token    TEXT,
	until_at TEXT NOT NULL,
	claims   INTEGER NOT NULL,
	PRIMARY KEY (kind, key)
) WITHOUT ROWID;

CREATE INDEX journey_claim_until ON journey_claim (kind, until_at);

-- What happened to an instance, line by line; never changed. n is the order of writing.
CREATE TABLE journey_history (
	n               INTEGER PRIMARY KEY,
	instance        TEXT NOT NULL,
	journey         TEXT NOT NULL,
	customer        TEXT NOT NULL,
	happened_at     TEXT,
	-- moved, effect, operator or error
	kind            TEXT NOT NULL,
	mode            TEXT NOT NULL,
	version         TEXT,
	edge            INTEGER,
	from_state      TEXT,
	to_state        TEXT,
	input           TEXT,
	cause           TEXT,
	detail          TEXT,
	effect          TEXT,
	effect_kind     TEXT,
	name            TEXT,
	args            TEXT,
	status          TEXT,
	verdict         TEXT,
	channel         TEXT,
	reason          TEXT,
	decision_detail TEXT,
	deferred_until  TEXT,
	-- of the customer's clock then, in seconds east of UTC
	deferred_offset INTEGER,
	cost            INTEGER,
	passed          TEXT
);

CREATE INDEX journey_history_instance ON journey_history (instance);

CREATE INDEX journey_history_customer ON journey_history (customer);

CREATE INDEX journey_history_journey ON journey_history (journey);

-- What may be sent to a customer: permissions, credits, and what was sent of late.
CREATE TABLE journey_contact (
	customer    TEXT PRIMARY KEY NOT NULL,
	zone        TEXT,
	restricted  INTEGER NOT NULL,
	consents    TEXT,
	credits     TEXT,
	replies     TEXT,
	follows     TEXT,
	sent        TEXT,
	-- customers that were merged into this one
	former      TEXT,
	-- branches of splits that the customer has drawn
	arms        TEXT,
	row_version INTEGER NOT NULL
);

-- The last entry of a customer into a journey with a key.
CREATE TABLE journey_entry (
	customer    TEXT NOT NULL,
	journey     TEXT NOT NULL,
	key         TEXT NOT NULL,
	run         INTEGER NOT NULL,
	entered_at  TEXT,
	row_version INTEGER NOT NULL,
	PRIMARY KEY (customer, journey, key)
) WITHOUT ROWID;

-- Inputs that were recorded, so that each counts once.
CREATE TABLE journey_input (
	id          TEXT PRIMARY KEY NOT NULL,
	digest      TEXT NOT NULL,
	customer    TEXT NOT NULL,
	happened_at TEXT,
	instances   TEXT
);

CREATE INDEX journey_input_customer ON journey_input (customer);

-- Deployed versions of journeys.
CREATE TABLE journey_definition (
	journey     TEXT NOT NULL,
	version     TEXT NOT NULL,
	is_current  INTEGER NOT NULL,
	deployed_at TEXT,
	definition  TEXT NOT NULL,
	row_version INTEGER NOT NULL,
	PRIMARY KEY (journey, version)
);
