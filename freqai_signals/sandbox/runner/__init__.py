"""Running an unmodified freqtrade command against the loopback exchange."""
