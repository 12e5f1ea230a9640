"""Entries, exits, stakes and protections of the strategy."""
