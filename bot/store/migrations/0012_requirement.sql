-- What a request needs: how many approvals, from whom, until when and why. NULL in older rows.
ALTER TABLE executions ADD COLUMN requirement jsonb;
