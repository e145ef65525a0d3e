"""conditions/cel."""
