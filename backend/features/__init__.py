"""Caches the features of images on the device, in memory and on disk.

Encoding an image costs a hundred times as much as a click. The cache never causes a failure: it
recomputes what it does not have and drops what it cannot keep.
"""
