-- A digest covers more than it did: those of before match no plan any more. They are learnt again
-- while the target is as the change left it.
UPDATE executions SET undo_digest = NULL
WHERE id IN (SELECT execution_id FROM temporary_changes WHERE ended_at IS NULL);
