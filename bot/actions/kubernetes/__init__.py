"""Actions on the cluster: read pods and logs, change Deployments and pods."""
