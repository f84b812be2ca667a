"""Images in ``data:`` addresses, read as browsers do (the Fetch standard, "data: URL")."""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from backend.errors import ImageRefusedError, ImageTooLargeError, ImageUnreadableError

MAX_DATA_URI = 8_000_000
"""Most characters of a data: URI."""


def is_data_uri(value: str) -> bool:
    """Return whether an address holds the data itself."""
    return value[:5].lower() == "data:"


def write_data_uri(data: bytes, media_type: str) -> str:
    """Return a data: address that holds ``data``."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def read_data_uri(value: str, most: int) -> bytes:
    """Return the bytes in a data: address.

    The media type does not matter, as in an <img>: the bytes say what they are. Line breaks,
    missing padding and percent-encoding are accepted.

    Args:
        value: the whole address.
        most: most characters of it.

    Raises:
        ImageTooLargeError: it has more characters.
        ImageRefusedError: it has no comma before the data, or no data.
        ImageUnreadableError: its base64 is broken.
    """
    if len(value) > most:
        raise ImageTooLargeError(f"a data: image of {len(value)} characters is over {most}")
    head, comma, body = value.partition("#")[0].partition(",")
    if not comma or not body.strip():
        raise ImageRefusedError("a data: address without data: it must be data:image/…;base64,…")
    for dropped in "\r\n\t":
        body = body.replace(dropped, "")
    data = unquote_to_bytes(body)
    _, semicolon, last = head.rpartition(";")
    return _forgiving(data) if semicolon and last.strip(" \t").lower() == "base64" else data


def _forgiving(data: bytes) -> bytes:
    """Decode base64 with white space and without padding, but with no other character."""
    data = data.translate(None, b" \t\r\n\f")
    if len(data) % 4 == 0:
        data = data.removesuffix(b"=").removesuffix(b"=")
    try:
        if b"=" in data:
            raise binascii.Error("'=' stands before its end")
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageUnreadableError(f"the base64 of a data: image is broken: {error}") from None
