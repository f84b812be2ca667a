"""The base set, on which a candidate must not get worse: it tells whether a model forgets."""

from pathlib import Path

from training.data.catalog import open_dataset
from training.data.sample import InstanceDataset

SHIPPED = Path(__file__).parents[1] / "base_set"
"""Photographs under free licences; never trained on (SOURCES.md)."""


def open_base_set(name: str, root: Path | None) -> InstanceDataset | None:
    """Open the configured set, else the one that ships; return None if that is not installed.

    Raises:
        DatasetError: the configured set cannot be read.
    """
    if name:
        return open_dataset(name, root, on_problem="skip")
    if not (SHIPPED / "annotations.json").is_file():
        return None
    return open_dataset(SHIPPED, on_problem="skip")
