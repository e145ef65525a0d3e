"""The three forms of a block: what each reads, and what its `result` is. Pure."""
