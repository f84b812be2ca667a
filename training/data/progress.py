"""A progress bar over whatever takes long, on a terminal; silence elsewhere."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")

_MANY = 2000  # fewer are read in about a second


def watch(items: Sequence[Item], text: str) -> Iterator[Item]:
    """The items one by one; a bar on stderr if there are many and somebody watches."""
    console = Console(stderr=True)
    quiet = len(items) < _MANY or not console.is_terminal
    yield from track(items, text, console=console, disable=quiet, transient=True)
