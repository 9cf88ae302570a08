-- Whoever ran it before that no longer does.
ALTER TABLE executions ADD COLUMN interrupted_at timestamptz;
