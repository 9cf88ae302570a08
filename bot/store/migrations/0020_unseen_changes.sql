-- Since when the looks at a temporary change fail, and why; the reason only once that is long.
ALTER TABLE temporary_changes ADD COLUMN unseen_since timestamptz, ADD COLUMN unseen_reason text;
