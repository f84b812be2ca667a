"""Whether masks, and the regions that hold them, are the same."""

import json

import numpy as np


def same(one, other):
    """Whether two regions of the page are one object, with one mask to the pixel."""
    return one.id == other.id and one.labels == other.labels and (one.mask == other.mask).all()


def as_answered(kept, answered):
    """Whether stored regions are those that were answered.

    Pictures and lists of bytes are equal byte by byte, corners to the twelfth digit of a percent.
    """
    return _by_entry(kept) == _by_entry(answered)


def thick(shared):
    """Whether masks share more than their outlines may be off, by their tolerance."""
    windows = np.lib.stride_tricks.sliding_window_view(shared, (3, 3))
    return bool(windows.all(axis=(2, 3)).any())


def _by_entry(regions):
    return {(one["id"], one["from_name"]): _rounded(one["value"]) for one in regions}


def _rounded(value):
    return json.loads(json.dumps(value), parse_float=lambda text: round(float(text), 12))
