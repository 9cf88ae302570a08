-- The services that an incident took in beside its own: of each a copy of its playbook, and the
-- scenario that people chose. The release before this one knows the first service alone, and
-- leaves the steps of the others to replicas of this one.
ALTER TABLE incidents ADD COLUMN further_playbooks jsonb NOT NULL DEFAULT '[]';
