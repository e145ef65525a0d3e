"""Helpers that know neither Argo nor SkyWalking."""
