"""oap/traffic."""
