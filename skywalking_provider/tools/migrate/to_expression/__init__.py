"""tools/migrate/to_expression."""
