"""Candles to matrices: labels, features, splits."""
