"""Exact class probabilities of the simulated market, and the share of skill a model reaches."""
