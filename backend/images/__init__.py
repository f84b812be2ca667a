"""Decodes image files into what the browser shows."""
