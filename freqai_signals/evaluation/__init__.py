"""Decisions and outcomes to judgement."""
