"""What the cache knows of the values it keeps, and the names it keeps them under."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol, Self


class Features(Protocol):
    """Features of an image, as ``dynamite.ImageFeatures`` are."""

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""

    def to(self, device: str) -> Self:
        """The same features on another device."""

    def save(self, path: Path) -> None:
        """Write to a file that the cache's loader reads."""


@dataclass(frozen=True, slots=True)
class Key:
    """All that shaped the features: the image's content, the weights, and everything else."""

    digest: str
    version: str
    variant: str

    @property
    def file_name(self) -> str:
        """A name for files, without ending; it starts with what stands for the version."""
        return version_prefix(self.version) + _hash(self.digest, self.variant)[:40]


def version_prefix(version: str) -> str:
    """How the names of all files of a model version start, and of no other version."""
    return _hash(version)[:20] + "-"


def _hash(*texts: str) -> str:
    return sha256("\0".join(texts).encode()).hexdigest()
