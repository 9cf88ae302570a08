"""Actions on Kubernetes."""
