-- An update as it was posted: what the incident became later does not rewrite it. NULL in older ones.
ALTER TABLE updates ADD COLUMN words text;

-- When what a reminder asks for was due; `due_at` is when it rings. NULL where that is the same.
ALTER TABLE reminders ADD COLUMN deadline timestamptz;
-- Who wants to hear of it later, and when.
ALTER TABLE reminders ADD COLUMN snoozed_by text;
ALTER TABLE reminders ADD COLUMN snoozed_until timestamptz;
