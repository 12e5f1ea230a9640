"""The simulated market: its law, its candles, its files."""
