"""Probabilities to decisions with reasons."""
