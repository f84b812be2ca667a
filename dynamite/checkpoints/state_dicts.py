"""Checks that a file holds exactly the weights a network needs."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dynamite.errors import CheckpointError

_MAX_LISTED = 20
"""Names listed per kind of problem: weights of a different network differ in hundreds."""


_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def require_same_entries(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check that ``given`` has the names and shapes of ``expected``, and finite floats for floats.

    ``num_batches_tracked`` may be missing: old published checkpoints lack it, and nothing reads it.

    Raises:
        CheckpointError: it has not. The message lists missing, extra and misshaped entries, those
            that hold NaN or infinity, and those of another type where floats are needed.
    """
    shared = [name for name in given if name in expected]
    fitting = [name for name in shared if given[name].shape == expected[name].shape]
    problems = {
        "missing": [
            f"{name} {_shape(value)}"
            for name, value in expected.items()
            if name not in given and not name.endswith("num_batches_tracked")
        ],
        "extra": [
            f"{name} {_shape(value)}" for name, value in given.items() if name not in expected
        ],
        "misshaped": [
            f"{name} is {_shape(given[name])} where {_shape(expected[name])} is needed"
            for name in shared
            if given[name].shape != expected[name].shape
        ],
        "not floats": [
            f"{name} is {_kind(given[name])} where {_kind(expected[name])} is needed"
            for name in fitting
            if expected[name].is_floating_point() and given[name].dtype not in _FLOATS
        ],
        "not finite": [
            name for name in fitting if given[name].dtype in _FLOATS and not _is_finite(given[name])
        ],
    }
    found = {kind: names for kind, names in problems.items() if names}
    if found:
        listed = "\n".join(_list(kind, names) for kind, names in found.items())
        raise CheckpointError(f"the weights do not fit the network\n{listed}")


def _shape(value: Tensor) -> str:
    return "×".join(map(str, value.shape)) or "scalar"


def _kind(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _is_finite(value: Tensor) -> bool:
    return value.is_meta or bool(torch.isfinite(value).all())


def _list(kind: str, names: Sequence[str]) -> str:
    more = [f"… and {len(names) - _MAX_LISTED} more"] if len(names) > _MAX_LISTED else []
    return "\n  ".join([f"{len(names)} {kind}:", *names[:_MAX_LISTED], *more])
