"""The plan of an answer: what to segment, and what must stay as it is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.session.bitmask import BitMask
from backend.session.prompts import Prompt
from backend.session.regions import ImageKey
from dynamite.clicks import Click, ClickSet


@dataclass(frozen=True, slots=True)
class FractionalClick:
    """A click with x and y as fractions of the image and its time on the page's clock."""

    x: float
    y: float
    time: int = 0

    def in_pixels(self, height: int, width: int, time: int) -> Click:
        """Return the click in a ``height`` × ``width`` image, moved inside it where needed."""
        x = min(max(self.x * width, 0.0), width - 0.01)
        y = min(max(self.y * height, 0.0), height - 0.01)
        return Click(x, y, time)


@dataclass(frozen=True)
class Target:
    """One object to segment.

    Attributes:
        id: the id of its region, the same for the life of the object.
        clicks: its positive clicks, at least one.
        outline: the prompt that its mask must stay inside.
        keep: its mask as corrected or painted by hand: it changes only where ``fresh`` asks.
        scribble: ``keep`` is a prompt stroke: it stays, and everything around it may be added.
        fresh: the clicks for and against it made since ``keep``.
        protected: accepted masks of other objects that are being changed. Their change may still be
            rejected, so these pixels stay theirs unless a later click claims them.
        shown: its mask on the page; None if nothing shows it.
        moves: new clicks are on it or against it. Objects that do not move hold still.
    """

    id: str
    label: str
    clicks: tuple[FractionalClick, ...]
    outline: Prompt | None = None
    keep: BitMask | None = None
    scribble: bool = False
    fresh: tuple[FractionalClick, ...] = ()
    protected: tuple[BitMask, ...] = ()
    shown: BitMask | None = None
    moves: bool = True


@dataclass(frozen=True)
class RepeatedMask:
    """The last mask of an object, answered again under its id where the model fails."""

    id: str
    label: str
    mask: BitMask


@dataclass(frozen=True)
class ImagePlan:
    """What to do on one image of the task.

    ``targets`` are segmented jointly against ``background``. ``fixed`` masks and those of
    ``repeats`` keep their pixels; pending masks give way to them.
    """

    image: ImageKey
    targets: tuple[Target, ...] = ()
    background: tuple[FractionalClick, ...] = ()
    repeats: tuple[RepeatedMask, ...] = ()
    fixed: tuple[BitMask, ...] = ()

    def click_set(self, height: int, width: int) -> ClickSet | None:
        """Return the clicks for the model, object i being ``targets[i]``; None without a target.

        ``height`` and ``width`` are those of the image as the model gets it. Times count from 0.
        """
        if not self.targets:
            return None
        clicks = {click.time for target in self.targets for click in target.clicks}
        known = sorted(clicks | {click.time for click in self.background})
        times = {time: index for index, time in enumerate(known)}

        def in_pixels(clicks: tuple[FractionalClick, ...]) -> list[Click]:
            return [click.in_pixels(height, width, times[click.time]) for click in clicks]

        objects = [in_pixels(target.clicks) for target in self.targets]
        return ClickSet(objects, in_pixels(self.background))


@dataclass(frozen=True)
class LikeAsked:
    """What a click asks for.

    Attributes:
        prompt: the id of the click.
        image: where it lies.
        label: that of the mask under it; None where there is none: any label.
        examples: masks of the image by label: those that a person has accepted, and the one under
            the click.
        others: masks that further objects must not lie on, rejected proposals among them.
        unasked: nobody has asked: labels whose proposals are mostly wrong are left out.
    """

    prompt: str
    image: ImageKey
    label: str | None = None
    examples: Mapping[str, Sequence[BitMask]] = field(default_factory=dict)
    others: Sequence[BitMask] = ()
    unasked: bool = False


@dataclass(frozen=True)
class AnswerPlan:
    """What to answer to one call; an empty result where it has no images and ``like`` is None.

    ``like``: further objects are asked for, which are not among the targets yet.
    ``is_stale``: a newer call of the same page has been taken in. The page will drop this answer,
    so nothing needs to be computed.
    """

    images: tuple[ImagePlan, ...] = ()
    is_stale: bool = False
    like: LikeAsked | None = None

    @property
    def ids(self) -> set[str]:
        """The ids of all its objects."""
        targets = {target.id for part in self.images for target in part.targets}
        return targets | {repeat.id for part in self.images for repeat in part.repeats}

    def with_images(self, other: "AnswerPlan", images: Collection[ImageKey]) -> "AnswerPlan":
        """Return this plan with some of its images planned as in ``other``."""
        mine = [part for part in self.images if part.image not in images]
        return replace(self, images=(*mine, *(p for p in other.images if p.image in images)))
