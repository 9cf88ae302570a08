"""Actions on the service's database: queries, connections, sessions."""
