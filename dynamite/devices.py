"""Devices that torch can really use here: many more are known to it by name."""

import torch

from dynamite.errors import InvalidInputError


def usable_device(wanted: torch.device | str) -> torch.device:
    """The device, tried with one number there and back.

    Raises:
        InvalidInputError: no device's name, or one that is not here or holds no numbers.
    """
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, TypeError, AssertionError, ImportError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InvalidInputError(f"device={wanted!r} cannot be used here: {reason}") from error
    return device
