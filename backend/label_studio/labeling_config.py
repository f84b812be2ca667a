"""Reads, checks and writes labelling configurations (docs/label-studio-protocol.md, 2)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NoReturn
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from backend.errors import BadRequestError
from dynamite.errors import InvalidInputError

MAX_LENGTH = 1_000_000
"""Characters of a configuration."""

MAX_DEPTH = 100
"""How deep its tags may be nested."""

MAX_TAGS = 200
"""Most Image and label tags together."""

REMEMBERED = 16
"""Parsed configurations kept: every click brings the same one."""

BRUSH, POINTS, BOXES = "brushlabels", "keypointlabels", "rectanglelabels"
WRITTEN = {BRUSH: "BrushLabels", POINTS: "KeyPointLabels", BOXES: "RectangleLabels"}
_COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#f032e6", "#9a6324")
_BACKGROUND_COLOR = "#000000"


@dataclass(frozen=True)
class ImageTag:
    """An Image tag: ``value`` names a field of the task's data; ``many``: a list is there."""

    name: str
    value: str
    many: bool = False


@dataclass(frozen=True)
class Control:
    """A label tag: its type, image and labels; ``dynamic``: each task brings its labels."""

    name: str
    to_name: str
    type: str
    labels: tuple[str, ...]
    smart: bool = True
    smart_only: bool = False
    dynamic: bool = False

    def offers(self, label: str) -> bool:
        """Whether a region of this tag may carry ``label``."""
        return bool(label) and (self.dynamic or label in self._labels)

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(self.labels)


@dataclass(frozen=True)
class LabelingConfig:
    """The parts of a project's configuration that matter here."""

    images: tuple[ImageTag, ...]
    controls: tuple[Control, ...]
    background: frozenset[str]

    def of_type(self, kind: str, image: str | None = None) -> tuple[Control, ...]:
        """The tags of a type, for one image or all images."""
        return self._by_type.get((kind, image), ())

    @cached_property
    def _by_type(self) -> dict[tuple[str, str | None], tuple[Control, ...]]:
        found: dict[tuple[str, str | None], tuple[Control, ...]] = {}
        for control in self.controls:
            for image in (None, control.to_name):
                key = control.type, image
                found[key] = (*found.get(key, ()), control)
        return found

    def brush(self, image: str, label: str | None = None) -> Control | None:
        """The tag that takes masks with ``label`` (or any label) on ``image``, or None."""
        for control in self.of_type(BRUSH, image):
            if label is None or (control.offers(label) and label not in self.background):
                return control
        return None

    def takes(self, image: str, label: str) -> bool:
        """Whether a click with ``label`` asks for a mask on ``image``, or means "not here"."""
        return label in self.background or self.brush(image, label) is not None


def parse(xml: str, background: Iterable[str] = ("Background",)) -> LabelingConfig:
    """Read a configuration.

    ``background``: the labels whose clicks mean "no object".

    Raises:
        BadRequestError: not XML, with a document type declaration, or over ``MAX_LENGTH``,
            ``MAX_DEPTH`` or ``MAX_TAGS`` (code ``bad_label_config``).
    """
    if not isinstance(xml, str) or not xml.strip():
        _refuse("it is missing or empty")
    if len(xml) > MAX_LENGTH:
        _refuse(f"it has {len(xml)} characters, more than {MAX_LENGTH}")
    return _parse(xml, frozenset(background))


@lru_cache(maxsize=REMEMBERED)
def _parse(xml: str, background: frozenset[str]) -> LabelingConfig:
    if re.search(r"<!(DOCTYPE|ENTITY)", xml):
        _refuse("document type declarations are not allowed in it")
    reader = _Reader()
    try:
        parser = ET.XMLParser(target=reader)  # noqa: S314 - no entities without what is refused above
        parser.feed(xml)
        parser.close()
    except (ET.ParseError, ValueError) as error:
        _refuse(f"it is not XML ({error})")
    return LabelingConfig(tuple(reader.images), tuple(reader.controls), background)


class _Reader:
    """Collects the tags that matter during parsing; a label belongs to the label tag around it."""

    def __init__(self) -> None:
        self.images: list[ImageTag] = []
        self.controls: list[Control] = []
        self._depth = 0
        self._open: list[tuple[int, str, dict[str, str], list[str]]] = []
        """Label tags not closed yet: depth, type, attributes, labels."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in an opening tag."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _refuse(f"its tags are nested more than {MAX_DEPTH} deep")
        kind = tag.lower()
        if kind == "label" and self._open:
            self._open[-1][-1].append(attributes.get("alias") or attributes.get("value") or "")
        elif kind in ("image", *WRITTEN) and attributes.get("name"):
            if len(self.images) + len(self.controls) + len(self._open) >= MAX_TAGS:
                _refuse(f"it has more than {MAX_TAGS} Image and label tags")
            if kind == "image":
                self.images.append(_image(attributes))
            else:
                self._open.append((self._depth, kind, attributes, []))

    def end(self, tag: str) -> None:  # noqa: ARG002  the depth tells which
        """Take in a closing tag."""
        if self._open and self._open[-1][0] == self._depth:
            _, kind, attributes, labels = self._open.pop()
            self.controls.append(_control(kind, attributes, labels))
        self._depth -= 1


def write(labels: Sequence[str], background: str = "Background") -> str:
    """Write a configuration with smart keypoints, smart rectangles and masks for each label.

    Raises:
        InvalidInputError: a label is empty, given twice, or that of the background.
    """
    _check_labels(labels, background)
    colored = [(label, _COLORS[i % len(_COLORS)]) for i, label in enumerate(labels)]
    with_background = [*colored, (background, _BACKGROUND_COLOR)]
    return "\n".join(
        [
            "<View>",
            '  <Image name="image" value="$image" zoom="true" zoomControl="true"/>',
            *_tag(POINTS, "click", 'smart="true"', with_background),
            *_tag(BOXES, "box", 'smart="true"', colored),
            *_tag(BRUSH, "mask", 'smart="false"', colored),  # smart strokes make no call
            "</View>",
        ]
    )


def _check_labels(labels: Sequence[str], background: str) -> None:
    if not all(label.strip() for label in (*labels, background)):
        raise InvalidInputError("a label is empty: give each a name")
    if background in labels:
        raise InvalidInputError(
            f"{background!r} is the label of background clicks, so it cannot be an object's: leave "
            "it out, or choose another background label with --background"
        )
    for label in labels:
        if labels.count(label) > 1:
            raise InvalidInputError(
                f"the label {label!r} is given twice: for two objects of a kind give each its own "
                f"label, as in '{label} 1' and '{label} 2'"
            )


def _tag(kind: str, name: str, smart: str, labels: Iterable[tuple[str, str]]) -> list[str]:
    opening = f'  <{WRITTEN[kind]} name="{name}" toName="image" {smart}>'
    inside = [f"    <Label value={quoteattr(v)} background={quoteattr(c)}/>" for v, c in labels]
    return [opening, *inside, f"  </{WRITTEN[kind]}>"]


def _refuse(why: str) -> NoReturn:
    raise BadRequestError(
        f"The labelling configuration cannot be used: {why}.", code="bad_label_config"
    )


def _image(attributes: dict[str, str]) -> ImageTag:
    many = attributes.get("valueList")
    value = many or attributes.get("value") or ""
    return ImageTag(attributes["name"], value.lstrip("$"), bool(many))


def _control(kind: str, attributes: dict[str, str], labels: Iterable[str]) -> Control:
    return Control(
        name=attributes["name"],
        to_name=attributes.get("toName", ""),
        type=kind,
        labels=tuple(dict.fromkeys(label for label in labels if label)),
        smart=attributes.get("smart", "true").lower() != "false",
        smart_only=attributes.get("smartOnly", "false").lower() == "true",
        dynamic=attributes.get("value", "").startswith("$"),
    )
