"""Signals for freqtrade that can be trusted: labels, features, models, decisions, judgement."""

__version__ = "0.2.0"
