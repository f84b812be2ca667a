"""Undoes the Content-Encoding of a response, as far as browsers do.

Storages send the header that an object was stored with, whatever was asked for. Uploaders often
store one that is no compression (``base64``, ``aws-chunked``, ``UTF-8``), on plain bytes. Like
Chromium, take the bytes as they are if one of the codings is unknown.
"""

import zlib

GZIP, DEFLATE = ("gzip", "x-gzip"), ("deflate", "x-deflate")
OTHERS = ("br", "zstd")
"""Compressions that browsers know and this does not."""

_GZIP_START = b"\x1f\x8b"


class CodingError(ValueError):
    """A body cannot be decoded; the message says why."""


class TooLargeError(CodingError):
    """A body is larger than allowed once it is decoded."""


def decoded(body: bytes, header: str, max_bytes: int) -> bytes:
    """Return a body as the browser sees it.

    Args:
        body: as it was sent.
        header: the value of Content-Encoding.
        max_bytes: most bytes to return, and to hold on the way.

    Raises:
        CodingError: it is damaged, or compressed in a way that is not known here.
        TooLargeError: it has more than ``max_bytes``.
    """
    codings = [name for part in header.lower().split(",") if (name := part.strip())]
    if not set(codings) <= {*GZIP, *DEFLATE, *OTHERS}:
        return body
    for coding in reversed(codings):
        if coding in OTHERS:
            raise CodingError(
                f"it is compressed with {coding!r}, which is not supported: store it uncompressed"
            )
        if coding in DEFLATE or body.startswith(_GZIP_START):  # else it is not compressed at all
            body = _inflated(body, coding, max_bytes)
    return body


def _inflated(body: bytes, coding: str, max_bytes: int) -> bytes:
    if coding in GZIP:
        window = 16 + zlib.MAX_WBITS
    else:  # with zlib's header, as the standard says, or without, as some servers do
        has_header = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
        window = zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
    stream = zlib.decompressobj(window)
    try:
        found = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise CodingError(f"its {coding} is damaged: {error}") from None
    if len(found) > max_bytes:
        raise TooLargeError(f"it has more than {max_bytes} bytes once {coding} is undone")
    if not stream.eof:
        raise CodingError(f"its {coding} ends early")
    return found
