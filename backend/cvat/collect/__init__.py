"""Stores what CVAT's annotators accept: webhooks, comparisons."""
