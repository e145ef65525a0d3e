"""Measurement history: the store of the last measurements and the web page that shows them."""
