"""Bytes that show whether they are whole: a checksum follows them."""

import zlib

SEAL_BYTES = 4


def seal(data: bytes) -> bytes:
    """Return the data and its checksum."""
    return data + _checksum(data)


def unseal(sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        ValueError: it is not whole.
    """
    data = sealed[:-SEAL_BYTES]
    if len(sealed) < SEAL_BYTES or sealed[-SEAL_BYTES:] != _checksum(data):
        raise ValueError("its checksum is wrong")
    return data


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(SEAL_BYTES, "big")
