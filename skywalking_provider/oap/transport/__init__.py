"""oap/transport."""
