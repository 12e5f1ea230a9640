"""Training rows to a model, or to the reason why there is none."""
