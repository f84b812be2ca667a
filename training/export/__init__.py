"""Writes accepted masks as data sets for other programs."""
