"""What the service tells of itself to machines."""
