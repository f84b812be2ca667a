"""Reads labelling configs (docs/label-studio-protocol.md, 2)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import NoReturn
from xml.etree import ElementTree as ET

from backend.errors import BadRequestError
from backend.label_studio import repeater
from backend.label_studio.kinds.kind import RegionKind
from backend.label_studio.kinds.table import BY_TYPE, KINDS, LABELS

MAX_LENGTH = 1_000_000
"""Characters of a configuration."""

MAX_DEPTH = 100
"""How deep its tags may be nested."""

MAX_TAGS = 200
"""Most Image and label tags together."""

REMEMBERED = 16
"""Parsed configurations kept: every click brings the same one."""

POINTS, BOXES = "keypointlabels", "rectanglelabels"
TAGS: Mapping[str, str] = {
    f"{name}{LABELS}".lower(): f"{name}{LABELS}"
    for name in ("KeyPoint", "Rectangle", *(kind.name for kind in KINDS))
}
"""The tags with labels, by the type of their regions."""

PAIRED: Mapping[str, str] = {tag.removesuffix(LABELS).lower(): tag for tag in TAGS.values()}
"""The tags that take the labels of a Labels tag beside them: each does what that one does."""


@dataclass(frozen=True)
class ImageTag:
    """An Image tag: ``value`` leads to its address (``page_values``), ``many``: to a list."""

    name: str
    value: str
    many: bool = False


@dataclass(frozen=True)
class Control:
    """A tag with labels: its image, and what its regions are.

    Attributes:
        type: as of a tag with labels of its own, "brushlabels" for Brush beside Labels too.
        dynamic: each task brings its labels.
        labels_tag: the Labels tag whose labels it takes; empty where it has its own.
    """

    name: str
    to_name: str
    type: str
    labels: tuple[str, ...]
    smart: bool = True
    smart_only: bool = False
    dynamic: bool = False
    labels_tag: str = ""

    @property
    def title(self) -> str:
        """The name of the tag, as it is written."""
        tag = TAGS[self.type]
        return tag.removesuffix(LABELS) if self.labels_tag else tag

    @property
    def kind(self) -> RegionKind | None:
        """What kind of mask its regions hold; None for prompts."""
        return BY_TYPE.get(self.type)

    def offers(self, label: str) -> bool:
        """Whether a region of this tag may carry ``label``."""
        return bool(label) and (self.dynamic or label in self._labels)

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(self.labels)


@dataclass(frozen=True)
class LabelingConfig:
    """The parts of a project's configuration that matter here.

    Attributes:
        images: its images.
        controls: its tags with labels.
        background: the labels whose clicks mean "no object".
        like: the labels whose clicks ask for all objects like the clicked one.
        template: the configuration whose ``<Repeater>`` tags depend on the task; None without any.
            Then ``images`` and ``controls`` are those of a task with one item in each list.
    """

    images: tuple[ImageTag, ...]
    controls: tuple[Control, ...]
    background: frozenset[str]
    like: frozenset[str] = frozenset()
    template: ET.Element | None = field(default=None, repr=False, compare=False)

    def for_task(self, data: object) -> "LabelingConfig":
        """The configuration as a task with this ``data`` makes it.

        Raises:
            BadRequestError: a ``<Repeater>`` makes too many tags of it (code
                ``bad_label_config``).
        """
        if self.template is None:
            return self
        count = repeater.items_in(data if isinstance(data, Mapping) else {})
        return _read(repeater.unrolled(self.template, count), self.background, self.like)

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

    def outputs(self, image: str | None = None) -> tuple[Control, ...]:
        """The tags that take masks, for one image or all images, in the order of the page."""
        return tuple(
            control
            for control in self.controls
            if control.kind is not None and image in (None, control.to_name)
        )

    def output(self, image: str, label: str) -> Control | None:
        """The tag that takes masks with ``label`` on ``image``: the first that has it, or None."""
        if label in self.background:
            return None
        return next((c for c in self.outputs(image) if c.offers(label)), None)

    def asks(self, from_name: str, image: str, label: str) -> bool:
        """Whether what is drawn with a mask tag asks for a mask, as a smart keypoint does.

        It does if the tag is smart, and masks with its label go to another tag.
        """
        output = self.output(image, label)
        drawn_with = next((c for c in self.outputs(image) if c.name == from_name), None)
        return (
            output is not None
            and drawn_with is not None
            and drawn_with.smart
            and output.name != from_name
        )

    def takes(self, image: str, label: str) -> bool:
        """Whether a click with ``label`` asks for masks on ``image``, or means "not here"."""
        return (
            label in self.background or label in self.like or self.output(image, label) is not None
        )


def parse(
    xml: str, background: Iterable[str] = ("Background",), like: Iterable[str] = ()
) -> LabelingConfig:
    """Read a configuration.

    Args:
        xml: its text.
        background: the labels whose clicks mean "no object".
        like: the labels whose clicks ask for all objects like the clicked one; one that a tag for
            masks has is an ordinary label.

    Raises:
        BadRequestError: not XML, with a document type declaration, or over ``MAX_LENGTH``,
            ``MAX_DEPTH`` or ``MAX_TAGS`` (code ``bad_label_config``).
    """
    if not isinstance(xml, str) or not xml.strip():
        _refuse("it is missing or empty")
    if len(xml) > MAX_LENGTH:
        _refuse(f"it has {len(xml)} characters, more than {MAX_LENGTH}")
    return _parse(xml, frozenset(background), frozenset(like))


@lru_cache(maxsize=REMEMBERED)
def _parse(xml: str, background: frozenset[str], like: frozenset[str]) -> LabelingConfig:
    if re.search(r"<!(DOCTYPE|ENTITY)", xml):
        _refuse("document type declarations are not allowed in it")
    try:
        parser = ET.XMLParser(target=_BoundedBuilder())  # noqa: S314 - entities are refused above
        parser.feed(xml)
        root = parser.close()
    except (ET.ParseError, ValueError) as error:
        _refuse(f"it is not XML ({error})")
    if repeater.has_repeaters(root):
        example = repeater.unrolled(root, repeater.one_item)
        return replace(_read(example, background, like), template=root)
    return _read(root, background, like)


class _BoundedBuilder(ET.TreeBuilder):
    """Builds the tree of a configuration, and refuses one with too many or too deep tags."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._tags = 0

    def start(self, tag: str, attrs: dict[str, str]) -> ET.Element:
        """Take in an opening tag."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _refuse(f"its tags are nested more than {MAX_DEPTH} deep")
        self._tags += tag.lower() in ("image", LABELS.lower(), *TAGS, *PAIRED)
        if self._tags > MAX_TAGS:
            _refuse(f"it has more than {MAX_TAGS} Image and label tags")
        return super().start(tag, attrs)

    def end(self, tag: str) -> ET.Element:
        """Take in a closing tag."""
        self._depth -= 1
        return super().end(tag)


def _read(root: ET.Element, background: frozenset[str], like: frozenset[str]) -> LabelingConfig:
    images, controls = [], []
    for element in root.iter():
        kind, given = element.tag.lower(), repeater.attributes(element)
        if kind == "image" and given.get("name"):
            images.append(_image(given))
        elif kind in TAGS and given.get("name"):
            controls.append(_control(kind, element, given))
        elif kind in PAIRED and given.get("name"):
            controls.append(_paired(kind, root, given))
    masked = {label for one in controls if one.kind is not None for label in one.labels}
    return LabelingConfig(tuple(images), tuple(controls), background, like - masked)


def _refuse(why: str) -> NoReturn:
    raise BadRequestError(f"The labelling config cannot be used: {why}.", code="bad_label_config")


def _image(given: Mapping[str, str]) -> ImageTag:
    many = given.get("valuelist")
    return ImageTag(given["name"], many or given.get("value", ""), bool(many))


def _control(kind: str, element: ET.Element, given: Mapping[str, str]) -> Control:
    labels = [label for label in element.iter() if label.tag.lower() == "label"]
    names = [label.get("alias") or label.get("value") or "" for label in labels]
    return Control(
        name=given["name"],
        to_name=given.get("toname", ""),
        type=kind,
        labels=tuple(dict.fromkeys(name for name in names if name)),
        smart=given.get("smart", "true").lower() != "false",
        smart_only=given.get("smartonly", "false").lower() == "true",
        dynamic=given.get("value", "").startswith("$"),
    )


def _paired(kind: str, root: ET.Element, given: Mapping[str, str]) -> Control:
    """Return a tag without labels as one that has those of the first Labels tag of its image."""
    for element in root.iter():
        theirs = repeater.attributes(element)
        is_theirs = element.tag.lower() == LABELS.lower() and theirs.get("name")
        if is_theirs and theirs.get("toname") == given.get("toname"):
            labels_tag = _control(kind, element, theirs)
            break
    else:
        labels_tag = Control("", "", kind, ())
    own = _control(PAIRED[kind].lower(), ET.Element(kind), given)
    return replace(
        own, labels=labels_tag.labels, dynamic=labels_tag.dynamic, labels_tag=labels_tag.name
    )
