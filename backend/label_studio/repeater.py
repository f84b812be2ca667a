"""Unrolls ``<Repeater on="$pages">``: its tags stand once for each item of a list of the task.

``{{idx}}`` (or what ``indexFlag`` names) in their attributes is the item's index. As in Label
Studio's page, it is replaced once in an attribute, twice in those of the Repeater's own children.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import NoReturn
from xml.etree import ElementTree as ET

from backend.errors import BadRequestError
from backend.label_studio.page_values import is_fixed, resolve

MAX_TAGS = 10_000
"""Most tags that the Repeaters of one task may make."""

MAX_DEPTH = 100
"""Most tags that may lie in each other, where there is a Repeater."""

Count = Callable[[str], int]
"""Returns how many items the list has that an ``on`` names."""


def one_item(on: str) -> int:  # noqa: ARG001 - the list is not known
    """Stand for any list by one item, where there is no task."""
    return 1


def items_in(data: Mapping[str, object]) -> Count:
    """Count the items of lists in the data of a task."""

    def count(on: str) -> int:
        found = resolve(on, data)
        return len(found) if isinstance(found, list) else 0

    return count


def has_repeaters(root: ET.Element) -> bool:
    """Return whether anything in a configuration depends on the task."""
    return any(map(_is_repeater, root.iter()))


def unrolled(root: ET.Element, count: Count) -> ET.Element:
    """Return a configuration without its Repeaters: each is a View with its tags repeated.

    Raises:
        BadRequestError: they would make more than ``MAX_TAGS`` tags, or tags lie deeper in each
            other than ``MAX_DEPTH``.
    """
    _check_depth(root)  # copying is recursive
    return _unrolled(deepcopy(root), count, [MAX_TAGS])


def attributes(element: ET.Element) -> dict[str, str]:
    """Return the attributes of a tag by their names in lower case, as the page reads them."""
    return {name.lower(): value for name, value in element.attrib.items()}


def problems(root: ET.Element) -> Iterable[str]:
    """Say which Repeaters will not work, and what to change."""
    for repeater in filter(_is_repeater, root.iter()):
        given = attributes(repeater)
        on, flag = given.get("on", ""), _flag(given)
        if is_fixed(on):
            yield (
                f'<Repeater on="{on[:40]}"> names no list of the task, so its tags are never '
                'shown: write on="$FIELD" with a field that holds a list.'
            )
        for name in [name for tag in repeater.iter() if (name := attributes(tag).get("name"))]:
            if flag not in name:
                yield (
                    f'The tag "{name[:40]}" is repeated by <Repeater> under one name, so no click '
                    f'can say which image it means: add {flag} to it, as in "{name[:40]}_{flag}", '
                    "in name and toName."
                )


def _unrolled(element: ET.Element, count: Count, left: list[int]) -> ET.Element:
    left[0] -= 1
    if left[0] < 0:
        _refuse(f"its <Repeater> makes more than {MAX_TAGS} tags of this task")
    children = list(element)
    if not _is_repeater(element):
        for place, child in enumerate(children):
            element[place] = _unrolled(child, count, left)
        return element
    given = attributes(element)
    view = ET.Element("View")
    for index in range(count(given.get("on", ""))):
        for child in children:
            numbered = _numbered(child, _flag(given), str(index))
            view.append(_unrolled(numbered, count, left))
    return view


def _numbered(child: ET.Element, flag: str, index: str) -> ET.Element:
    child = deepcopy(child)
    for element in child.iter():
        for name, value in element.items():
            element.set(name, value.replace(flag, index, 2 if element is child else 1))
    return child


def _is_repeater(element: ET.Element) -> bool:
    return isinstance(element.tag, str) and element.tag.lower() == "repeater"


def _flag(given: Mapping[str, str]) -> str:
    return given.get("indexflag") or "{{idx}}"


def _check_depth(root: ET.Element) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
    if level:
        _refuse(f"its tags lie in each other more than {MAX_DEPTH} deep")


def _refuse(why: str) -> NoReturn:
    raise BadRequestError(f"The labelling config cannot be used: {why}.", code="bad_label_config")
