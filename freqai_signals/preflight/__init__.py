"""What can be known to be wrong before hours are spent: the same checks at start and in doctor."""
