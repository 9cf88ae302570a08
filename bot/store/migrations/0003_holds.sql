-- Temporary changes in force: one row each, kept after its end.
CREATE TABLE holds (
    execution_id bigint PRIMARY KEY REFERENCES executions,
    incident_id  bigint      NOT NULL REFERENCES incidents,
    state        text        NOT NULL, -- what people call it: orders paused
    since        timestamptz NOT NULL,
    until        timestamptz NOT NULL, -- when it is undone
    due_at       timestamptz NOT NULL, -- when the clock looks at it next
    nudged_at    timestamptz,
    touched_by   bigint REFERENCES executions, -- the last change of the same target
    ended_at     timestamptz,
    trouble      text                  -- why it is not undone although its time is over
);
CREATE INDEX holds_due ON holds (due_at) WHERE ended_at IS NULL;

-- NULL is the clock: it asks for the undo of what was temporary.
ALTER TABLE executions ALTER COLUMN requested_by DROP NOT NULL;
