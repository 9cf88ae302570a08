-- Who had a change run that nobody had approved, when and why. The release before this one breaks no
-- glass, and runs what is approved.
ALTER TABLE executions ADD COLUMN broken_glass jsonb;
