"""Bytes from places that an annotation project names but must not choose freely.

Knows nothing of Label Studio. ``url`` reads addresses strictly, ``hosts`` says which are allowed
and to which network address they may lead, ``client`` gets bytes from there and nowhere else within
caps on time and size, ``local`` reads files under one folder.
"""
