"""Random histories of two people on one task: what must hold whatever they do."""

from itertools import count

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.backend.label_studio.next.page_model import HEIGHT, WIDTH, Page, Server

users = st.sampled_from([0, 1])
xs = st.integers(2, WIDTH - 3)
ys = st.integers(2, HEIGHT - 3)
NEAR = 2  # pixels: two points so close may be on one pixel


class People(RuleBasedStateMachine):
    """Two people draw, accept, reject, correct and save; every answer is checked."""

    @initialize()
    def open(self):
        self.server = Server()
        self.pages = [Page(self.server, user, self.check) for user in (1, 2)]
        self.noise = count(1)

    def on(self, user):
        """The page of a user, half a second later."""
        self.server.clock += 0.5
        for page in self.pages:
            page.tick()
        return self.pages[user]

    @rule(user=users, x=xs, y=ys, positive=st.sampled_from([True, True, True, False]))
    def point(self, user, x, y, positive):
        off = next(self.noise) * 1e-7  # no two points of a real page have the same numbers
        self.on(user).point(x + 0.5 + off, y + 0.5 + off, positive)

    @rule(user=users, dx=st.integers(-16, 16), dy=st.integers(-16, 16), accepts=st.booleans())
    def go_on_beside_it(self, user, dx, dy, accepts):
        """Accept or reject what is there, and point at its neighbor at once."""
        page = self.on(user)
        if page.shown is None or not page.places:
            return
        x, y, _ = page.places[-1]
        self.accept(user, keeps_label=False) if accepts else self.reject(user)
        x, y = min(max(int(x) + dx, 2), WIDTH - 3), min(max(int(y) + dy, 2), HEIGHT - 3)
        self.point(user, x, y, positive=True)

    @rule(user=users, index=st.integers(0, 5))
    def remove(self, user, index):
        page = self.on(user)
        if page.places:
            page.remove(index % len(page.places))

    @rule(user=users)
    def undo(self, user):
        page = self.on(user)
        if page.places:
            page.undo()

    @rule(user=users)
    def redo(self, user):
        page = self.on(user)
        if page.undone:
            page.redo()

    @rule(user=users, x=xs, y=ys, width=st.integers(5, 40), height=st.integers(5, 40))
    def box(self, user, x, y, width, height):
        off = next(self.noise) * 1e-7
        self.on(user).draw_box(x + off, y + off, width, height)

    @rule(user=users, keeps_label=st.booleans())
    def accept(self, user, keeps_label):
        page = self.on(user)
        if page.shown is not None:
            page.accept(keeps_label=keeps_label)

    @rule(user=users)
    def reject(self, user):
        self.on(user).forget()

    @rule(user=users)
    def change_the_label(self, user):
        """Within a tag nothing is sent; to another tag the points are lost."""
        page = self.on(user)
        page.release()
        page.forget()

    @rule(user=users, index=st.integers(0, 5))
    def delete(self, user, index):
        page = self.on(user)
        if page.accepted:
            page.delete(list(page.accepted)[index % len(page.accepted)])

    @rule(seconds=st.sampled_from([2.0, 6.0, 20.0]))
    def wait(self, seconds):
        for _ in range(int(seconds * 2)):
            self.on(0)

    @precondition(lambda self: not self.server.annotations)
    @rule(user=users)
    def submit(self, user):
        page = self.on(user)
        page.submit()
        for other in self.pages:
            other.answers = {}

    @rule()
    def restart(self):
        """A kill between two objects: what is accepted is saved by then."""
        if all(page.shown is None and not page.unsaved for page in self.pages):
            self.server.restart()

    def check(self, page, places, mask):
        there = self.on_the_page(page)
        free = [
            (x, y)
            for x, y, positive in places
            if positive
            and not any(m[int(y), int(x)] for m in there)
            and not any(is_near(x, y, place) for place in places if not place[2])
        ]
        if mask is None:
            assert not free, "there was a mask to answer"
            return
        assert mask.any()
        for x, y in free:
            assert mask[int(y), int(x)], "something blocks a point on no accepted mask"
        aimed = [(int(x), int(y)) for x, y, positive in places if positive]
        for name, accepted in page.accepted.items():
            pointed_at = any(accepted[y, x] for x, y in aimed)
            is_certain = name not in page.unsaved and page.user in self.server.drafts
            if is_certain or not (pointed_at or not places):
                assert not (mask & accepted).any(), "the mask covers an accepted one"
        if key := tuple(places):
            before = page.answers.setdefault(key, mask)
            if page.user in self.server.drafts:  # which may hold what was pointed into meanwhile
                for name in page.accepted.keys() - page.unsaved:
                    before = before & ~page.accepted[name]
            assert (mask == before).all(), "the same points have another mask"

    def on_the_page(self, page):
        """The masks that are there for all the backend knows.

        Accepted ones, those deleted that the draft still holds, and an annotation without a draft.
        """
        masks = [*page.accepted.values(), *page.saved.values()]
        if page.user not in self.server.drafts:
            masks += [mask for other in self.pages for mask in other.saved.values()]
        return masks or [np.zeros((HEIGHT, WIDTH), np.bool_)]


def is_near(x, y, place):
    return abs(x - place[0]) < NEAR and abs(y - place[1]) < NEAR


@pytest.mark.parametrize("steps", [12, 40])
def test_random_histories(steps):
    People.TestCase.settings = settings(max_examples=60, stateful_step_count=steps, deadline=None)
    People.TestCase().runTest()
