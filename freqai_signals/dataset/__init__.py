"""Candles to matrices: labels, features, rows, splits."""
