"""The words people read (messages/) and the plays they follow (playbooks/)."""
