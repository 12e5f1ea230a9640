"""From decisions to what freqtrade asks a strategy for: columns, exits, stakes."""
