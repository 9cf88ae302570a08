-- Who could approve a request when somebody looked, and who was called because nobody else was on
-- call: the levels of escalation policies that count for this request besides the list.
ALTER TABLE executions ADD COLUMN available jsonb;
ALTER TABLE executions ADD COLUMN called jsonb NOT NULL DEFAULT '[]';

-- The second step of an approval outside Slack. Of a link only the hash of its token is kept.
ALTER TABLE executions ADD COLUMN second_step text;
CREATE TABLE confirmations (
    execution_id bigint NOT NULL REFERENCES executions (id),
    user_id text NOT NULL,
    token_hash text NOT NULL UNIQUE,
    plan_digest text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    PRIMARY KEY (execution_id, user_id)
);

-- The release before knows no second step, and may run beside: no version counts an approval that
-- lacks it.
CREATE FUNCTION approvals_are_confirmed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM jsonb_array_elements(NEW.approvals) AS approval
        WHERE NOT EXISTS (
            SELECT FROM confirmations
            WHERE execution_id = NEW.id AND user_id = approval ->> 'by'
                AND plan_digest = NEW.plan_digest AND confirmed_at IS NOT NULL
        )
    ) THEN
        RAISE EXCEPTION 'an approval of execution % lacks its second step', NEW.id;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER approvals_are_confirmed BEFORE UPDATE OF approvals ON executions
    FOR EACH ROW WHEN (NEW.second_step IS NOT NULL) EXECUTE FUNCTION approvals_are_confirmed();
