"""oap/api."""
