"""What freqtrade loads as a model, and the mends of FreqAI's own objects that it needs."""
