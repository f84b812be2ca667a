"""The picture that CVAT shows beside the function's help text."""

import base64
from functools import cache
from pathlib import Path


@cache
def help_picture() -> str:
    """Return the picture as an address that holds it: the browser may not reach this backend."""
    data = Path(__file__).with_name("help.gif").read_bytes()
    return f"data:image/gif;base64,{base64.b64encode(data).decode()}"
