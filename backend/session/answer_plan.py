"""What is to be segmented, and what must stay as it is."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from backend.session.bitmask import BitMask
from backend.session.call import ImageKey, Prompt
from dynamite.clicks import Click, ClickSet


@dataclass(frozen=True, slots=True)
class Tap:
    """A click for the model: x, y in fractions of the image, time in clicks of the page."""

    x: float
    y: float
    time: int = 0

    def on(self, height: int, width: int, time: int) -> Click:
        """The same in pixels of a ``height`` × ``width`` image, moved inside where needed."""
        x = min(max(self.x * width, 0.0), width - 0.01)
        y = min(max(self.y * height, 0.0), height - 0.01)
        return Click(x, y, time)


@dataclass(frozen=True)
class Target:
    """One object to be answered.

    Attributes:
        id: the id of its region, stable for the life of the object.
        taps: its positive clicks, at least one.
        box: the rectangle it was asked for with: its mask stays inside.
        keep: the mask it had, corrected or painted by hand: only what ``fresh`` asks for changes.
        scribble: ``keep`` is a prompt stroke: it stays, everything around it may be added.
        fresh: the clicks on either side made since ``keep``.
        spares: accepted masks of other objects that are being changed: their update may yet be
            rejected, so they are theirs unless a click made since then says otherwise.
    """

    id: str
    label: str
    taps: tuple[Tap, ...]
    box: Prompt | None = None
    keep: BitMask | None = None
    scribble: bool = False
    fresh: tuple[Tap, ...] = ()
    spares: tuple[BitMask, ...] = ()


@dataclass(frozen=True)
class Repeat:
    """An object in doubt: its last mask is answered again under its id, but for ``spares``."""

    id: str
    label: str
    mask: BitMask
    spares: tuple[BitMask, ...] = ()


@dataclass(frozen=True)
class ImagePlan:
    """What to do on one image of the task.

    ``targets`` are segmented jointly against ``background``; ``frozen`` and the masks of
    ``repeats`` keep their pixels, pending masks give way to them.
    """

    image: ImageKey
    targets: tuple[Target, ...] = ()
    background: tuple[Tap, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    frozen: tuple[BitMask, ...] = ()

    def clicks(self, height: int, width: int) -> ClickSet | None:
        """The clicks for the model, object i being ``targets[i]``; None if there is no target.

        ``height`` and ``width`` are of the image as the model gets it. Times count from 0.
        """
        if not self.targets:
            return None
        taps = {tap.time for target in self.targets for tap in target.taps}
        times = {t: i for i, t in enumerate(sorted(taps | {tap.time for tap in self.background}))}

        def place(these: tuple[Tap, ...]) -> list[Click]:
            return [tap.on(height, width, times[tap.time]) for tap in these]

        return ClickSet([place(target.taps) for target in self.targets], place(self.background))


@dataclass(frozen=True)
class Plan:
    """What to answer to one call.

    ``overtaken``: a newer call of the same page is known already; the page will drop this answer,
    so nothing needs to be computed. No images: the answer is an empty result.
    """

    images: tuple[ImagePlan, ...] = ()
    overtaken: bool = False

    @property
    def ids(self) -> set[str]:
        """The ids of all its objects."""
        targets = {target.id for part in self.images for target in part.targets}
        return targets | {repeat.id for part in self.images for repeat in part.repeats}

    def with_images(self, other: "Plan", these: Collection[ImageKey]) -> "Plan":
        """This plan, but for some images that of ``other``."""
        mine = [part for part in self.images if part.image not in these]
        return replace(self, images=(*mine, *(p for p in other.images if p.image in these)))
