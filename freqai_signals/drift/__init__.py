"""Drift detection: live features, predictions, labels and losses against the training data."""
