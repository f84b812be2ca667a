"""Weights in files: read safely, checked strictly, published ones converted."""
