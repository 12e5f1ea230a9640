"""A bot left alone for market weeks while all goes wrong that a seed draws, and the verdict."""
