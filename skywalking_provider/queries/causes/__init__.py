"""Causes of a Failed verdict: the endpoints behind the number that was measured."""
