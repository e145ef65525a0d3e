"""queries/indicators."""
