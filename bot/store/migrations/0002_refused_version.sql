-- The version that Slack refuses lastingly: a newer one need not wait for retry_at.
ALTER TABLE pictures ADD COLUMN tried bigint;
