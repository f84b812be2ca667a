"""Checkpoints: all that a run needs to resume, in one file that is either complete or absent."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynamite.errors import CheckpointError
from dynamite.files import replacing

FORMAT = 1
"""Version of the file format."""

_KEPT = 2
"""Number of checkpoints that are kept."""


@dataclass(frozen=True)
class Checkpoint:
    """The state after ``step`` steps.

    It holds no random state and no place in the data: both follow from the seed and the step.
    """

    step: int
    config: dict[str, Any]
    model: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    average: Mapping[str, Any] | None
    best: float | None
    seconds: float
    recent: list[list[float]]
    score: dict[str, float]


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint atomically and durably, delete all but the last two, return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step_{checkpoint.step:08d}.pt"
    with replacing(path) as draft:
        _write(draft, checkpoint)
    _sync_folder(folder)
    for old in _all(folder)[:-_KEPT]:
        old.unlink(missing_ok=True)  # another attempt, believed dead, may delete it too
    return path


def _write(path: Path, checkpoint: Checkpoint) -> None:
    with path.open("wb") as file:
        try:
            torch.save({"format": FORMAT, **vars(checkpoint)}, file)
        except RuntimeError as error:  # torch hides the system's error, such as a full disk
            raise _cause(error) or error from None


def _cause(error: BaseException) -> OSError | None:
    before = error.__context__
    return before if before is None or isinstance(before, OSError) else _cause(before)


def load_latest(
    folder: Path, device: torch.device, on_unreadable: Callable[[str], None] = lambda _: None
) -> Checkpoint | None:
    """Load the newest readable checkpoint; None if there are no checkpoints.

    ``on_unreadable`` is called with the error of each newer, unreadable one.

    Raises:
        CheckpointError: there are checkpoints, but none can be read.
    """
    reasons = []
    for path in reversed(_all(folder)):
        try:
            found = load(path, device)
        except CheckpointError as error:
            reasons.append(str(error))
            continue
        for reason in reasons:
            on_unreadable(reason)
        return found
    if reasons:
        raise CheckpointError("\n".join(reasons))
    return None


def load(path: Path, device: torch.device) -> Checkpoint:
    """Load one checkpoint, without executing anything in it.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        values = torch.load(path, map_location=device, weights_only=True)
        if (found := values.pop("format")) != FORMAT:
            raise ValueError(
                f"it has format version {found}, this release reads version {FORMAT}: continue the "
                "training with the release that began it"
            )
        return Checkpoint(**values)
    except Exception as error:
        reason = str(error) or type(error).__name__  # some errors have no text
        raise CheckpointError(f"cannot read the checkpoint {path}: {reason}") from error


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step_*.pt"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
