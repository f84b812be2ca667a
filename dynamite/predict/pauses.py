"""Pauses between the layers of a network, so that its thread can do something else in between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from torch import nn

Pause = Callable[[], object]

LAYERS = (nn.Conv2d, nn.Linear)
"""The layers that take most of the time; each takes milliseconds."""


@contextmanager
def pauses(network: nn.Module, pause: Pause | None) -> Iterator[None]:
    """Call ``pause``, if there is one, after each layer of a network that runs in the block."""
    if pause is None:
        yield
        return

    def after(*_: object) -> None:
        pause()

    with ExitStack() as stack:
        for layer in network.modules():
            if isinstance(layer, LAYERS):
                stack.callback(layer.register_forward_hook(after).remove)
        yield
