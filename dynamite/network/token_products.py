"""Linear layers over many tokens: in chunks that fit the CPU's caches, by the faster library."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.nn.functional import linear as torch_linear

CHUNK_TOKENS = 1536
"""Default chunk. At 256 float32 channels it takes 1.5 MB. Many queries want fewer, few more."""

_CONV_BATCH = 16
"""From this batch size on, torch hands 1×1 convolutions to oneDNN even on one thread."""


def token_chunks(
    count: int, device: torch.device, *, row_length: int = 1, chunk_tokens: int | None = None
) -> Iterator[slice]:
    """Yield slices that cover ``count`` rows, a chunk of rows at a time.

    On a GPU, or while gradients are recorded, the only slice covers everything.

    Args:
        count: number of rows; of tokens, if ``row_length`` is 1.
        device: where the tokens are.
        row_length: tokens in a row.
        chunk_tokens: tokens in a chunk, about; ``CHUNK_TOKENS`` if left out.
    """
    divide = device.type == "cpu" and not torch.is_grad_enabled()
    step = max(1, (chunk_tokens or CHUNK_TOKENS) // row_length) if divide else count
    for start in range(0, count, step):
        yield slice(start, start + step)


def linear(tokens: Tensor, weight_OC: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """Return what ``torch.nn.functional.linear`` returns: (…, C) to (…, O).

    On a CPU in float32, torch multiplies with MKL but convolves with oneDNN, which is a third
    faster on AMD (measured; on Intel they are equal). A linear layer is a 1×1 convolution.
    """
    count = tokens.shape[:-1].numel()
    if not _should_convolve(tokens) or count % _CONV_BATCH or not count:
        return torch_linear(tokens, weight_OC, bias_O)
    images = tokens.reshape(_CONV_BATCH, 1, count // _CONV_BATCH, -1).permute(0, 3, 1, 2)
    convolved = conv2d(images, weight_OC[:, :, None, None], bias_O)
    return convolved.permute(0, 2, 3, 1).reshape(*tokens.shape[:-1], -1)


def _should_convolve(tokens: Tensor) -> bool:
    """Whether convolving is faster here. Gradients always take the plain path."""
    return (
        tokens.device.type == "cpu"
        and tokens.dtype == torch.float32
        and not torch.is_grad_enabled()
        and torch.backends.mkldnn.is_available()
    )
