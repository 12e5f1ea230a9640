"""Live predictions, emitted signals and their outcomes in a database."""
