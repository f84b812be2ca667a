"""The stages of an answer, and how the time of each is told to whoever measures."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Stage(StrEnum):
    """What is done between a call and its answer."""

    FETCH = "fetch"
    """The file of an image is fetched; from a slow host it takes long."""
    DECODE = "decode"
    """The file becomes pixels, once there is room for them."""
    WAIT = "wait"
    """A click, or the encode it needs, waits for the device."""
    ENCODE = "encode"
    """The model computes the features of an image; it pauses for clicks meanwhile."""
    SEGMENT = "segment"
    """The model computes the masks of all objects."""
    COMPOSE = "compose"
    """The masks are made disjoint, and as the tool will store them."""
    ANSWER = "answer"
    """The masks are written in the tool's own form."""


Observe = Callable[[Stage, float], object]
"""Takes note of the seconds that one pass of a stage took."""


def unobserved(stage: Stage, seconds: float) -> None:
    """Take no note."""


@contextmanager
def timed(observe: Observe, stage: Stage) -> Iterator[None]:
    """Observe the seconds of the block, whether or not it fails."""
    started = time.perf_counter()
    try:
        yield
    finally:
        observe(stage, time.perf_counter() - started)
