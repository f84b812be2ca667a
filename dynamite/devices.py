"""Checks that torch can use a device on this machine; it knows many more by name."""

import torch

from dynamite.errors import InvalidInputError


def usable_device(wanted: torch.device | str) -> torch.device:
    """Return the device, after copying one number to it and back.

    Raises:
        InvalidInputError: not the name of a device, or not one that this machine can use.
    """
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, TypeError, AssertionError, ImportError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InvalidInputError(f"device={wanted!r} cannot be used here: {reason}") from error
    return device
