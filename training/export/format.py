"""What a format of an export does."""

from collections.abc import Mapping
from typing import Protocol

from training.export.pictures import Picture


class Format(Protocol):
    """Writes one export into a folder, whose ``images/`` holds the files of the pictures."""

    @property
    def notes(self) -> Mapping[str, int]:
        """What the format cannot hold as it is: how many, by the words for them."""

    def add(self, picture: Picture, file: str) -> None:
        """Write the objects of a picture; ``file`` is the name of its image."""

    def finish(self) -> None:
        """Write what describes the whole export."""
