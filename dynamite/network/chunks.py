"""Tokens a few at a time, so that what is done to them stays in the cores' caches."""

from collections.abc import Iterator

import torch

CPU_CHUNK = 1536
"""Tokens: of 256 channels in float32 they take 1.5 MB. Fewer suit many queries, more suit few."""


def chunks(
    count: int, device: torch.device, *, size: int = 1, few: int | None = None
) -> Iterator[slice]:
    """Slices of ``count`` tokens, or rows of ``size`` tokens each, of about ``few`` tokens.

    ``few`` is ``CPU_CHUNK`` where nothing else was measured to be better. All at once on a GPU, and
    where gradients are kept anyway.
    """
    divide = device.type == "cpu" and not torch.is_grad_enabled()
    step = max(1, (few or CPU_CHUNK) // size) if divide else count
    for start in range(0, count, step):
        yield slice(start, start + step)
