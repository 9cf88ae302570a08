-- Who could approve a request when somebody looked, and who was called because nobody else was on
-- call: the levels of escalation policies that count for this request besides the list.
ALTER TABLE executions ADD COLUMN available jsonb;
ALTER TABLE executions ADD COLUMN called jsonb NOT NULL DEFAULT '[]';
