"""Random histories of a page: what must hold whatever the person does."""

import copy
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.backend.session.page_model import HEIGHT, WIDTH, Backend, Page, Server, mask_of

labels = st.sampled_from(["A", "B", "C"])
xs = st.integers(2, WIDTH - 3)
ys = st.integers(2, HEIGHT - 3)


@dataclass
class Thing:
    """An object as the person thinks of it."""

    label: str
    opened: int
    region: str | None = None
    keypoints: set[str] = field(default_factory=set)
    reopened: bool = False
    gone_from: np.ndarray | None = None  # the mask of a region that went and left keypoints


@dataclass
class Mind:
    """What the person has in mind: the rules of the documents, told from the page's side."""

    things: list[Thing] = field(default_factory=list)
    spent: set[str] = field(default_factory=set)
    clicks: int = 0

    def alive(self, page, label=None):
        return [
            thing
            for thing in self.things
            if label in (None, thing.label)
            and thing.gone_from is None
            and any(k in page.regions and k not in self.spent for k in thing.keypoints)
        ]

    def meant(self, page, label, x, y):
        """The object a positive click is for, a new one if need be."""
        self.clicks += 1
        for thing in self.things:
            if thing.gone_from is not None and thing.label == label and thing.gone_from[y, x]:
                thing.gone_from, thing.opened = None, self.clicks
                self.spent -= thing.keypoints
        accepted = page.accepted(label)
        alive = self.alive(page, label)
        under = [r for r in page.regions if r in accepted and accepted[r][y, x]]
        under += [r for r, m in page.shown().items() if m[y, x]]
        for thing in alive:
            if thing.reopened and thing.region in under:
                return thing
        for region in [r for r in page.regions if r in under and r in accepted][::-1]:
            thing = next((t for t in self.things if t.region == region), None)
            if thing is None:
                thing = Thing(label, self.clicks, region)
                self.things.append(thing)
            if thing not in alive:
                thing.reopened, thing.opened = True, self.clicks
                thing.keypoints -= set(page.regions) - self.spent
                return thing
        if alive:
            return max(alive, key=lambda thing: thing.opened)
        self.things.append(Thing(label, self.clicks))
        return self.things[-1]

    def accepted(self, page, regions):
        for thing in self.things:
            if thing.region in regions:
                self.spent |= thing.keypoints
                thing.reopened = False

    def settled(self, page):
        """Objects that are neither on the page nor asked for are forgotten."""
        alive = self.alive(page)
        for thing in self.things:
            if thing not in alive:
                thing.reopened = False
        there = page.regions.keys() | page.suggestions.keys()
        for thing in self.things:
            if thing.gone_from is not None and thing.keypoints & page.regions.keys():
                alive.append(thing)
        self.things = [t for t in self.things if t in alive or t.region in there]

    def went(self, page, region, mask, left, *, was_seen):
        """A region is gone; its keypoints ``left`` by the accept are there still.

        If no call came between, the backend cannot know that there was a region.
        """
        for thing in self.things:
            keypoints = thing.keypoints & page.regions.keys()
            if thing.region == region and keypoints and keypoints <= left:
                thing.gone_from = mask if was_seen else None
                self.spent -= set() if was_seen else keypoints


class Histories(RuleBasedStateMachine):
    """One annotator whose drafts are saved at once, so nothing is ever in doubt."""

    output = "brush"

    @initialize()
    def open_page(self):
        self.backend = Backend()
        self.page = Page(Server(self.output), self.backend, instant_save=True)
        self.mind = Mind()
        self.minds = []
        self.seen = set()  # the accepted regions at the last call

    def think(self):
        self.minds.append(copy.deepcopy(self.mind))

    @rule(label=labels, x=xs, y=ys)
    def click(self, label, x, y):
        self.think()
        before = self.page.accepted()
        self.seen = set(before)
        thing = self.mind.meant(self.page, label, x, y)
        answer = self.page.click(label, x + 0.5, y + 0.5)
        thing.keypoints.add(list(self.page.regions)[-1])
        self.check(answer, before)
        untouched = self.untouched(before)
        if not any(mask[y, x] for mask in untouched.values()):
            (hit,) = [region for region in answer if mask_of(region)[y, x]]
            assert self.page.label(hit) == label
            assert thing.region in (None, hit["id"])
            assert hit["id"] not in [t.region for t in self.mind.things if t is not thing]
            thing.region = hit["id"]
        fresh = {region["id"] for region in answer} - {t.region for t in self.mind.things}
        if thing.region is None and len(fresh) == 1:  # only its edges show
            (thing.region,) = fresh

    @precondition(lambda self: self.page.smart)
    @rule(data=st.data(), x=xs, y=ys)
    def drag(self, data, x, y):
        live = sorted(k for t in self.mind.alive(self.page) for k in t.keypoints - self.mind.spent)
        live = [keypoint for keypoint in live if keypoint in self.page.regions]
        if not live:
            return
        self.think()
        before = self.page.accepted()
        self.seen = set(before)
        answer = self.page.drag(data.draw(st.sampled_from(live)), x + 0.5, y + 0.5)
        self.check(answer, before)

    @precondition(lambda self: self.page.keypoints())
    @rule(data=st.data())
    def delete(self, data):
        keypoints = [r["id"] for r in self.page.keypoints()]
        self.think()
        self.page.delete(data.draw(st.sampled_from(keypoints)))
        self.mind.settled(self.page)

    @precondition(lambda self: self.page.accepted())
    @rule(data=st.data())
    def delete_region(self, data):
        region = data.draw(st.sampled_from(sorted(self.page.accepted())))
        mask = self.page.mask(region)
        self.page.delete(region)
        seen = region in self.seen
        self.mind.went(self.page, region, mask, self.mind.spent, was_seen=seen)
        self.mind.settled(self.page)
        # Undone after a call it would lie below suggestions that have taken its pixels.
        self.page.history.clear()
        self.minds.clear()

    @precondition(lambda self: self.page.suggestions)
    @rule()
    def accept_all(self):
        self.think()
        shown = self.page.shown()
        before = self.page.accepted()
        self.page.accept_all()
        self.mind.accepted(self.page, shown)
        self.mind.settled(self.page)
        after = self.page.accepted()
        assert after.keys() == before.keys() | shown.keys()
        for region, mask in before.items():
            assert region in shown or (after[region] == mask).all()

    @precondition(lambda self: self.page.suggestions)
    @rule(data=st.data())
    def accept_one(self, data):
        self.think()
        region = data.draw(st.sampled_from(sorted(self.page.suggestions)))
        self.page.accept_one(region)
        self.mind.accepted(self.page, [region])
        self.mind.settled(self.page)

    @precondition(lambda self: self.page.smart)
    @rule()
    def reject_all(self):
        self.think()
        self.page.reject_all()
        self.mind.settled(self.page)

    @precondition(lambda self: self.page.history)
    @rule()
    def undo(self):
        masks, left = self.page.accepted(), self.mind.spent & self.page.regions.keys()
        self.page.undo()
        self.mind = self.minds.pop()
        for region in masks.keys() - self.page.regions.keys():
            seen = region in self.seen
            self.mind.went(self.page, region, masks[region], left, was_seen=seen)
        self.mind.settled(self.page)

    @rule()
    def reload(self):
        self.page.reload()
        self.minds.clear()

    def untouched(self, before):
        alive = {thing.region for thing in self.mind.alive(self.page)}
        return {region: mask for region, mask in before.items() if region not in alive}

    def check(self, answer, before):
        ids = [region["id"] for region in answer]
        assert len(ids) == len(set(ids))
        total = sum((mask_of(r).astype(int) for r in answer), np.zeros((HEIGHT, WIDTH), int))
        assert total.max(initial=0) <= 1
        untouched = self.untouched(before)
        assert not untouched.keys() & set(ids)
        for mask in untouched.values():
            assert not (mask & (total > 0)).any()
        alive = self.mind.alive(self.page)
        known = {thing.region for thing in alive}
        assert len(set(ids) - known) <= len([thing for thing in alive if thing.region is None])
        for thing in alive:
            points = [
                self.page.regions[k]["value"]
                for k in thing.keypoints - self.mind.spent
                if k in self.page.regions
            ]
            places = [(int(p["y"] * HEIGHT / 100), int(p["x"] * WIDTH / 100)) for p in points]
            taken = [*untouched.values(), *(mask_of(r) for r in answer if r["id"] != thing.region)]
            free = [at for at in places if not any(mask[at] for mask in taken)]
            if thing.region is not None and free:
                assert thing.region in ids

    @invariant()
    def accepted_masks_are_disjoint(self):
        if hasattr(self, "page"):
            masks = [mask.astype(int) for mask in self.page.accepted().values()]
            assert sum(masks, np.zeros((HEIGHT, WIDTH), int)).max(initial=0) <= 1


class HistoriesOfBitmasks(Histories):
    """The same, with masks as PNG."""

    output = "bitmask"


TestHistories = pytest.mark.slow(Histories.TestCase)
TestHistoriesOfBitmasks = pytest.mark.slow(HistoriesOfBitmasks.TestCase)
TestHistories.settings = TestHistoriesOfBitmasks.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, derandomize=True
)
