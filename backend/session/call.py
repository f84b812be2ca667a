"""What one call tells about a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from backend.session.paint import Paint
from backend.session.prompts import Prompt
from backend.session.regions import ImageKey

Entry = Prompt | Paint
"""A region of a page."""


@dataclass(frozen=True)
class SavedPage:
    """A saved state of a page: a draft, a submitted annotation, or a prediction.

    ``version`` is the time it was saved, comparable as text. ``entries`` are in the page's order:
    what was drawn or accepted first comes first, and an update in place keeps its position.
    """

    key: str
    version: str
    entries: tuple[Entry, ...] = ()
    user: str | None = None
    annotation: str | None = None

    @cached_property
    def prompts(self) -> Mapping[str, Prompt]:
        """Keypoints and boxes by id."""
        return {entry.id: entry for entry in self.entries if isinstance(entry, Prompt)}

    @cached_property
    def masks(self) -> Mapping[str, Paint]:
        """Masks by region id."""
        return {entry.id: entry for entry in self.entries if isinstance(entry, Paint)}

    @cached_property
    def order(self) -> Mapping[str, int]:
        """The position of each entry."""
        return {entry.id: position for position, entry in enumerate(self.entries)}


@dataclass(frozen=True)
class Call:
    """One interactive call.

    ``context`` is complete for the shape and label of what was just drawn, on the images it shows:
    in drawing order, the new region last. Of a list of images, a page may leave the others out.
    ``drafts`` are the caller's own, ``annotations`` everybody's; the newest of ``predictions`` may
    have filled a new page, under the same ids. Clicks with a ``background`` label mean "no object
    here", those with a ``like`` label ask for all objects like the one that they lie on.
    """

    task: str
    context: tuple[Entry, ...]
    drafts: tuple[SavedPage, ...] = ()
    annotations: tuple[SavedPage, ...] = ()
    predictions: tuple[SavedPage, ...] = ()
    background: frozenset[str] = frozenset({"Background"})
    like: frozenset[str] = frozenset()

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of the regions in the context."""
        return frozenset(entry.id for entry in self.context)

    @property
    def user(self) -> str | None:
        """Who clicked, as far as a draft of theirs tells."""
        return self.drafts[0].user if self.drafts else None

    @property
    def newest(self) -> Entry | None:
        """The region just drawn."""
        return self.context[-1] if self.context else None

    @property
    def prefill(self) -> tuple[SavedPage, ...]:
        """The prediction that may have filled the page: the newest one."""
        return tuple(sorted(self.predictions, key=lambda saved: saved.version)[-1:])

    @cached_property
    def _images(self) -> frozenset[ImageKey]:
        return frozenset(entry.image for entry in self.context)

    def covers(self, entry: Entry) -> bool:
        """Whether ``entry`` would be in the context if it were on the page."""
        if entry.image not in self._images:
            return False
        newest = self.context[-1]
        return type(entry) is type(newest) and entry.label == newest.label
