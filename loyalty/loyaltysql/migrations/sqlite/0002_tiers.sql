-- The tier of each account, and every change of it.
CREATE TABLE loyalty_tier (
	program   TEXT NOT NULL,
	account   TEXT NOT NULL,
	tier      TEXT NOT NULL,
	since_at  TEXT,
	review_at TEXT,
	version   INTEGER NOT NULL,
	PRIMARY KEY (program, account)
) WITHOUT ROWID;

CREATE INDEX loyalty_tier_review ON loyalty_tier (program, review_at, account) WHERE review_at IS NOT NULL;

CREATE TABLE loyalty_tier_change (
	program        TEXT NOT NULL,
	account        TEXT NOT NULL,
	n              INTEGER NOT NULL,
	from_tier      TEXT NOT NULL,
	to_tier        TEXT NOT NULL,
	changed_at     TEXT NOT NULL,
	qualifying     INTEGER NOT NULL,
	unit           TEXT NOT NULL,
	window_from    TEXT,
	review         INTEGER NOT NULL,
	merged_account TEXT,
	PRIMARY KEY (program, account, n)
) WITHOUT ROWID;
