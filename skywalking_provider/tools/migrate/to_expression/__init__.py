"""Optional rewriting of queries to expressions (`migrate --to expression`)."""
