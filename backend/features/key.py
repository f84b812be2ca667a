"""The key of cached features, and what the cache asks of its values."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, Self


class Features(Protocol):
    """The features of an image, such as ``dynamite.predict.features.ImageFeatures``."""

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""

    def to(self, device: str) -> Self:
        """Return the same features on another device."""

    def to_bytes(self, *, half: bool) -> bytes:
        """Return bytes that the cache's ``load`` function reads; ``half``: in half precision."""


@dataclass(frozen=True, slots=True)
class Key:
    """Everything that determines the features: the image's content and the model version."""

    digest: str
    version: str

    @property
    def file_name(self) -> str:
        """The file name without its ending; files of one model version share a prefix."""
        return f"{_hash(self.version)[:20]}-{_hash(self.digest)[:40]}"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
