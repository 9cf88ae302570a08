-- A denied request that was replaced by other words: people read "edited by", not "denied by".
ALTER TABLE executions ADD COLUMN edited boolean NOT NULL DEFAULT false;
