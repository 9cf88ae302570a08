CREATE TABLE incidents (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title           text        NOT NULL CHECK (title <> ''),
    severity        text        NOT NULL,
    status          text        NOT NULL,
    playbook        jsonb       NOT NULL, -- a copy: editing a playbook file changes no running incident
    scenario_id     text,
    channel_id      text UNIQUE,
    channel_name    text,
    declared_by     text        NOT NULL,
    declared_at     timestamptz NOT NULL,
    source_link     text,
    commander       text,
    commanded_at    timestamptz,
    last_update_at  timestamptz,
    next_update_at  timestamptz,
    resolved_by     text,
    resolved_at     timestamptz,
    resolution      text,
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);

CREATE TABLE executions (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id      bigint      NOT NULL REFERENCES incidents,
    step_id          text        NOT NULL,
    title            text        NOT NULL,
    action           text        NOT NULL,
    params           jsonb       NOT NULL,
    risk             text        NOT NULL,
    plan             jsonb,
    plan_digest      text,
    state            text        NOT NULL,
    requested_by     text        NOT NULL,
    requested_at     timestamptz NOT NULL,
    reason           text        NOT NULL DEFAULT '',
    approvals_needed integer     NOT NULL DEFAULT 0,
    approvals        jsonb       NOT NULL DEFAULT '[]',
    expires_at       timestamptz,
    started_at       timestamptz,
    heartbeat_at     timestamptz,
    finished_at      timestamptz,
    progress         text,
    outcome          text,
    checked          boolean,
    reading          jsonb,
    decided_by       text,
    undo_of          bigint REFERENCES executions,
    undo_until       timestamptz,
    undo_digest      text -- of the inverse as it would have run when the run ended
);
CREATE INDEX executions_of_incident ON executions (incident_id, id);

-- One live execution per step of an incident, so that two presses at once ask once.
CREATE UNIQUE INDEX executions_one_live_per_step ON executions (incident_id, step_id)
    WHERE state IN ('proposed', 'approved', 'running') AND undo_of IS NULL;
-- One live undo per execution.
CREATE UNIQUE INDEX executions_one_live_undo ON executions (undo_of)
    WHERE state IN ('proposed', 'approved', 'running', 'succeeded') OR checked IS NOT NULL;
-- One change at a time per target, across incidents and replicas of the bot.
CREATE UNIQUE INDEX executions_one_running_per_target ON executions ((plan ->> 'target'))
    WHERE state = 'running' AND risk IN ('change', 'destructive');
CREATE INDEX executions_live ON executions (state) WHERE state IN ('proposed', 'approved', 'running');

-- Texts too long for a message, already masked.
CREATE TABLE attachments (
    execution_id bigint PRIMARY KEY REFERENCES executions,
    name         text NOT NULL,
    body         text NOT NULL
);

CREATE TABLE timeline (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint      NOT NULL REFERENCES incidents,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    by          text,
    text        text        NOT NULL,
    detail      jsonb       NOT NULL DEFAULT '{}',
    source      text -- the delivery or message it came from: the same one twice is one entry
);
CREATE INDEX timeline_of_incident ON timeline (incident_id, id);
CREATE UNIQUE INDEX timeline_source ON timeline (incident_id, source);

CREATE FUNCTION timeline_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the timeline is append-only';
END
$$;
CREATE TRIGGER timeline_append_only BEFORE UPDATE OR DELETE ON timeline
    FOR EACH ROW EXECUTE FUNCTION timeline_is_append_only();

CREATE TABLE updates (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id    bigint      NOT NULL REFERENCES incidents,
    at             timestamptz NOT NULL,
    by             text        NOT NULL,
    status         text        NOT NULL,
    impact         text        NOT NULL,
    current        text        NOT NULL,
    next_update_at timestamptz,
    source         text        NOT NULL UNIQUE
);
CREATE INDEX updates_of_incident ON updates (incident_id, id);

CREATE TABLE reminders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint      NOT NULL REFERENCES incidents,
    kind        text        NOT NULL,
    due_at      timestamptz NOT NULL,
    fired_at    timestamptz,
    settled_at  timestamptz,
    snoozes     integer     NOT NULL DEFAULT 0,
    nags        integer     NOT NULL DEFAULT 0,
    UNIQUE (incident_id, kind, due_at)
);
CREATE INDEX reminders_due ON reminders (due_at) WHERE fired_at IS NULL AND settled_at IS NULL;
CREATE UNIQUE INDEX reminders_one_waiting ON reminders (incident_id, kind)
    WHERE fired_at IS NULL AND settled_at IS NULL;

-- What Slack shows: one row per thing drawn.
CREATE TABLE messages (
    incident_id bigint NOT NULL REFERENCES incidents,
    key         text   NOT NULL,
    channel     text   NOT NULL,
    ts          text   NOT NULL,
    digest      text   NOT NULL,
    PRIMARY KEY (incident_id, key)
);

-- How far Slack shows what is true: drawn < wanted means something is still to be said.
CREATE TABLE pictures (
    incident_id  bigint PRIMARY KEY REFERENCES incidents,
    wanted       bigint      NOT NULL DEFAULT 1,
    drawn        bigint      NOT NULL DEFAULT 0,
    leased_until timestamptz,
    lease        uuid,
    retry_at     timestamptz,
    failures     integer     NOT NULL DEFAULT 0,
    trouble      text
);
CREATE INDEX pictures_behind ON pictures (retry_at) WHERE drawn < wanted;
