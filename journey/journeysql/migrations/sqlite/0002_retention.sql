-- What is over is removed by its time.
CREATE INDEX journey_input_happened_at ON journey_input (happened_at, id);

CREATE INDEX journey_instance_ended_at ON journey_instance (ended_at, id) WHERE ended_at IS NOT NULL;
