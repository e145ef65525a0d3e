"""Soak test (`make soak`): 100 measurements a second through injected faults, with the guarantees checked on each."""
