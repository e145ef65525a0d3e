"""HTTP transport to an OAP: client, connections, credentials, TLS, error mapping."""
