"""The text that people read (messages/) and the playbooks that they follow (playbooks/)."""
