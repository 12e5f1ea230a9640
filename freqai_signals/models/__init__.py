"""Matrices to one fitted, calibrated, storable model."""
