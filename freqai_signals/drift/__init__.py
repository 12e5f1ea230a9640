"""Drift detection: live features, labels and losses against the training data."""
