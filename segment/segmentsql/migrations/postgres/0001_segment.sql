-- What an engine of segments must not lose.

-- How far inputs and transitions go; one row.
CREATE TABLE segment_head (
	id BIGINT PRIMARY KEY NOT NULL,
	last_input BIGINT NOT NULL,
	last_transition BIGINT NOT NULL
);

INSERT INTO segment_head (id, last_input, last_transition) VALUES (1, 0, 0);

-- The newest checkpoint, as a container of package segment; at most one row.
CREATE TABLE segment_checkpoint (
	id BIGINT PRIMARY KEY NOT NULL,
	position BIGINT NOT NULL,
	data BYTEA NOT NULL
);

-- What the engine was given since the checkpoint, with the payloads that it read.
CREATE TABLE segment_input (
	position BIGINT PRIMARY KEY NOT NULL,
	data BYTEA NOT NULL
);

-- Who entered and left which segment, when and why; the customer is gone where erased.
CREATE TABLE segment_transition (
	seq BIGINT PRIMARY KEY NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	segment TEXT COLLATE "C" NOT NULL,
	definition TEXT NOT NULL,
	customer TEXT COLLATE "C",
	kind TEXT NOT NULL,
	effective_at TIMESTAMPTZ,
	detected_at TIMESTAMPTZ,
	cause TEXT NOT NULL,
	cause_change BIGINT NOT NULL,
	cause_event TEXT COLLATE "C",
	mode TEXT NOT NULL
);

CREATE INDEX segment_transition_customer ON segment_transition (customer) WHERE customer IS NOT NULL;

CREATE INDEX segment_transition_segment ON segment_transition (segment, effective_at);
