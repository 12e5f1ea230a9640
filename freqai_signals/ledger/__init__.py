"""What was predicted live, what was emitted and what came of it, in a database."""
