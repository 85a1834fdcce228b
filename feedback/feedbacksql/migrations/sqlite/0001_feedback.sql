-- Surveys and service cases. The record holds everything; the columns before it are taken from it.

-- Requests to ask a customer, what was decided, and what became of them.
CREATE TABLE feedback_invitation (
	id TEXT PRIMARY KEY NOT NULL,
	survey TEXT,
	customer TEXT,
	invited_at TEXT,
	mode TEXT,
	program TEXT,
	brand TEXT,
	state TEXT,
	touchpoint TEXT,
	order_number TEXT,
	outlet TEXT,
	product TEXT,
	channel TEXT,
	sent_at TEXT,
	expires_at TEXT,
	answered_at TEXT,
	response TEXT,
	deadline_at TEXT,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

CREATE INDEX feedback_invitation_invited_at ON feedback_invitation (invited_at, id);

CREATE INDEX feedback_invitation_survey ON feedback_invitation (survey, invited_at, id);

CREATE INDEX feedback_invitation_customer ON feedback_invitation (customer, invited_at, id);

CREATE INDEX feedback_invitation_deadline_at ON feedback_invitation (deadline_at, id) WHERE deadline_at IS NOT NULL;

-- What customers answered; answers by question are in the record.
CREATE TABLE feedback_response (
	id TEXT PRIMARY KEY NOT NULL,
	survey TEXT,
	customer TEXT,
	answered_at TEXT,
	mode TEXT,
	program TEXT,
	brand TEXT,
	invitation TEXT,
	touchpoint TEXT,
	order_number TEXT,
	outlet TEXT,
	product TEXT,
	channel TEXT,
	recorded_at TEXT,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

CREATE INDEX feedback_response_answered_at ON feedback_response (answered_at, id);

CREATE INDEX feedback_response_survey ON feedback_response (survey, answered_at, id);

CREATE INDEX feedback_response_customer ON feedback_response (customer, answered_at, id);

-- What cadence and budgets need to know of a customer; id is the customer.
CREATE TABLE feedback_contact (
	id TEXT PRIMARY KEY NOT NULL,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

-- Service cases; clocks, promises and history are in the record.
CREATE TABLE care_case (
	id TEXT PRIMARY KEY NOT NULL,
	kind TEXT,
	customer TEXT,
	opened_at TEXT,
	mode TEXT,
	brand TEXT,
	priority TEXT,
	topic TEXT,
	product TEXT,
	outlet TEXT,
	pick_up TEXT,
	state TEXT,
	phase TEXT,
	assignee TEXT,
	loaner TEXT,
	warranty_until TEXT,
	next_due TEXT,
	recorded_at TEXT,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

CREATE INDEX care_case_opened_at ON care_case (opened_at, id);

CREATE INDEX care_case_kind ON care_case (kind, opened_at, id);

CREATE INDEX care_case_customer ON care_case (customer, opened_at, id);

CREATE INDEX care_case_next_due ON care_case (next_due, id) WHERE next_due IS NOT NULL;

-- Which case has a loaner; id is the item.
CREATE TABLE care_loan (
	id TEXT PRIMARY KEY NOT NULL,
	service_case TEXT,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

-- Products that customers own.
CREATE TABLE care_product (
	id TEXT PRIMARY KEY NOT NULL,
	customer TEXT,
	sku TEXT,
	bought_at TEXT,
	warranty_until TEXT,
	record TEXT NOT NULL,
	row_version INTEGER NOT NULL
);

CREATE INDEX care_product_bought_at ON care_product (bought_at, id);

CREATE INDEX care_product_customer ON care_product (customer, bought_at, id);
