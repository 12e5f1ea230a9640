"""One fitted, calibrated, storable model: all that predicts, nothing that trains."""
