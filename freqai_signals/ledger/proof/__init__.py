"""That no row was edited: a chain of hashes, its check, and what strangers get to see."""
