-- A journey's history is found by blocks of 1,024 lines: an entry for each line
-- would be one more page in every commit.
DROP INDEX journey_history_journey;

CREATE TABLE journey_history_block (
	journey TEXT NOT NULL,
	-- n / 1024 of the journey's lines
	block   INTEGER NOT NULL,
	PRIMARY KEY (journey, block)
) WITHOUT ROWID;

INSERT INTO journey_history_block (journey, block) SELECT DISTINCT journey, n / 1024 FROM journey_history;
