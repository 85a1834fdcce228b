-- The tier of each account, and every change of it.
CREATE TABLE loyalty_tier (
	program   TEXT COLLATE "C" NOT NULL,
	account   TEXT COLLATE "C" NOT NULL,
	tier      TEXT NOT NULL,
	since_at  TIMESTAMPTZ,
	review_at TIMESTAMPTZ,
	version   BIGINT NOT NULL,
	PRIMARY KEY (program, account)
);

CREATE INDEX loyalty_tier_review ON loyalty_tier (program, review_at, account) WHERE review_at IS NOT NULL;

CREATE TABLE loyalty_tier_change (
	program        TEXT COLLATE "C" NOT NULL,
	account        TEXT COLLATE "C" NOT NULL,
	n              BIGINT NOT NULL,
	from_tier      TEXT NOT NULL,
	to_tier        TEXT NOT NULL,
	changed_at     TIMESTAMPTZ NOT NULL,
	qualifying     BIGINT NOT NULL,
	unit           TEXT NOT NULL,
	window_from    TIMESTAMPTZ,
	review         BIGINT NOT NULL,
	merged_account TEXT,
	PRIMARY KEY (program, account, n)
);
