"""Whether live data and losses still are what a model was trained on."""
