-- What an engine of segments must not lose; times are texts of fixed width in UTC.

-- How far inputs and transitions go; one row.
CREATE TABLE segment_head (
	id INTEGER PRIMARY KEY NOT NULL,
	last_input INTEGER NOT NULL,
	last_transition INTEGER NOT NULL
);

INSERT INTO segment_head (id, last_input, last_transition) VALUES (1, 0, 0);

-- The newest checkpoint, as a container of package segment; at most one row.
CREATE TABLE segment_checkpoint (
	id INTEGER PRIMARY KEY NOT NULL,
	position INTEGER NOT NULL,
	data BLOB NOT NULL
);

-- What the engine was given since the checkpoint, with the payloads that it read.
CREATE TABLE segment_input (
	position INTEGER PRIMARY KEY NOT NULL,
	data BLOB NOT NULL
);

-- Who entered and left which segment, when and why; the customer is gone where erased.
CREATE TABLE segment_transition (
	seq INTEGER PRIMARY KEY NOT NULL,
	id TEXT NOT NULL,
	segment TEXT NOT NULL,
	definition TEXT NOT NULL,
	customer TEXT,
	kind TEXT NOT NULL,
	effective_at TEXT,
	detected_at TEXT,
	cause TEXT NOT NULL,
	cause_change INTEGER NOT NULL,
	cause_event TEXT,
	mode TEXT NOT NULL
);

CREATE INDEX segment_transition_customer ON segment_transition (customer) WHERE customer IS NOT NULL;

CREATE INDEX segment_transition_segment ON segment_transition (segment, effective_at);
