"""What FreqAI lacks or does badly, put right: its data objects, its files, its schedule."""
