CREATE TABLE tasks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint      NOT NULL REFERENCES incidents,
    kind        text        NOT NULL,
    step_id     text        NOT NULL DEFAULT '',
    title       text        NOT NULL,
    link        text        NOT NULL DEFAULT '',
    due_at      timestamptz,
    state       text        NOT NULL DEFAULT 'open',
    owner       text,
    owned_at    timestamptz,
    note        text        NOT NULL DEFAULT '',
    added_by    text,
    added_at    timestamptz NOT NULL,
    decided_by  text,
    decided_at  timestamptz
);
-- The same thing is on one list once; an index holds no text of any length, so its digest.
CREATE UNIQUE INDEX tasks_once ON tasks (incident_id, kind, step_id, md5(title || ' ' || link));

-- Incidents from before: what is left to do has a shape now, and manual steps are tasks.
UPDATE incidents SET playbook = jsonb_set(playbook, '{post_incident}', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('title', left(line, 150))), '[]')
    FROM jsonb_array_elements_text(playbook -> 'post_incident') AS line
    WHERE line <> ''
)) WHERE playbook ? 'post_incident';

INSERT INTO tasks (incident_id, kind, step_id, title, added_at)
SELECT incidents.id, 'step', step ->> 'id', step ->> 'title', declared_at
FROM incidents
CROSS JOIN jsonb_array_elements(playbook -> 'scenarios') AS scenario
CROSS JOIN jsonb_array_elements(scenario -> 'steps') AS step
WHERE scenario ->> 'id' = scenario_id AND step ->> 'action' = 'manual';

UPDATE tasks SET state = 'done', decided_by = requested_by, decided_at = requested_at
FROM (
    SELECT DISTINCT ON (incident_id, step_id) incident_id, step_id, requested_by, requested_at
    FROM executions WHERE risk = 'manual' ORDER BY incident_id, step_id, id DESC
) AS ticked_off
WHERE ticked_off.incident_id = tasks.incident_id AND ticked_off.step_id = tasks.step_id;
