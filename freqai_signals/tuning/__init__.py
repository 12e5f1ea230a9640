"""Search for better LightGBM parameters, and use of the result in training."""
