-- What an execution sent, and what was answered: what became of it is told from this.
ALTER TABLE executions ADD COLUMN evidence jsonb NOT NULL DEFAULT '{}';
-- A change has its target for itself until its outcome is known. Those of before do not: two of them
-- may be interrupted on one target.
ALTER TABLE executions ADD COLUMN holds_target boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX executions_one_unsettled_per_target ON executions ((plan ->> 'target'))
    WHERE holds_target AND state IN ('running', 'interrupted');
