"""Fetches bytes from URLs and paths found in annotation projects, which are not trusted.

Knows nothing of Label Studio. ``url`` parses URLs strictly, ``hosts`` decides which hosts are
allowed and which network addresses they may resolve to, ``client`` fetches within limits on time
and size, and ``local`` reads files below one folder.
"""
