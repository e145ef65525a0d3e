"""Events for SkyWalking: each finished measurement is reported to the event API of its OAP. Nothing waits for it."""
