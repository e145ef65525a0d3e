"""Demo of the whole path on one machine: Argo's plugin client, bridge, service and mock OAP."""
