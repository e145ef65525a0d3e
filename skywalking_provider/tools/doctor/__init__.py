"""Checks of the command `doctor`, and its reports."""
