"""What can be known of the simulated market, and how much of it a model found."""
