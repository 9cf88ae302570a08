-- A temporary change has its row before it is written: false until it is known that it was.
ALTER TABLE temporary_changes ADD COLUMN applied boolean NOT NULL DEFAULT true;
-- What its target was when the change was last seen in force: the digest of its spec, and the id of
-- the execution that wrote it last.
ALTER TABLE temporary_changes ADD COLUMN last_seen jsonb;
-- When its undo is tried again; `next_check_at` is when the change is looked at, which is more often.
ALTER TABLE temporary_changes ADD COLUMN retry_at timestamptz;
