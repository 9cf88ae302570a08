-- What arrived from Slack, so that the same thing delivered or replayed again is done once.
CREATE TABLE deliveries (
    id      text PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deliveries_seen ON deliveries (seen_at);
