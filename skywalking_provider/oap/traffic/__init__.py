"""Protection of the OAP server and of the callers: sharing, limits, retries and the circuit breaker."""
