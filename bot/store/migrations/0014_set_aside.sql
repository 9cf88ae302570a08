-- Rows that the scheduler could not read or act on; it tries them again. Gone once that succeeds.
CREATE TABLE set_aside (
    kind        text        NOT NULL,
    row_id      bigint      NOT NULL,
    incident_id bigint      NOT NULL REFERENCES incidents,
    error       text        NOT NULL,
    failed_at   timestamptz NOT NULL,
    PRIMARY KEY (kind, row_id)
);
CREATE INDEX set_aside_of_incident ON set_aside (incident_id);
