-- A commit that takes one instance one step further writes as few pages as can be.

-- A claim is over as soon as its row has been written: nothing has to be removed then.
DROP INDEX journey_claim_until;

-- the row's version when it was taken
ALTER TABLE journey_claim ADD COLUMN base INTEGER NOT NULL DEFAULT 0;

UPDATE journey_claim SET base = COALESCE((SELECT row_version FROM journey_instance WHERE id = key), -1) WHERE kind = 'instance';

UPDATE journey_claim SET base = COALESCE((SELECT row_version FROM journey_effect e WHERE e.key = journey_claim.key), -1) WHERE kind = 'effect';

-- A customer's history is found by their instances. Here are those instances of
-- which a customer has lines although they are not, or no longer, the customer's.
DROP INDEX journey_history_customer;

CREATE TABLE journey_history_owner (
	customer TEXT NOT NULL,
	instance TEXT NOT NULL,
	PRIMARY KEY (customer, instance)
) WITHOUT ROWID;

INSERT INTO journey_history_owner (customer, instance)
	SELECT DISTINCT h.customer, h.instance FROM journey_history h LEFT JOIN journey_instance i ON i.id = h.instance
	WHERE i.customer IS NULL OR i.customer <> h.customer;
