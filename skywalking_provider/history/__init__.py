"""The last measurements, as a page for people: what is kept, what is chosen, how it looks."""
