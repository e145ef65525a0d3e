"""conditions/expr."""
