-- Surveys and service cases. The record holds everything; the columns before it are taken from it.

-- Requests to ask a customer, what was decided, and what became of them.
CREATE TABLE feedback_invitation (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	survey TEXT COLLATE "C",
	customer TEXT COLLATE "C",
	invited_at TIMESTAMPTZ,
	mode TEXT,
	program TEXT,
	brand TEXT,
	state TEXT,
	touchpoint TEXT,
	order_number TEXT,
	outlet TEXT,
	product TEXT,
	channel TEXT,
	sent_at TIMESTAMPTZ,
	expires_at TIMESTAMPTZ,
	answered_at TIMESTAMPTZ,
	response TEXT,
	deadline_at TIMESTAMPTZ,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

CREATE INDEX feedback_invitation_invited_at ON feedback_invitation (invited_at, id);

CREATE INDEX feedback_invitation_survey ON feedback_invitation (survey, invited_at, id);

CREATE INDEX feedback_invitation_customer ON feedback_invitation (customer, invited_at, id);

CREATE INDEX feedback_invitation_deadline_at ON feedback_invitation (deadline_at, id) WHERE deadline_at IS NOT NULL;

-- What customers answered; answers by question are in the record.
CREATE TABLE feedback_response (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	survey TEXT COLLATE "C",
	customer TEXT COLLATE "C",
	answered_at TIMESTAMPTZ,
	mode TEXT,
	program TEXT,
	brand TEXT,
	invitation TEXT,
	touchpoint TEXT,
	order_number TEXT,
	outlet TEXT,
	product TEXT,
	channel TEXT,
	recorded_at TIMESTAMPTZ,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

CREATE INDEX feedback_response_answered_at ON feedback_response (answered_at, id);

CREATE INDEX feedback_response_survey ON feedback_response (survey, answered_at, id);

CREATE INDEX feedback_response_customer ON feedback_response (customer, answered_at, id);

-- What cadence and budgets need to know of a customer; id is the customer.
CREATE TABLE feedback_contact (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

-- Service cases; clocks, promises and history are in the record.
CREATE TABLE care_case (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	kind TEXT COLLATE "C",
	customer TEXT COLLATE "C",
	opened_at TIMESTAMPTZ,
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
	warranty_until TIMESTAMPTZ,
	next_due TIMESTAMPTZ,
	recorded_at TIMESTAMPTZ,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

CREATE INDEX care_case_opened_at ON care_case (opened_at, id);

CREATE INDEX care_case_kind ON care_case (kind, opened_at, id);

CREATE INDEX care_case_customer ON care_case (customer, opened_at, id);

CREATE INDEX care_case_next_due ON care_case (next_due, id) WHERE next_due IS NOT NULL;

-- Which case has a loaner; id is the item.
CREATE TABLE care_loan (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	service_case TEXT,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

-- Products that customers own.
CREATE TABLE care_product (
	id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	customer TEXT COLLATE "C",
	sku TEXT,
	bought_at TIMESTAMPTZ,
	warranty_until TIMESTAMPTZ,
	record JSONB NOT NULL,
	row_version BIGINT NOT NULL
);

CREATE INDEX care_product_bought_at ON care_product (bought_at, id);

CREATE INDEX care_product_customer ON care_product (customer, bought_at, id);
