-- Who changed a target since is asked for at each drawing and at the end of each change.
CREATE INDEX executions_of_target ON executions ((plan ->> 'target'));
