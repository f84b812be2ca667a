"""The labelling configuration: what the project can ask for, and what is wrong with it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ImageTag:
    """An image: ``value`` is the field of the task's data, ``many`` if that holds a list."""

    name: str
    value: str
    many: bool = False


@dataclass(frozen=True)
class Control:
    """A label tag: its type, the image it is for, its labels; ``dynamic`` if tasks bring labels."""

    name: str
    to_name: str
    type: str
    labels: tuple[str, ...]
    smart: bool = True
    dynamic: bool = False


@dataclass(frozen=True)
class LabelingConfig:
    """A project's configuration, as far as it matters here."""

    images: tuple[ImageTag, ...]
    controls: tuple[Control, ...]
    background: frozenset[str]
    problems: tuple[str, ...]


def parse(xml: str, background: Iterable[str] = ("Background",)) -> LabelingConfig:
    """Read a configuration.

    ``background``: the labels whose clicks mean "no object". ``problems`` says in words what will
    not work and what to change.

    Raises:
        BadRequestError: not XML, too large, or with a document type declaration (code
            ``bad_label_config``).
    """
    raise NotImplementedError


def write(labels: Iterable[str], background: str = "Background") -> str:
    """A configuration that works: smart keypoints and rectangles, and brush masks, per label."""
    raise NotImplementedError
