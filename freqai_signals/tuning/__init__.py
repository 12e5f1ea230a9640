"""The search for better LightGBM parameters, and when what it found is used."""
