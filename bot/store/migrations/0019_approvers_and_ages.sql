-- When the approvers were reminded of a request, and why nobody can approve it, if that is so.
ALTER TABLE executions ADD COLUMN nudged_at timestamptz, ADD COLUMN shortage jsonb;
-- Since when what a row is about lasts, such as an order that is stuck: its age is counted from it.
ALTER TABLE tasks ADD COLUMN since timestamptz;
