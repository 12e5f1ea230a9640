"""A simulated market and a loopback exchange that runs the unmodified freqtrade."""
