"""Retraining as the backend sees it: when one is due, whose turn it is, how it stands."""
