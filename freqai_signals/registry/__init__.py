"""Versions of models, which of them serves, and whether a new one may replace it."""
