"""Strategies of one's own that use the model's columns; ``freqai-signals init --examples``."""
