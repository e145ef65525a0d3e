"""The query type `alarms`: what the alarms of an OAP show about an entity."""
