-- The state of journeys. Keys compare by byte; times keep the microsecond.

-- One row per customer's way through a journey.
CREATE TABLE journey_instance (
	id          TEXT COLLATE "C" PRIMARY KEY,
	journey     TEXT COLLATE "C" NOT NULL,
	version     TEXT COLLATE "C" NOT NULL,
	customer    TEXT COLLATE "C" NOT NULL,
	key         TEXT COLLATE "C" NOT NULL,
	run         BIGINT NOT NULL,
	brand       TEXT,
	parent      TEXT,
	-- active, closing or ended
	status      TEXT NOT NULL,
	state       TEXT NOT NULL,
	outcome     TEXT,
	success     BIGINT NOT NULL,
	mode        TEXT NOT NULL,
	started_at  TIMESTAMPTZ,
	entered_at  TIMESTAMPTZ,
	ended_at    TIMESTAMPTZ,
	due_at      TIMESTAMPTZ,
	fired_at    TIMESTAMPTZ,
	fired       BIGINT NOT NULL,
	burst_at    TIMESTAMPTZ,
	burst       BIGINT NOT NULL,
	seq         BIGINT NOT NULL,
	need_until  BIGINT NOT NULL,
	pending     BIGINT NOT NULL,
	zone        TEXT,
	data        JSONB,
	row_version BIGINT NOT NULL,
	-- when it wants attention next, or until when a worker has taken it
	wake_at     TIMESTAMPTZ,
	token       TEXT,
	attempts    BIGINT NOT NULL,
	error       TEXT,
	dead        BIGINT NOT NULL
);

CREATE INDEX journey_instance_customer ON journey_instance (customer, id, status);

CREATE INDEX journey_instance_journey ON journey_instance (journey, id);

CREATE INDEX journey_instance_wake ON journey_instance (wake_at, id) WHERE wake_at IS NOT NULL;

-- The outbox: what is to be done in the world, and how that went.
CREATE TABLE journey_effect (
	key             TEXT COLLATE "C" PRIMARY KEY,
	kind            TEXT NOT NULL,
	name            TEXT NOT NULL,
	customer        TEXT COLLATE "C" NOT NULL,
	instance        TEXT COLLATE "C" NOT NULL,
	journey         TEXT COLLATE "C" NOT NULL,
	state           TEXT,
	seq             BIGINT NOT NULL,
	brand           TEXT,
	purpose         TEXT,
	category        TEXT,
	channels        JSONB,
	args            JSONB,
	missing         JSONB,
	planned_at      TIMESTAMPTZ,
	not_after       TIMESTAMPTZ,
	priority        BIGINT NOT NULL,
	mode            TEXT NOT NULL,
	-- pending, leased, confirmed, rejected, uncertain, suppressed or dead
	status          TEXT NOT NULL,
	doubtful        BIGINT NOT NULL,
	told            BIGINT NOT NULL,
	refused         JSONB,
	verdict         TEXT,
	channel         TEXT,
	reason          TEXT,
	decision_detail TEXT,
	deferred_until  TIMESTAMPTZ,
	-- of the customer's clock then, in seconds east of UTC
	deferred_offset BIGINT NOT NULL,
	cost            BIGINT NOT NULL,
	passed          JSONB,
	detail          TEXT,
	row_version     BIGINT NOT NULL,
	-- when it wants attention next, or until when a worker has taken it
	wake_at         TIMESTAMPTZ,
	token           TEXT,
	attempts        BIGINT NOT NULL
);

CREATE INDEX journey_effect_customer ON journey_effect (customer, key);

CREATE INDEX journey_effect_journey ON journey_effect (journey, key);

CREATE INDEX journey_effect_instance ON journey_effect (instance, key);

CREATE INDEX journey_effect_wake ON journey_effect (wake_at, priority DESC, key) WHERE wake_at IS NOT NULL;

-- What happened to an instance, line by line; never changed. n is the order of writing.
CREATE TABLE journey_history (
	n               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	instance        TEXT COLLATE "C" NOT NULL,
	journey         TEXT COLLATE "C" NOT NULL,
	customer        TEXT COLLATE "C" NOT NULL,
	happened_at     TIMESTAMPTZ,
	-- moved, effect, operator or error
	kind            TEXT NOT NULL,
	mode            TEXT NOT NULL,
	version         TEXT,
	edge            BIGINT,
	from_state      TEXT,
	to_state        TEXT,
	input           TEXT,
	cause           TEXT,
	detail          TEXT,
	effect          TEXT,
	effect_kind     TEXT,
	name            TEXT,
	args            JSONB,
	status          TEXT,
	verdict         TEXT,
	channel         TEXT,
	reason          TEXT,
	decision_detail TEXT,
	deferred_until  TIMESTAMPTZ,
	-- of the customer's clock then, in seconds east of UTC
	deferred_offset BIGINT,
	cost            BIGINT,
	passed          JSONB
);

CREATE INDEX journey_history_instance ON journey_history (instance, n);

CREATE INDEX journey_history_customer ON journey_history (customer, n);

CREATE INDEX journey_history_journey ON journey_history (journey, n);

-- What may be sent to a customer: permissions, credits, and what was sent of late.
CREATE TABLE journey_contact (
	customer    TEXT COLLATE "C" PRIMARY KEY,
	zone        TEXT,
	restricted  BIGINT NOT NULL,
	consents    JSONB,
	credits     JSONB,
	replies     JSONB,
	follows     JSONB,
	sent        JSONB,
	-- customers that were merged into this one
	former      JSONB,
	-- branches of splits that the customer has drawn
	arms        JSONB,
	row_version BIGINT NOT NULL
);

-- The last entry of a customer into a journey with a key.
CREATE TABLE journey_entry (
	customer    TEXT COLLATE "C" NOT NULL,
	journey     TEXT COLLATE "C" NOT NULL,
	key         TEXT COLLATE "C" NOT NULL,
	run         BIGINT NOT NULL,
	entered_at  TIMESTAMPTZ,
	row_version BIGINT NOT NULL,
	PRIMARY KEY (customer, journey, key)
);

-- Inputs that were recorded, so that each counts once.
CREATE TABLE journey_input (
	id          TEXT COLLATE "C" PRIMARY KEY,
	digest      TEXT NOT NULL,
	customer    TEXT COLLATE "C" NOT NULL,
	happened_at TIMESTAMPTZ,
	instances   JSONB
);

CREATE INDEX journey_input_customer ON journey_input (customer);

-- Deployed versions of journeys.
CREATE TABLE journey_definition (
	journey     TEXT COLLATE "C" NOT NULL,
	version     TEXT COLLATE "C" NOT NULL,
	is_current  BIGINT NOT NULL,
	deployed_at TIMESTAMPTZ,
	definition  TEXT NOT NULL,
	row_version BIGINT NOT NULL,
	PRIMARY KEY (journey, version)
);
