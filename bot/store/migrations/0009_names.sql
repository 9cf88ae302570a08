-- The field's words for what older versions named otherwise; the rows stay as they are.
ALTER TABLE pictures RENAME TO publications;
ALTER TABLE publications RENAME COLUMN wanted TO wanted_version;
ALTER TABLE publications RENAME COLUMN drawn TO published_version;
ALTER TABLE publications RENAME COLUMN trouble TO error;
ALTER TABLE publications RENAME COLUMN tried TO refused_version;
ALTER INDEX pictures_behind RENAME TO publications_pending;

ALTER TABLE holds RENAME TO temporary_changes;
ALTER TABLE temporary_changes RENAME COLUMN since TO started_at;
ALTER TABLE temporary_changes RENAME COLUMN until TO ends_at;
ALTER TABLE temporary_changes RENAME COLUMN due_at TO next_check_at;
ALTER TABLE temporary_changes RENAME COLUMN nudged_at TO announced_at;
ALTER TABLE temporary_changes RENAME COLUMN trouble TO overdue_reason;
ALTER INDEX holds_due RENAME TO temporary_changes_due;

ALTER TABLE executions RENAME COLUMN reading TO read_result;
ALTER TABLE executions RENAME COLUMN checked TO check_passed;
ALTER TABLE messages RENAME COLUMN final_open TO final_while_open;
ALTER TABLE tasks RENAME COLUMN gone_at TO missing_since;
ALTER TABLE updates RENAME COLUMN words TO posted_text;
