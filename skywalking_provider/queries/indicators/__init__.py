"""The query type `sli`: indicators by name, computed from calls and values."""
