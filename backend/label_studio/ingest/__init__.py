"""Stores what Label Studio's annotators accept: events, retries, comparisons."""
