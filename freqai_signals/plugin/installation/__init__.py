"""What ``freqai-signals init`` brings into a user's folder, and how it leaves theirs alone."""
