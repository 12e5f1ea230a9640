"""What freqtrade loads; the only room that imports freqtrade."""
