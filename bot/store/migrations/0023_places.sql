-- Where an execution acts: the service, and what its step names of it. The release before this one
-- knows one service, that of the incident's playbook, and names no place.
ALTER TABLE executions ADD COLUMN place jsonb;
UPDATE executions SET place = jsonb_build_object('service', incidents.playbook ->> 'service')
    FROM incidents WHERE incidents.id = executions.incident_id;
ALTER TABLE executions ALTER COLUMN place SET NOT NULL;

CREATE FUNCTION execution_has_a_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT jsonb_build_object('service', playbook ->> 'service') INTO NEW.place
        FROM incidents WHERE id = NEW.incident_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER execution_has_a_place BEFORE INSERT ON executions
    FOR EACH ROW WHEN (NEW.place IS NULL) EXECUTE FUNCTION execution_has_a_place();
