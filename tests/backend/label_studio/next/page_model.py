"""A model of the next editor's page, as far as a backend can tell (no browser, no HTTP).

Measured behavior it copies: a call holds the points or the box of one object, without ids; a failed
point is taken back, and the mask before it stays; an accepted mask becomes a region with an id of
the page's own; the draft is saved five seconds later; accept, reject and a changed label make no
call; a deselected label makes two ``release`` calls.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from backend.label_studio.next.editor import NextEditor, NoMaskError
from backend.label_studio.next.memory import Memory
from backend.label_studio.next.reading import context_of
from backend.serving.answer import AnsweredObject
from backend.session.composing import compose
from tests.backend.label_studio.next.bodies import (
    a_body,
    a_draft,
    an_accepted,
    an_annotation,
    box,
    mask_of,
    points,
)
from tests.fakes import discs

WIDTH, HEIGHT, RADIUS, AUTOSAVE = 90, 60, 9, 5.0
SIZE = (WIDTH, HEIGHT)


class Discs:
    """The serving core with discs for masks, for images of one size."""

    def answer_object(self, source, task, plan, open_image, user, project):
        segmented = discs(plan.click_set(HEIGHT, WIDTH), HEIGHT, WIDTH, RADIUS)
        one = next(compose(plan, segmented))
        return AnsweredObject(plan.image, one.id, "", one.mask) if one.mask.any() else None


@dataclass
class Server:
    """One task, the clock, and the backend behind them."""

    clock: float = 0.0
    drafts: dict = field(default_factory=dict)
    annotations: dict = field(default_factory=dict)

    def __post_init__(self):
        self.restart()

    def restart(self):
        self.editor = NextEditor(
            Discs(),
            None,
            source="",
            version=lambda: "discs",
            background_labels=["Background"],
            max_pixels=10**6,
            prewarm=lambda address, task: None,
            memory=Memory(clock=lambda: self.clock),
        )

    def call(self, user, context):
        body = a_body(
            context,
            drafts=[self.drafts[user]] if user in self.drafts else [],
            annotations=list(self.annotations.values()),
        )
        return self.editor.answer(body, context_of(body))

    def stamp(self):
        return f"2026-11-30T07:{int(self.clock) // 60:02d}:{self.clock % 60:09.6f}Z"


@dataclass
class Page:
    """One person with the task open.

    ``shown`` is the mask under the prompts; ``answers`` those of the lists of points of this
    object; ``accepted`` the regions by id, ``unsaved`` those that no draft holds yet, and ``saved``
    all that the draft holds, also those deleted since.
    """

    server: Server
    user: int
    check: Callable[["Page", list], None]
    places: list = field(default_factory=list)
    undone: list = field(default_factory=list)
    shown: np.ndarray | None = None
    answers: dict = field(default_factory=dict)
    accepted: dict = field(default_factory=dict)
    unsaved: set = field(default_factory=set)
    saved: dict = field(default_factory=dict)
    unsaved_since: float | None = None
    ids: Iterator[int] = field(default_factory=count)

    def point(self, x, y, positive):
        self._prompt([*self.places, (x, y, positive)])
        self.undone = []

    def remove(self, index):
        places = self.places[:index] + self.places[index + 1 :]
        self._prompt(places) if places else self.forget()

    def undo(self):
        self.undone.append(self.places[-1])
        undone = self.undone
        self._prompt(self.places[:-1]) if self.places[1:] else self.forget()
        self.undone = undone

    def redo(self):
        self._prompt([*self.places, self.undone.pop()])

    def draw_box(self, x, y, width, height):
        self.forget()
        try:
            self._show(self.server.call(self.user, box(x, y, width, height, size=SIZE)))
        except NoMaskError:
            self.check(self, [], None)

    def accept(self, *, keeps_label):
        name = f"{self.user}-{next(self.ids)}"
        self.accepted[name] = self.shown
        self.unsaved.add(name)
        self._changed()
        self.forget()
        if not keeps_label:
            self.release()

    def release(self):
        for _ in range(2):
            assert self.server.call(self.user, {"event": "release"}) == {"result": []}

    def delete(self, name):
        del self.accepted[name]
        self._changed()

    def forget(self):
        self.places, self.undone, self.shown, self.answers = [], [], None, {}

    def tick(self):
        if self.unsaved_since is not None and self.server.clock >= self.unsaved_since + AUTOSAVE:
            self.save()

    def save(self):
        regions = [an_accepted(mask, name=name) for name, mask in self.accepted.items()]
        draft = a_draft(*regions, user=self.user, saved=self.server.stamp())
        self.server.drafts[self.user] = draft
        self.saved = dict(self.accepted)
        self.unsaved, self.unsaved_since = set(), None

    def submit(self):
        regions = [an_accepted(mask, name=name) for name, mask in self.accepted.items()]
        self.server.annotations[self.user] = an_annotation(*regions, user=self.user)
        self.server.drafts.pop(self.user, None)
        self.saved = dict(self.accepted)
        self.unsaved, self.unsaved_since = set(), None

    def _changed(self):
        if self.unsaved_since is None:
            self.unsaved_since = self.server.clock

    def _prompt(self, places):
        try:
            answer = self.server.call(self.user, points(*places, size=SIZE))
        except NoMaskError:
            self.check(self, places, None)
            return
        self.places = places
        self._show(answer)

    def _show(self, answer):
        self.shown = mask_of({"results": [answer]})
        self.check(self, self.places, self.shown)
