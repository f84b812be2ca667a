"""How full the memory of the model's device is."""

import logging

log = logging.getLogger(__name__)


def memory_of(device: str) -> dict[str, int]:
    """Return bytes of a GPU by what they are; empty for a CPU, and while the driver fails.

    Args:
        device: name of the model's device, as torch calls it.

    Returns:
        ``tensors`` in use and what torch has ``reserved``, of this process; what is ``used`` by all
        processes, and the ``total``.
    """
    if not device.startswith("cuda"):
        return {}
    import torch  # noqa: PLC0415  a backend without a GPU need not load it for this

    try:
        free, total = torch.cuda.mem_get_info(device)
        return {
            "tensors": torch.cuda.memory_allocated(device),
            "reserved": torch.cuda.memory_reserved(device),
            "used": total - free,
            "total": total,
        }
    except (RuntimeError, AssertionError) as error:  # the latter: torch without CUDA
        log.warning("the memory of %s cannot be read: %s", device, str(error).partition("\n")[0])
        return {}
