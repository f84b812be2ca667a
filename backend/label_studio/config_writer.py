"""Writes labelling configs that fit this backend (docs/label-studio-protocol.md, 2)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from xml.sax.saxutils import quoteattr

from backend.label_studio.kinds.table import KINDS, LABELS
from backend.label_studio.labeling_config import BOXES, POINTS, TAGS
from dynamite.errors import InvalidInputError

_SPREAD = (
    "#e6194b #3cb44b #4363d8 #ffa500 #ffa5f0 #00d2ff #695a00 #00694b #871e69 #f000e1 "
    "#00e1c3 #ff9696 #007896 #87a5f0 #b4d200 #c3691e #783c2d #b47896 #00a5a5 #96965a "
    "#0000ff #3c4b78 #2d7800 #a5d296 #f0c396 #e10087 #a578ff #2de100 #009669 #963cb4"
)
COLORS = tuple(_SPREAD.split())
"""Each lies, in CIELAB, as far as possible from those before it, and from black, white and grey."""

OUTPUTS: Mapping[str, str] = {kind.name.lower(): kind.verb for kind in KINDS}
"""The kinds of mask, each with the heading of its row."""

BACKGROUND_COLOR = "#000000"
LIKE_COLOR = "#808080"

_CLOSED = {"vector": ' closable="true"'}
"""Without it, the page stores the outlines of vectors as open paths."""

Colored = Sequence[tuple[str, str]]
"""Labels, each with its color."""


def write(
    labels: Sequence[str],
    background: str = "Background",
    *,
    output: str = "brush",
    boxes: bool = True,
    painting: bool = True,
    like: str = "",
) -> str:
    """Write a configuration with clicks, boxes and masks for each label, under headings.

    Args:
        labels: of the objects.
        background: the label whose clicks mean "no object".
        output: the kind of mask, one of ``OUTPUTS``.
        boxes: whether a box asks for a mask too.
        painting: whether masks may be drawn by hand. Without, their row is hidden.
        like: the label whose clicks ask for all objects like the clicked one; empty: none.

    Raises:
        InvalidInputError: a label is empty, given twice, that of the background, or ``like``.
    """
    _check_labels(labels, background, like)
    colored = list(zip(labels, cycle(COLORS), strict=False))
    clicked = [*colored, (background, BACKGROUND_COLOR), *([(like, LIKE_COLOR)] if like else [])]
    rows = [_row("Click", _tag(POINTS, "click", clicked))]
    if boxes:
        rows.append(_row("Box", _tag(BOXES, "box", colored)))
    more = ' smart="false"' + _CLOSED.get(output, "")  # a smart tag for masks makes no call
    masks = _tag(f"{output}{LABELS}".lower(), "mask", colored, more)
    rows.append(_row(OUTPUTS[output], masks) if painting else _view("display: none", masks))
    image = '  <Image name="image" value="$image" zoom="true" zoomControl="true"/>'
    return "\n".join(["<View>", image, *(line for row in rows for line in row), "</View>"])


def _row(heading: str, tag: Iterable[str]) -> Iterator[str]:
    """Yield a view with a heading beside its labels: above them, three rows fill the page."""
    style = "flex: 0 0 4em; margin: 12px 0 0; font-size: 16px"
    header = f'<Header value={quoteattr(heading)} style="{style}"/>'
    return _view("display: flex", [f"  {header}", *tag])


def _view(style: str, inside: Iterable[str]) -> Iterator[str]:
    yield f'  <View style="{style}">'
    yield from (f"  {line}" for line in inside)
    yield "  </View>"


def _tag(kind: str, name: str, labels: Colored, more: str = ' smart="true"') -> Iterator[str]:
    yield f'  <{TAGS[kind]} name="{name}" toName="image"{more}>'
    for label, color in labels:
        yield f"    <Label value={quoteattr(label)} background={quoteattr(color)}/>"
    yield f"  </{TAGS[kind]}>"


def _check_labels(labels: Sequence[str], background: str, like: str) -> None:
    if not all(label.strip() for label in (*labels, background)):
        raise InvalidInputError("a label is empty: give each a name")
    if background in labels:
        raise InvalidInputError(
            f"{background!r} is the label of background clicks, so it cannot be an object's: leave "
            "it out, or choose another background label with --background"
        )
    if like in (*labels, background):
        raise InvalidInputError(
            f"{like!r} asks for all objects like the clicked one, so it cannot be the label of "
            "objects or of the background: choose another"
        )
    for label in labels:
        if labels.count(label) > 1:
            raise InvalidInputError(
                f"the label {label!r} is given twice: for two objects of a kind give each its own "
                f"label, as in '{label} 1' and '{label} 2'"
            )
