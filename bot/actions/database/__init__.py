"""Actions on the service's database."""
