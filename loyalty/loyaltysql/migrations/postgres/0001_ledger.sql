-- The ledger of loyalty programs. Keys compare by byte.

-- One row per membership or pool: the head of its chain.
CREATE TABLE loyalty_account (
	program     TEXT COLLATE "C" NOT NULL,
	account     TEXT COLLATE "C" NOT NULL,
	kind        TEXT        NOT NULL,
	seq         BIGINT      NOT NULL,
	head        BYTEA       NOT NULL,
	opened_at   TIMESTAMPTZ NOT NULL,
	recorded_at TIMESTAMPTZ NOT NULL,
	due_at      TIMESTAMPTZ,
	merged_into TEXT COLLATE "C",
	-- what else there is to read of the account
	open_holds  BIGINT      NOT NULL,
	standings   BIGINT      NOT NULL,
	PRIMARY KEY (program, account)
);

CREATE INDEX loyalty_account_due ON loyalty_account (program, due_at, account) WHERE due_at IS NOT NULL;

-- What an account owes in a unit, and when it was last active in it.
CREATE TABLE loyalty_standing (
	program     TEXT COLLATE "C" NOT NULL,
	account     TEXT COLLATE "C" NOT NULL,
	unit        TEXT COLLATE "C" NOT NULL,
	debt        BIGINT NOT NULL,
	activity_at TIMESTAMPTZ,
	debt_at     TIMESTAMPTZ, -- the latest effective instant of a change of the debt
	PRIMARY KEY (program, account, unit)
);

-- One row per transaction and account: leg 0 is the command's account.
CREATE TABLE loyalty_transaction (
	program      TEXT COLLATE "C" NOT NULL,
	account      TEXT COLLATE "C" NOT NULL,
	seq          BIGINT      NOT NULL,
	key          TEXT COLLATE "C" NOT NULL,
	leg          BIGINT      NOT NULL,
	kind         TEXT        NOT NULL,
	of_key       TEXT COLLATE "C",
	effective_at TIMESTAMPTZ NOT NULL,
	recorded_at  TIMESTAMPTZ NOT NULL,
	order_ref    TEXT,
	reason       TEXT,
	actor        TEXT,
	unit         TEXT,
	amount       BIGINT      NOT NULL,
	until_at     TIMESTAMPTZ,
	forgiven     BIGINT      NOT NULL,
	activity     BIGINT      NOT NULL,
	fingerprint  BYTEA       NOT NULL,
	hash         BYTEA       NOT NULL,
	PRIMARY KEY (program, account, seq),
	UNIQUE (program, key, leg)
);

CREATE INDEX loyalty_transaction_of ON loyalty_transaction (program, of_key) WHERE of_key IS NOT NULL;

-- The sides of the movements of a transaction: 2k and 2k+1 belong together and sum to zero.
CREATE TABLE loyalty_entry (
	program TEXT COLLATE "C" NOT NULL,
	key     TEXT COLLATE "C" NOT NULL,
	n       BIGINT NOT NULL,
	book    TEXT   NOT NULL,
	account TEXT COLLATE "C" NOT NULL,
	unit    TEXT   NOT NULL,
	lot     TEXT COLLATE "C",
	amount  BIGINT NOT NULL,
	PRIMARY KEY (program, key, n)
);

-- What a transaction did to a lot other than move an amount.
CREATE TABLE loyalty_change (
	program     TEXT COLLATE "C" NOT NULL,
	key         TEXT COLLATE "C" NOT NULL,
	n           BIGINT NOT NULL,
	account     TEXT COLLATE "C" NOT NULL,
	lot         TEXT COLLATE "C" NOT NULL,
	held        BIGINT NOT NULL,
	basis       BIGINT NOT NULL,
	returned    BIGINT NOT NULL,
	usable_from TIMESTAMPTZ,
	expires_at  TIMESTAMPTZ,
	PRIMARY KEY (program, key, n)
);

-- One row per lot and account; original = remaining + redeemed + expired + clawed + transferred + adjusted.
CREATE TABLE loyalty_lot (
	program           TEXT COLLATE "C" NOT NULL,
	account           TEXT COLLATE "C" NOT NULL,
	lot               TEXT COLLATE "C" NOT NULL,
	unit              TEXT        NOT NULL,
	opened_key        TEXT COLLATE "C" NOT NULL,
	opened_n          BIGINT      NOT NULL,
	earned_at         TIMESTAMPTZ NOT NULL,
	usable_from       TIMESTAMPTZ NOT NULL,
	expires_at        TIMESTAMPTZ NOT NULL,
	-- the terms at the opening, once they may differ from the present ones
	first_usable_from TIMESTAMPTZ,
	first_expires_at  TIMESTAMPTZ,
	policy            TEXT        NOT NULL,
	policy_n          BIGINT      NOT NULL,
	policy_date       TIMESTAMPTZ,
	policy_clock      TEXT,
	unit_cost         BIGINT      NOT NULL,
	order_ref         TEXT,
	line              TEXT,
	basis             BIGINT      NOT NULL,
	rule              TEXT,
	origin            TEXT        NOT NULL,
	original          BIGINT      NOT NULL,
	remaining         BIGINT      NOT NULL,
	held              BIGINT      NOT NULL DEFAULT 0,
	redeemed          BIGINT      NOT NULL DEFAULT 0,
	expired           BIGINT      NOT NULL DEFAULT 0,
	clawed            BIGINT      NOT NULL DEFAULT 0,
	transferred       BIGINT      NOT NULL DEFAULT 0,
	adjusted          BIGINT      NOT NULL DEFAULT 0,
	basis_returned    BIGINT      NOT NULL DEFAULT 0,
	returned          BIGINT      NOT NULL DEFAULT 0,
	moved_at          TIMESTAMPTZ, -- the latest effective instant of what was done to it; earned_at where it is NULL
	PRIMARY KEY (program, account, lot)
);

CREATE INDEX loyalty_lot_open ON loyalty_lot (program, account) WHERE remaining <> 0;

-- Amounts set aside, and the lots that they pin.
CREATE TABLE loyalty_hold (
	program  TEXT COLLATE "C" NOT NULL,
	account  TEXT COLLATE "C" NOT NULL,
	key      TEXT COLLATE "C" NOT NULL,
	unit     TEXT        NOT NULL,
	amount   BIGINT      NOT NULL,
	captured BIGINT      NOT NULL,
	released BIGINT      NOT NULL,
	until_at TIMESTAMPTZ NOT NULL,
	is_open  BIGINT      NOT NULL,
	PRIMARY KEY (program, account, key)
);

CREATE INDEX loyalty_hold_open ON loyalty_hold (program, account) WHERE is_open = 1;

CREATE TABLE loyalty_pin (
	program TEXT COLLATE "C" NOT NULL,
	account TEXT COLLATE "C" NOT NULL,
	hold    TEXT COLLATE "C" NOT NULL,
	lot     TEXT COLLATE "C" NOT NULL,
	amount  BIGINT NOT NULL,
	PRIMARY KEY (program, account, hold, lot)
);

-- Which profile holds which membership, and when.
CREATE TABLE loyalty_binding (
	program  TEXT COLLATE "C" NOT NULL,
	profile  TEXT COLLATE "C" NOT NULL,
	account  TEXT COLLATE "C" NOT NULL,
	from_at  TIMESTAMPTZ NOT NULL,
	until_at TIMESTAMPTZ NOT NULL,
	reason   TEXT,
	actor    TEXT,
	version  BIGINT      NOT NULL,
	PRIMARY KEY (program, profile, account, from_at)
);

CREATE INDEX loyalty_binding_account ON loyalty_binding (program, account);
