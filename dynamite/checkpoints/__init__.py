"""Weights in files: safe reading, strict checks, conversion of published ones."""
