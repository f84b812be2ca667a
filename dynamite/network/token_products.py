"""Linear layers over very many tokens, by the faster of the two libraries inside torch."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.nn.functional import linear as torch_linear

_BATCH = 16
"""From so many images a batch torch hands 1×1 convolutions to oneDNN on one thread, too."""


def linear(tokens: Tensor, weight_OC: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """As ``torch.nn.functional.linear``: (…, C) to (…, O).

    On a CPU in float32 torch multiplies with MKL but convolves with oneDNN, which on AMD is a third
    faster (measured; on Intel they are equal). A linear layer is a 1×1 convolution.
    """
    count = tokens.shape[:-1].numel()
    if not _convolves(tokens) or count % _BATCH or not count:
        return torch_linear(tokens, weight_OC, bias_O)
    images = tokens.reshape(_BATCH, 1, count // _BATCH, -1).permute(0, 3, 1, 2)
    convolved = conv2d(images, weight_OC[:, :, None, None], bias_O)
    return convolved.permute(0, 2, 3, 1).reshape(*tokens.shape[:-1], -1)


def _convolves(tokens: Tensor) -> bool:
    """Whether this is the case that the detour is for; gradients keep the plain way."""
    return (
        tokens.device.type == "cpu"
        and tokens.dtype == torch.float32
        and not torch.is_grad_enabled()
        and torch.backends.mkldnn.is_available()
    )
