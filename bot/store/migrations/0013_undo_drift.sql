-- The fingerprint of the target when the undo of a temporary change was planned: with another one,
-- the undo is not what was approved.
ALTER TABLE temporary_changes ADD COLUMN as_left jsonb;
