"""What freqtrade loads; the only package that imports freqtrade."""
