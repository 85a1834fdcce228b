-- The ledger of loyalty programs. Keys compare by byte; times are texts of fixed width in UTC.

-- One row per membership or pool: the head of its chain.
CREATE TABLE loyalty_account (
	program     TEXT NOT NULL,
	account     TEXT NOT NULL,
	kind        TEXT        NOT NULL,
	seq         INTEGER      NOT NULL,
	head        BLOB       NOT NULL,
	opened_at   TEXT NOT NULL,
	recorded_at TEXT NOT NULL,
	due_at      TEXT,
	merged_into TEXT,
	-- what else there is to read of the account
	open_holds  INTEGER      NOT NULL,
	standings   INTEGER      NOT NULL,
	PRIMARY KEY (program, account)
) WITHOUT ROWID;

CREATE INDEX loyalty_account_due ON loyalty_account (program, due_at, account) WHERE due_at IS NOT NULL;

-- What an account owes in a unit, and when it was last active in it.
CREATE TABLE loyalty_standing (
	program     TEXT NOT NULL,
	account     TEXT NOT NULL,
	unit        TEXT NOT NULL,
	debt        INTEGER NOT NULL,
	activity_at TEXT,
	debt_at     TEXT, -- the latest effective instant of a change of the debt
	PRIMARY KEY (program, account, unit)
) WITHOUT ROWID;

-- One row per transaction and account: leg 0 is the command's account.
CREATE TABLE loyalty_transaction (
	program      TEXT NOT NULL,
	account      TEXT NOT NULL,
	seq          INTEGER      NOT NULL,
	key          TEXT NOT NULL,
	leg          INTEGER      NOT NULL,
	kind         TEXT        NOT NULL,
	of_key       TEXT,
	effective_at TEXT NOT NULL,
	recorded_at  TEXT NOT NULL,
	order_ref    TEXT,
	reason       TEXT,
	actor        TEXT,
	unit         TEXT,
	amount       INTEGER      NOT NULL,
	until_at     TEXT,
	forgiven     INTEGER      NOT NULL,
	activity     INTEGER      NOT NULL,
	fingerprint  BLOB       NOT NULL,
	hash         BLOB       NOT NULL,
	PRIMARY KEY (program, account, seq),
	UNIQUE (program, key, leg)
) WITHOUT ROWID;

CREATE INDEX loyalty_transaction_of ON loyalty_transaction (program, of_key) WHERE of_key IS NOT NULL;

-- The sides of the movements of a transaction: 2k and 2k+1 belong together and sum to zero.
CREATE TABLE loyalty_entry (
	program TEXT NOT NULL,
	key     TEXT NOT NULL,
	n       INTEGER NOT NULL,
	book    TEXT   NOT NULL,
	account TEXT NOT NULL,
	unit    TEXT   NOT NULL,
	lot     TEXT,
	amount  INTEGER NOT NULL,
	PRIMARY KEY (program, key, n)
) WITHOUT ROWID;

-- What a transaction did to a lot other than move an amount.
CREATE TABLE loyalty_change (
	program     TEXT NOT NULL,
	key         TEXT NOT NULL,
	n           INTEGER NOT NULL,
	account     TEXT NOT NULL,
	lot         TEXT NOT NULL,
	held        INTEGER NOT NULL,
	basis       INTEGER NOT NULL,
	returned    INTEGER NOT NULL,
	usable_from TEXT,
	expires_at  TEXT,
	PRIMARY KEY (program, key, n)
) WITHOUT ROWID;

-- One row per lot and account; original = remaining + redeemed + expired + clawed + transferred + adjusted.
CREATE TABLE loyalty_lot (
	program           TEXT NOT NULL,
	account           TEXT NOT NULL,
	lot               TEXT NOT NULL,
	unit              TEXT        NOT NULL,
	opened_key        TEXT NOT NULL,
	opened_n          INTEGER      NOT NULL,
	earned_at         TEXT NOT NULL,
	usable_from       TEXT NOT NULL,
	expires_at        TEXT NOT NULL,
	-- the terms at the opening, once they may differ from the present ones
	first_usable_from TEXT,
	first_expires_at  TEXT,
	policy            TEXT        NOT NULL,
	policy_n          INTEGER      NOT NULL,
	policy_date       TEXT,
	policy_clock      TEXT,
	unit_cost         INTEGER      NOT NULL,
	order_ref         TEXT,
	line              TEXT,
	basis             INTEGER      NOT NULL,
	rule              TEXT,
	origin            TEXT        NOT NULL,
	original          INTEGER      NOT NULL,
	remaining         INTEGER      NOT NULL,
	held              INTEGER      NOT NULL DEFAULT 0,
	redeemed          INTEGER      NOT NULL DEFAULT 0,
	expired           INTEGER      NOT NULL DEFAULT 0,
	clawed            INTEGER      NOT NULL DEFAULT 0,
	transferred       INTEGER      NOT NULL DEFAULT 0,
	adjusted          INTEGER      NOT NULL DEFAULT 0,
	basis_returned    INTEGER      NOT NULL DEFAULT 0,
	returned          INTEGER      NOT NULL DEFAULT 0,
	moved_at          TEXT, -- the latest effective instant of what was done to it; earned_at where it is NULL
	PRIMARY KEY (program, account, lot)
) WITHOUT ROWID;

-- The primary key finds the lots of an account; an index of the open ones costs
-- more here with every write than it saves.

-- Amounts set aside, and the lots that they pin.
CREATE TABLE loyalty_hold (
	program  TEXT NOT NULL,
	account  TEXT NOT NULL,
	key      TEXT NOT NULL,
	unit     TEXT        NOT NULL,
	amount   INTEGER      NOT NULL,
	captured INTEGER      NOT NULL,
	released INTEGER      NOT NULL,
	until_at TEXT NOT NULL,
	is_open  INTEGER      NOT NULL,
	PRIMARY KEY (program, account, key)
) WITHOUT ROWID;

CREATE INDEX loyalty_hold_open ON loyalty_hold (program, account) WHERE is_open = 1;

CREATE TABLE loyalty_pin (
	program TEXT NOT NULL,
	account TEXT NOT NULL,
	hold    TEXT NOT NULL,
	lot     TEXT NOT NULL,
	amount  INTEGER NOT NULL,
	PRIMARY KEY (program, account, hold, lot)
) WITHOUT ROWID;

-- Which profile holds which membership, and when.
CREATE TABLE loyalty_binding (
	program  TEXT NOT NULL,
	profile  TEXT NOT NULL,
	account  TEXT NOT NULL,
	from_at  TEXT NOT NULL,
	until_at TEXT NOT NULL,
	reason   TEXT,
	actor    TEXT,
	version  INTEGER      NOT NULL,
	PRIMARY KEY (program, profile, account, from_at)
) WITHOUT ROWID;

CREATE INDEX loyalty_binding_account ON loyalty_binding (program, account);
